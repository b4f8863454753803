"""Taking turns: what a conversation does with what it hears, and with what happens to it meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from fake_door import FakeDoor

from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.feed import Event
from appliance.channels.voice.manners import Manners, breaks_in
from appliance.channels.voice.turns import IDLE, LISTENING
from appliance.errors import ApplianceError, BackendFailed, TooHot, Unavailable
from appliance.speech.listen import Final, Partial
from appliance.values import Audio, Reply, Transcript, Turn

SILENCE, SPEECH, END = 0.0, 0.5, -0.5
"""Samples by which the fakes tell what a block is: nobody, somebody who speaks, the end of a sentence."""


class ScriptedEars:
    """Gives one block of 0.1 s after the other, of what it was told to; else nothing, as a microphone that is idle."""

    def __init__(self) -> None:
        self.blocks: deque[float] = deque()

    def hear(self, *blocks: float) -> None:
        self.blocks.extend(blocks)

    def read(self, timeout_s: float) -> np.ndarray:
        if self.blocks:
            return np.full(1600, self.blocks.popleft(), np.float32)
        time.sleep(0.002)
        return np.zeros(0, np.float32)


class ScriptedUtterances:
    """Somebody speaks in blocks of SPEECH; END ends the sentence, which then is the next one of `sentences`."""

    def __init__(self, sentences: deque[str], fails: list[ApplianceError]) -> None:
        self.sentences, self.fails = sentences, fails
        self.blocks = 0
        self.closed = False

    @property
    def speaking(self) -> bool:
        return self.blocks > 0

    @property
    def probability(self) -> float:
        return float(self.blocks > 0)

    def feed(self, samples: np.ndarray) -> list[Partial | Final]:
        if self.fails:
            raise self.fails.pop()
        if samples[0] == SPEECH:
            self.blocks += 1
            return [Partial("…" * self.blocks, self.blocks * 0.1)]
        return self.finish() if samples[0] == END else []

    def finish(self) -> list[Partial | Final]:
        if not self.blocks:
            return []
        self.blocks = 0
        text = self.sentences.popleft()
        return [Final(Transcript(text, 0.9, "zh"), Audio(np.zeros(0, np.float32), 16_000), 0.0, 1.0, "silence", {})]

    def close(self) -> None:
        self.closed = True


class SlowWords:
    """Words that are over when somebody says so, or breaks them off."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.stopped = False
        self.error: ApplianceError | None = None

    @property
    def done(self) -> bool:
        return self.over.is_set()

    def stop(self) -> None:
        self.stopped = True
        self.over.set()


class ScriptedMouth:
    """Says what it is told to, for as long as the test wants."""

    def __init__(self, *, at_once: bool = True, fails: bool = False) -> None:
        self.said: list[str] = []
        self.words: list[SlowWords] = []
        self.at_once, self.fails = at_once, fails

    def say(self, text: str, language: str) -> SlowWords:
        if self.fails:
            raise Unavailable("no loudspeaker")
        self.said.append(text)
        self.words.append(SlowWords())
        if self.at_once:
            self.words[-1].over.set()
        return self.words[-1]


class Talk:
    """A conversation with everything around it scripted."""

    def __init__(self, **more: Any) -> None:
        self.door = FakeDoor()
        self.ears = ScriptedEars()
        self.sentences: deque[str] = deque()
        self.fails: list[ApplianceError] = []
        self.made: list[ScriptedUtterances] = []
        self.languages: list[str] = []
        self.manners = more.pop("manners", Manners(patience=0.5, follow=0.5))
        self.talk = Conversation(
            self.ears,
            self._hear,
            self.door.heard,
            lambda reply: {"text": reply.turn.text, "session": reply.session},
            manners=lambda: self.manners,
            **more,
        )
        self.events: list[Event] = []

    def _hear(self, language: str) -> ScriptedUtterances:
        self.languages.append(language)
        self.made.append(ScriptedUtterances(self.sentences, self.fails))
        return self.made[-1]

    def until(self, wanted: Callable[[], object]) -> None:
        end = time.monotonic() + 10
        while not wanted():
            self.gather()
            assert time.monotonic() < end, f"it did not come to that; so far: {self.events}"
            time.sleep(0.002)
        self.gather()

    def gather(self) -> None:
        while (event := self.queue.get(0)) is not None:
            if event.name != "level":
                self.events.append(event)

    def told(self, name: str) -> list[dict[str, Any]]:
        self.gather()
        return [dict(event.data) for event in self.events if event.name == name]


@contextmanager
def talking(**more: Any) -> Iterator[Talk]:
    scene = Talk(**more)
    with scene.talk.feed.listening(scene.talk.first) as queue:
        scene.queue = queue
        scene.talk.start()
        try:
            yield scene
        finally:
            scene.talk.close()
    assert all(each.closed for each in scene.made), "a stream was left open"


def phases(scene: Talk) -> list[str]:
    return [str(data["phase"]) for data in scene.told("state")]


