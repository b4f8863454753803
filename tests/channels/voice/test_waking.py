"""The wake phrase: what it begins, and what is nobody's business without it."""

from __future__ import annotations

import time

from scripted_talk import END, SILENCE, SPEECH, Heat, talking, wake

from appliance.channels.voice.manners import Manners
from appliance.channels.voice.turns import IDLE, LISTENING
from appliance.errors import BackendFailed, TooHot


def test_nothing_is_heard_until_somebody_asks() -> None:
    with talking() as scene:
        scene.ears.hear(SPEECH, SPEECH, END)
        scene.until(lambda: not scene.ears.blocks)
        assert scene.made == []
        assert scene.talk.phase == IDLE


def test_the_wake_phrase_alone_makes_it_listen_and_the_next_sentence_needs_none() -> None:
    with talking(wakes=wake) as scene:
        scene.sentences += ["随便聊聊", "小店你好", "洗衣液在哪", "多少钱"]
        scene.ears.hear(SPEECH, END, SILENCE, SPEECH, END)
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert scene.told("reply") == []
        assert scene.told("partial") == [], "what is said before the phrase is nobody's business"
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: len(scene.told("reply")) == 1)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: len(scene.told("reply")) == 2)
        assert [each["session"] for each in scene.told("reply")] == ["session-0001"] * 2
        scene.until(lambda: scene.talk.phase == IDLE)


def test_a_sentence_behind_the_wake_phrase_is_answered_at_once() -> None:
    with talking(wakes=wake) as scene:
        scene.sentences.append("小店你好我要寄快递")
        scene.ears.hear(SPEECH, SPEECH, END)
        scene.until(lambda: scene.told("reply"))
        assert scene.told("reply")[0]["text"] == "我要寄快递"


def test_a_deaf_kiosk_that_waits_for_its_phrase_floods_nobody() -> None:
    with talking(wakes=wake) as scene:
        scene.fails += [BackendFailed("recogniser: broken")] * 50
        scene.ears.hear(*[SPEECH] * 50)
        scene.until(lambda: not scene.ears.blocks)
        assert scene.told("error") == []
        assert len(scene.fails) == 49, "it is tried again later, not at every block"


def test_after_an_english_sentence_the_phrase_is_heard_in_chinese_again() -> None:
    with talking(wakes=wake, manners=Manners(patience=0.05)) as scene:
        scene.talk.listen(None, "en")
        scene.until(lambda: scene.told("silence"))
        scene.until(lambda: scene.talk.phase == IDLE)
        scene.sentences.append("小店你好我要寄快递")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("reply"))
        assert scene.languages[-1] == "zh"


def test_the_phrase_said_again_is_no_question() -> None:
    with talking(wakes=wake) as scene:
        scene.sentences += ["小店你好", "小店你好", "洗衣液在哪"]
        scene.ears.hear(SPEECH, END, SPEECH, END, SPEECH, END)
        scene.until(lambda: scene.told("reply"))
        assert [each["text"] for each in scene.told("reply")] == ["洗衣液在哪"]


def test_while_the_chip_is_too_hot_nobody_is_listened_for_and_nothing_counts_as_failed() -> None:
    heat, told = Heat(), []
    heat.on = True
    with talking(
        allowed=heat, wakes=lambda text: text, listener=lambda event, /, **fields: told.append(event)
    ) as scene:
        scene.ears.hear(SPEECH, SPEECH, END)
        scene.until(lambda: not scene.ears.blocks)
        time.sleep(0.05)
        assert scene.made == []
        assert scene.told("error") == []
    assert "voice_failed" not in told


def test_a_chip_that_is_too_hot_is_asked_again_only_after_a_while() -> None:
    asked: list[str] = []

    def refuse() -> None:
        asked.append("whether it has cooled")
        raise TooHot("the chip has to cool to 85 degrees first, got 96", retry_after=60)

    with talking(allowed=refuse, wakes=wake) as scene:
        scene.ears.hear(*[SPEECH] * 20)
        scene.until(lambda: not scene.ears.blocks)
        assert len(asked) == 1
