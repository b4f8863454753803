"""What speaks is found out once, said by its feature, and falls silent when it is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from appliance.app import mouth
from appliance.app.mouth import LONGEST, TEST, SpokenWords, build_mouth
from appliance.errors import InvalidInput, Unavailable
from appliance.settings import Settings
from appliance.speech.faults import Busy, SoundFault
from appliance.speech.playout import Playout
from appliance.speech.speaker import Speaker
from appliance.speech.tone import tone
from appliance.values import Audio

RATE = 22_050


class Hum:
    """A voice that hums a tenth of a second for each character."""

    def __init__(self, *languages: str, absent: bool = False) -> None:
        self.languages, self.absent, self.closed = languages, absent, False
        self.name = "hum:one"

    def probe(self) -> None:
        if self.absent:
            raise Unavailable("hum: expected a voice, got none", remedy=("请安装", "Install it"))

    def say(self, text: str, language: str) -> Audio:
        return Audio(np.full(len(text) * RATE // 10, 0.1, np.float32), RATE)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def probed(*voices: Hum) -> SpokenWords:
    words = SpokenWords(voices, None)
    words.probe()
    return words


def test_the_first_voice_of_a_language_speaks_it_faster_where_that_is_asked() -> None:
    words = probed(Hum(absent=True), Hum("zh", "en"))
    assert words.feature().state == "ready"
    assert words.feature().languages == ("zh", "en")
    assert words.feature().backend == "hum"
    usual, fast = words.render("你好你好你好", "zh"), words.render("你好你好你好", "zh", 2.0)
    assert fast.seconds == pytest.approx(usual.seconds / 2, rel=0.01)


def test_english_alone_is_less_than_what_is_wanted_and_chinese_says_why() -> None:
    words = probed(Hum("en"))
    assert words.feature().state == "fallback"
    assert "zh: " in words.feature().reason
    with pytest.raises(Unavailable, match="'zh'"):
        words.render("你好", "zh")


def test_nothing_speaks_and_what_to_do_is_said() -> None:
    words = probed(Hum("zh", absent=True))
    assert words.feature().state == "off"
    assert "请安装" in words.feature().reason
    assert "Install it" in words.feature().reason
    with pytest.raises(Unavailable):
        words.render("你好", "zh")


def test_a_voice_without_a_loudspeaker_is_not_audible() -> None:
    words = probed(Hum("zh"))
    assert not words.audible
    assert words.loudspeaker() == {}
    with pytest.raises(Unavailable, match="loudspeaker"):
        words.say("你好", "zh")


class FakeBoxes:
    """A stereo device that takes all at once; `heard` is what it played, frames by channels."""

    device, rate, channels, latency_s, underflows = "fake boxes", 48_000, 2, 0.005, 0

    def __init__(self, fault: SoundFault | None = None) -> None:
        self.fault = fault
        self.heard: list[np.ndarray] = []

    def open(self, name: str) -> FakeBoxes:
        if self.fault is not None:
            raise self.fault
        return self

    def start(self, playout: Playout, ended: Callable[[], None]) -> None:
        def run() -> None:
            more = True
            while more:
                out = np.empty((480, 2), np.float32)
                more = playout.fill(out)
                self.heard.append(out)
                time.sleep(0.0005)
            ended()

        threading.Thread(target=run, daemon=True).start()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("which, left, right", [("left", 1, 0), ("right", 0, 1), ("both", 1, 1), ("voice", 1, 1)])
def test_a_technician_hears_one_box_or_both_or_a_sentence(which: str, left: int, right: int) -> None:
    boxes = FakeBoxes()
    words = SpokenWords((Hum("zh", "en"),), Speaker("", 0.5, open=boxes.open))
    words.probe()
    done = words.test(which, "en")
    heard = np.concatenate(boxes.heard)
    assert [np.abs(heard[:, side]).max() > 0.04 for side in (0, 1)] == [left, right]
    assert done["played_s"] == (1.0 if which != "voice" else pytest.approx(len(TEST["en"]) / 10, abs=0.05))
    assert done["speaker"]["device"] == "fake boxes"  # type: ignore[index]


def test_a_box_that_cannot_be_heard_says_why() -> None:
    words = SpokenWords((Hum("zh"),), Speaker(open=FakeBoxes(Busy("boxes: taken")).open))
    with pytest.raises(Busy, match="taken"):
        words.test("left")
    with pytest.raises(Unavailable, match="loudspeaker") as caught:
        probed(Hum("zh")).test("left")
    assert "APPLIANCE_VOICE=push" in caught.value.remedy


def test_a_test_without_an_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mouth, "TEST_S", 0.2)
    words = SpokenWords((Hum("zh"),), speaker := Speaker(open=FakeBoxes().open))
    monkeypatch.setattr(mouth, "tone", lambda: tone(60.0))
    with pytest.raises(Unavailable, match=r"within 0.2 s"):
        words.test("both")
    words.close()
    assert speaker.state.state == "off"


def test_a_test_that_another_sound_breaks_off_was_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    words = SpokenWords((Hum("zh"),), speaker := Speaker(open=FakeBoxes().open))
    monkeypatch.setattr(mouth, "tone", lambda: tone(60.0))

    def interrupt() -> None:
        until = time.monotonic() + 10
        while speaker.state.state != "playing" and time.monotonic() < until:
            time.sleep(0.01)
        speaker.play(tone(0.05))

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(Unavailable, match="another sound in between"):
        words.test("left")
    other.join(10)
    words.close()


@pytest.mark.parametrize("text", ["", "好" * (LONGEST + 1)])
def test_how_much_is_said_at_once_is_bounded(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected 1 to"):
        probed(Hum("zh")).render(text, "zh")


def test_closing_closes_the_voices() -> None:
    voice = Hum("zh")
    words = probed(voice)
    words.close()
    assert voice.closed


def test_turned_off_by_the_setting() -> None:
    words = build_mouth(Settings(speech_engine="off"), (), lambda event, **fields: None)
    assert words.feature().state == "off"
    assert "speech_engine" in words.feature().reason


def test_espeak_ng_speaks_both_languages(espeak: str) -> None:
    made: list[dict[str, object]] = []
    words = build_mouth(Settings(), ("您好",), lambda event, **fields: made.append({event: fields}))
    try:
        assert words.feature().state in ("off", "ready")
        end = time.monotonic() + 60
        while not made and time.monotonic() < end:
            time.sleep(0.02)
        assert made == [{"speech.phrases": {"made": 1, "failed": 0}}], "what is said every day is ready"
        assert words.feature().state == "ready"
        assert words.feature().backend == "espeak-ng"
        for text, language in (("洗衣液在 B3 货架", "zh"), ("Aisle three", "en")):
            audio = words.render(text, language)
            assert audio.seconds > 0.4
            assert np.abs(audio.samples).max() > 0.05
    finally:
        words.close()