def test_nothing_is_heard_until_somebody_asks() -> None:
    with talking() as scene:
        scene.ears.hear(SPEECH, SPEECH, END)
        scene.until(lambda: not scene.ears.blocks)
        assert scene.made == []
        assert scene.talk.phase == IDLE


def test_one_sentence_is_heard_answered_and_spoken() -> None:
    mouth = ScriptedMouth()
    with talking(mouth=mouth) as scene:
        scene.sentences.append("洗衣液在哪")
        scene.talk.listen("session-x", "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SILENCE, SPEECH, SPEECH, END)
        scene.until(lambda: scene.told("reply") and scene.talk.phase == IDLE)
        assert scene.told("partial")
        assert scene.told("reply") == [{"text": "洗衣液在哪", "session": "session-0001"}]
        assert phases(scene) == ["idle", "listening", "thinking", "speaking", "idle"]
        assert mouth.said == ["洗衣液在 B3 货架,靠近收银台。"]


def test_the_first_syllable_came_before_the_key() -> None:
    with talking() as scene:
        scene.ears.hear(SPEECH, SPEECH)
        scene.until(lambda: not scene.ears.blocks)
        scene.sentences.append("有货吗")
        scene.talk.listen(None, "zh")
        scene.ears.hear(END)
        scene.until(lambda: scene.told("reply"))
        assert scene.made[0].blocks == 0
        assert scene.told("reply")[0]["text"] == "有货吗"


def test_a_key_that_is_released_ends_the_sentence() -> None:
    with talking() as scene:
        scene.sentences.append("几点关门")
        scene.talk.listen(None, "en")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("partial"))
        scene.talk.finish()
        scene.until(lambda: scene.told("reply"))
        assert scene.languages == ["en"]


def test_nobody_speaks_and_that_is_said() -> None:
    with talking(manners=Manners(patience=0.05)) as scene:
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.told("silence"))
        scene.until(lambda: scene.talk.phase == IDLE)
        assert scene.told("reply") == []


def test_a_sentence_without_a_word_is_not_answered() -> None:
    with talking(manners=Manners(patience=0.2)) as scene:
        scene.sentences.append("")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("silence"))
        assert scene.door.acts == 0


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


def test_no_loudspeaker_is_said_and_the_answer_stands() -> None:
    with talking(mouth=ScriptedMouth(fails=True)) as scene:
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("error") and scene.talk.phase == IDLE)
        assert len(scene.told("reply")) == 1


def test_without_echo_cancellation_the_kiosk_does_not_hear_itself() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        scene.sentences += ["你好", "不该听到"]
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.said)
        scene.ears.hear(SPEECH, SPEECH, SPEECH, END)
        scene.until(lambda: not scene.ears.blocks)
        assert not mouth.words[0].stopped
        mouth.words[0].over.set()
        scene.until(lambda: scene.talk.phase == IDLE)
        assert len(scene.told("reply")) == 1


def test_with_echo_cancellation_speaking_breaks_off_the_kiosks_words_and_is_answered() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth, manners=Manners(patience=0.5, barge_in=True)) as scene:
        scene.sentences += ["你好", "等一下我要退货"]
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.said)
        scene.ears.hear(SPEECH, SPEECH, END)
        scene.until(lambda: len(scene.told("reply")) == 2)
        assert mouth.words[0].stopped
        assert scene.told("reply")[1]["text"] == "等一下我要退货"
        mouth.words[1].over.set()
        scene.until(lambda: scene.talk.phase == IDLE)


def test_asking_anew_breaks_off_the_kiosks_words() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.said)
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert mouth.words[0].stopped


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


def wake(text: str) -> str | None:
    return text.removeprefix("小店你好") if text.startswith("小店你好") else None


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


def test_a_conversation_that_has_ended_says_so() -> None:
    with talking() as scene:
        scene.talk.close()
        with pytest.raises(Unavailable):
            scene.talk.listen(None, "zh")


@pytest.mark.parametrize(
    ("setting", "name", "expected"),
    [
        ("auto", "USB PnP Sound Device", False),
        ("auto", "Echo-Cancelled: echo-cancel-source", True),
        ("on", "USB PnP Sound Device", True),
        ("off", "echo-cancel-source", False),
    ],
)
def test_barge_in_follows_echo_cancellation(setting: str, name: str, expected: bool) -> None:
    assert breaks_in(setting, name) is expected


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


def test_words_that_could_not_be_said_are_a_failure_that_is_told() -> None:
    mouth = ScriptedMouth()
    with talking(mouth=mouth) as scene:
        say = mouth.say

        def broken(text: str, language: str) -> SlowWords:
            words = say(text, language)
            words.error = BackendFailed("voice: expected to end, got no end")
            return words

        mouth.say = broken  # type: ignore[method-assign]
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: scene.told("error"))
        assert scene.told("error")[0]["code"] == "backend_failed"


def test_enough_of_an_answer_keeps_the_session() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        for number in range(2):
            said = number + 1
            scene.sentences.append("你好")
            scene.talk.listen("session-0001" if number else None, "zh")
            scene.until(lambda: scene.talk.phase == LISTENING)
            scene.ears.hear(SPEECH, END)
            scene.until(lambda said=said: len(mouth.words) == said)
            scene.talk.finish()
            scene.until(lambda: scene.talk.phase == IDLE)
            assert mouth.words[-1].stopped
        assert [each["session"] for each in scene.told("reply")] == ["session-0001"] * 2


