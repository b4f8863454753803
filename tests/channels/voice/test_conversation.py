"""A conversation from outside: it outlives what fails, and whoever leaves takes everything along."""

from __future__ import annotations

import threading

import pytest
from scripted_talk import END, SPEECH, Heat, ScriptedMouth, talking

from appliance.channels.voice.turns import IDLE, LISTENING
from appliance.errors import BackendFailed, Unavailable


def test_a_failing_recogniser_is_said_and_the_next_sentence_is_heard() -> None:
    with talking() as scene:
        scene.fails.append(BackendFailed("recogniser: expected to run, got a broken one"))
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("error") and scene.talk.phase == IDLE)
        (told,) = scene.told("error")
        assert told["code"] == "backend_failed"
        assert " / " in str(told["remedy"])
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("reply"))


def test_a_defect_does_not_end_the_conversation() -> None:
    with talking() as scene:
        scene.door.error = ZeroDivisionError("customer's words")
        scene.sentences += ["一", "二"]
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("error"))
        assert "customer's words" not in str(scene.told("error"))
        scene.door.error = None
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("reply"))


def test_cancelling_forgets_the_session() -> None:
    with talking() as scene:
        for _ in range(2):
            scene.sentences.append("你好")
            scene.talk.listen(None, "zh")
            scene.until(lambda: scene.talk.phase == LISTENING)
            scene.ears.hear(SPEECH, END)
            scene.until(lambda: scene.talk.phase == IDLE)
            scene.talk.cancel()
        assert [each["session"] for each in scene.told("reply")] == ["session-0001", "session-0002"]


def test_a_conversation_that_has_ended_says_so() -> None:
    with talking() as scene:
        scene.talk.close()
        with pytest.raises(Unavailable):
            scene.talk.listen(None, "zh")


def test_whoever_leaves_while_the_kiosk_thinks_takes_the_answer_along() -> None:
    mouth = ScriptedMouth()
    ended: list[str] = []
    with talking(mouth=mouth, end=ended.append) as scene:
        scene.door.hold = threading.Event()
        scene.sentences.append("我的电话是多少")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.talk.phase == "thinking")
        scene.talk.cancel()
        scene.door.hold.set()
        scene.until(lambda: scene.talk.phase == IDLE)
        assert scene.told("reply") == []
        assert mouth.said == []
        assert ended == ["session-0001"]


def test_while_the_chip_is_too_hot_who_speaks_is_told_and_heard_again_afterwards() -> None:
    heat = Heat()
    with talking(allowed=heat) as scene:
        heat.on = True
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.told("error"))
        (error,) = scene.told("error")
        assert error["code"] == "too_hot"
        assert error["message"].startswith("设备过热")
        assert scene.talk.phase == IDLE
        heat.on = False
        scene.sentences.append("洗衣液在哪里")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        heat.on = True  # in the middle of a sentence
        scene.ears.hear(SPEECH)
        scene.until(lambda: len(scene.told("error")) == 2)
        heat.on = False
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("reply"))
