"""What speaks is found out once, said by its feature, and falls silent when it is closed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from appliance.app.mouth import LONGEST, SpokenWords, build_mouth
from appliance.errors import InvalidInput, Unavailable
from appliance.settings import Settings
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