def test_the_phrase_said_again_is_no_question() -> None:
    with talking(wakes=wake) as scene:
        scene.sentences += ["小店你好", "小店你好", "洗衣液在哪"]
        scene.ears.hear(SPEECH, END, SPEECH, END, SPEECH, END)
        scene.until(lambda: scene.told("reply"))
        assert [each["text"] for each in scene.told("reply")] == ["洗衣液在哪"]


def test_recognition_that_fails_while_the_kiosk_speaks_silences_it() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth, manners=Manners(patience=0.5, barge_in=True)) as scene:
        scene.sentences.append("你好")
        scene.talk.listen(None, "zh")
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.words)
        scene.fails.append(BackendFailed("recogniser: broken"))
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("error") and scene.talk.phase == IDLE)
        assert mouth.words[0].stopped


def shown(scene: Talk, text: str = "SF1392847561002") -> Callable[[str | None, str], Reply]:
    """What reads something that is shown, and answers it."""

    def answer(session: str | None, language: str) -> Reply:
        return scene.door.turn(Turn(text, "image", language=language), session)

    return answer


def test_what_is_shown_is_answered_in_the_same_conversation_and_said() -> None:
    mouth = ScriptedMouth()
    with talking(mouth=mouth) as scene:
        scene.door.sessions.add("typed")
        scene.talk.attend("typed", "en")
        reply = scene.talk.show(shown(scene))
        assert reply is not None
        assert reply.session == "typed"
        assert mouth.said == ["Laundry liquid is on shelf B3."]
        assert scene.told("reply") == [{"text": "SF1392847561002", "session": "typed"}]
        scene.until(lambda: scene.talk.phase == IDLE)
        assert phases(scene) == ["idle", "thinking", "speaking", "idle"]


def test_what_is_shown_waits_for_a_sentence_to_be_over() -> None:
    with talking() as scene:
        scene.sentences.append("帮我查一下这个")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, SPEECH)
        scene.until(lambda: scene.told("partial"))
        beside = threading.Thread(target=lambda: scene.talk.show(shown(scene)))
        beside.start()
        time.sleep(0.1)
        assert scene.told("reply") == []
        scene.ears.hear(END)
        beside.join(10)
        scene.until(lambda: len(scene.told("reply")) == 2)
        assert [told["text"] for told in scene.told("reply")] == ["帮我查一下这个", "SF1392847561002"]


def test_showing_something_breaks_off_the_kiosks_words() -> None:
    mouth = ScriptedMouth(at_once=False)
    with talking(mouth=mouth) as scene:
        scene.sentences.append("查快递")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH, END)
        scene.until(lambda: mouth.words)
        mouth.at_once = True
        assert scene.talk.show(shown(scene)) is not None
        assert mouth.words[0].stopped


def test_what_comes_to_nothing_leaves_the_conversation_as_it_was() -> None:
    with talking() as scene:
        assert scene.talk.show(lambda _session, _language: None) is None
        scene.until(lambda: scene.talk.phase == IDLE)
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert scene.talk.show(lambda _session, _language: None) is None
        scene.until(lambda: scene.talk.phase == LISTENING)
        assert scene.told("reply") == scene.told("error") == []


def test_what_fails_is_told_and_who_shows_it_does_not_wait_for_ever() -> None:
    with talking() as scene:
        scene.door.error = BackendFailed("detector: expected to run, got a broken one")
        assert scene.talk.show(shown(scene)) is None
        scene.until(lambda: scene.told("error"))
        scene.door.error = None
        assert scene.talk.show(shown(scene)) is not None


def test_whoever_leaves_while_it_is_read_leaves_nothing_behind() -> None:
    ended: list[str] = []
    with talking(end=ended.append) as scene:

        def answer(session: str | None, language: str) -> Reply:
            scene.talk.cancel()
            return shown(scene)(session, language)

        assert scene.talk.show(answer) is None
        assert ended == ["session-0001"]
        assert scene.told("reply") == []


def test_nobody_waits_for_a_conversation_that_has_ended() -> None:
    with talking() as scene:
        scene.sentences.append("一")
        scene.talk.listen(None, "zh")
        scene.until(lambda: scene.talk.phase == LISTENING)
        scene.ears.hear(SPEECH)
        scene.until(lambda: scene.told("partial"))
        found: list[object] = []
        beside = threading.Thread(target=lambda: found.append(scene.talk.show(shown(scene))))
        beside.start()
        assert scene.talk.show(shown(scene), lambda: True) is None
        scene.talk.close()
        beside.join(10)
        assert found == [None]
        assert scene.talk.show(shown(scene)) is None


class Heat:
    """Refuses sound while it is on."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self) -> None:
        if self.on:
            raise TooHot("the chip has to cool to 85 degrees first, got 96", retry_after=60)


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
