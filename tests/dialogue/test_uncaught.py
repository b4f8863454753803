"""Words that may have been misheard, in conversation."""

from __future__ import annotations

from typing import Any

from tests.dialogue.conftest import parse_of


def heard(stage: Any, text: str, intent: str, sure: float, confidence: float) -> Any:
    return stage.say(text, {"intent": intent, "sure": sure}, source="audio", confidence=confidence)


def now(stage: Any) -> Any:
    return stage.dialogue.state(stage.session)


def test_a_guess_that_means_nothing_is_asked_for_again_and_the_third_time_is_taken_for_what_it_is(stage) -> None:
    for _ in range(2):
        answer = heard(stage, "嗯嗯那个", "out_of_scope", 0.9, 0.2)
        assert "没听清" in answer.text
        assert answer.outcome == "not_understood"
    assert now(stage).unheard == 2
    answer = heard(stage, "嗯嗯那个", "out_of_scope", 0.9, 0.2)
    assert "没听清" not in answer.text
    assert now(stage).unheard == 0


def test_a_guess_that_means_something_is_asked_about_and_a_yes_means_it(stage) -> None:
    answer = heard(stage, "洗手间在哪", "facility_location", 0.95, 0.3)
    assert "洗手间在哪" in answer.text
    assert answer.text.endswith("吗？")
    assert answer.outcome == "pending"
    assert now(stage).doubted == "洗手间在哪"
    stage.scripted.readings["洗手间在哪"] = parse_of("洗手间在哪", {"intent": "facility_location"})
    answer = heard(stage, "对", "affirm", 0.99, 0.9)
    assert now(stage).doubted == ""
    assert answer.flow == "facility_location"


def test_a_no_to_it_is_asked_for_again(stage) -> None:
    heard(stage, "洗手间在哪", "facility_location", 0.95, 0.3)
    answer = heard(stage, "不是", "deny", 0.99, 0.9)
    assert "没听清" in answer.text
    assert now(stage).doubted == ""


def test_other_words_after_it_are_what_is_meant(stage) -> None:
    heard(stage, "洗手间在哪", "facility_location", 0.95, 0.3)
    stage.say("转人工", {"intent": "human_agent", "sure": 0.99})
    assert (now(stage).doubted, now(stage).unheard) == ("", 0)


def test_sure_words_and_typed_ones_are_never_doubted(stage) -> None:
    for source, confidence in (("audio", 0.9), ("text", 0.1), ("tap", 0.1)):
        answer = stage.say("几点关门", {"intent": "store_hours", "sure": 0.9}, source=source, confidence=confidence)
        assert "吗？" not in answer.text
        assert "没听清" not in answer.text


def test_in_a_task_the_question_is_asked_again_and_nothing_of_it_is_lost(stage) -> None:
    stage.say("查快递", {"intent": "track_parcel", "sure": 0.99})
    task, asked = now(stage).task, now(stage).asked
    assert asked
    answer = heard(stage, "嘶嘶", "out_of_scope", 0.9, 0.2)
    assert "没听清" in answer.text
    assert (now(stage).task, now(stage).asked, answer.outcome) == (task, asked, "pending")


def test_a_photo_ends_the_doubt(stage) -> None:
    heard(stage, "洗手间在哪", "facility_location", 0.95, 0.3)
    stage.say("单号 SF1392847561002", {"intent": "out_of_scope", "sure": 1.0}, source="image")
    assert now(stage).doubted == ""


def test_a_yes_that_is_itself_a_guess_is_asked_for_again(stage) -> None:
    heard(stage, "洗手间在哪", "facility_location", 0.95, 0.3)
    answer = heard(stage, "对", "affirm", 0.99, 0.15)
    assert "没听清" in answer.text
    assert now(stage).doubted == "洗手间在哪"
