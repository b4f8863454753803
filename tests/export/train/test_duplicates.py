"""Training texts that are nearly test texts are found; the project's own data have none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from appliance.packs.compile import load_pack
from export.train import corpus, duplicates, sentences
from export.train.duplicates import Pair, pairs


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(corpus.DATA, tmp_path / "store"))


@pytest.mark.parametrize(
    ("text", "letters"),
    [("洗衣液，在哪 里？", "洗衣液在哪里"), ("What's IN aisle_3?", "whatsinaisle3"), ("？！", ""), ("", "")],
)
def test_only_letters_and_digits_are_looked_at(text: str, letters: str) -> None:
    assert duplicates.bare(text) == letters


def test_equal_texts_are_too_near_however_short() -> None:
    assert pairs(["好！", "不"], ["好", "坏"]) == [Pair("好！", "好", 100.0)]


def test_likeness_is_twice_what_is_common_over_both_lengths() -> None:
    # 8 of 9 characters in common: 2 * 8 / 18; with 6 of 7, 2 * 6 / 14 = 85.7, which is less than NEAR.
    assert pairs(["请问洗衣液在哪里啊"], ["请问洗衣液在哪里呀"]) == [
        Pair("请问洗衣液在哪里啊", "请问洗衣液在哪里呀", 88.9)
    ]
    assert pairs(["洗衣液在哪里啊"], ["洗衣液在哪里呀"]) == []


def test_short_texts_may_be_alike_but_not_equal() -> None:
    # 2 * 5 / 11 = 90.9, yet one of them has only five characters.
    assert pairs(["洗衣液在哪里"], ["洗衣液在哪"]) == []
    # 2 * 6 / 13 = 92.3 of six and seven.
    assert pairs(["洗衣液在哪里"], ["洗衣液在哪里啊"]) == [Pair("洗衣液在哪里", "洗衣液在哪里啊", 92.3)]


def test_the_nearest_one_is_named() -> None:
    tests = ["请问洗衣液在哪里呀", "请问洗衣液在哪里啊？", "几点关门"]
    assert pairs(["请问洗衣液在哪里啊"], tests) == [Pair("请问洗衣液在哪里啊", "请问洗衣液在哪里啊？", 100.0)]


def test_every_text_of_a_long_list_is_compared() -> None:
    train = [f"{number:04d}" for number in range(1300)]  # more than two of the blocks that are compared at once
    train[600] = "洗衣液在哪里"
    found = pairs(train, ["0000", "0511", "0512", "洗衣液在哪里啊", "1299", "2000"])
    assert [pair.train for pair in found] == ["0000", "0511", "0512", "洗衣液在哪里", "1299"]


def test_the_projects_own_data_have_none() -> None:
    written, questions, drawn = duplicates.found_in(corpus.DATA, load_pack("store"))
    assert written == []
    assert questions == []
    # Templates may say a test sentence word for word, for nobody wrote those; few of them do.
    assert drawn < 0.02 * len(sentences.load(corpus.DATA, "test"))


def test_a_sentence_and_a_question_that_were_copied_are_named(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    test = next(s.text for s in sentences.load(copy, "test") if s.label == "refund_status" and len(s.text) > 12)
    with (copy / "train" / "greet.txt").open("a", encoding="utf-8") as file:
        file.write(f"plain\tneu\t{test}啊\n")
    question = corpus.read_test_questions(copy / "test" / "faq.csv")[0].text.replace('"', "")
    with (copy / "train" / "unanswered.csv").open("a", encoding="utf-8") as file:
        file.write(f'"{question}！"\n')
    monkeypatch.setattr("sys.argv", ["duplicates", "--data", str(copy)])
    assert duplicates.main() == 1
    said = capsys.readouterr()
    assert f"{test + '啊'!r} is nearly {test!r}" in said.err
    assert f"{question + '！'!r} is nearly" in said.err
    assert said.out.startswith("1 sentences and 1 questions too near")


def test_the_command_is_content_with_the_projects_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["duplicates"])
    assert duplicates.main() == 0
    said = capsys.readouterr()
    assert said.out.startswith("0 sentences and 0 questions too near")
    assert said.err == ""
