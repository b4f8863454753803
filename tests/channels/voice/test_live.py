"""Streams of sound: places, lengths, ends."""

from __future__ import annotations

import numpy as np
import pytest
from fake_door import FakeUtterances

from appliance.channels.voice.live import IDLE_S, Live
from appliance.errors import InvalidInput, NotFound, Overloaded, TooHot, Unavailable
from appliance.speech.listen import Partial

SECOND = np.full(16_000, 0.1, np.float32)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def live(places: int = 2, longest_s: float = 10.0, clock: Clock | None = None) -> tuple[Live, list[FakeUtterances]]:
    made: list[FakeUtterances] = []

    def hear(_language: str) -> FakeUtterances:
        made.append(FakeUtterances())
        return made[-1]

    return Live(hear, places, longest_s=longest_s, clock=clock or Clock()), made


def test_words_come_back_piece_by_piece_and_all_of_them_at_the_end() -> None:
    streams, made = live()
    name = streams.open("zh")
    assert streams.feed(name, SECOND) == [Partial("洗衣", 1.0)]
    assert streams.feed(name, SECOND) == [Partial("洗衣液在", 2.0)]
    (heard,) = streams.finish(name)
    assert heard.text == "洗衣液在"
    assert made[0].closed
    with pytest.raises(NotFound):
        streams.feed(name, SECOND)
    with pytest.raises(NotFound):
        streams.finish(name)


def test_sound_at_another_rate_is_brought_to_16_kHz_and_none_is_lost() -> None:
    streams, made = live()
    name = streams.open("zh")
    for _ in range(10):
        streams.feed(name, np.full(4800, 0.1, np.float32), 48_000)
    streams.finish(name)
    assert abs(sum(map(len, made[0].sound)) - 16_000) <= 2
    name = streams.open("zh")
    streams.feed(name, SECOND, 48_000)
    with pytest.raises(InvalidInput, match="expected 48000 samples per second as before, got 16000"):
        streams.feed(name, SECOND, 16_000)


def test_places_are_bounded_and_come_free_again() -> None:
    streams, _ = live(places=2)
    first, second = streams.open("zh"), streams.open("zh")
    assert first != second
    with pytest.raises(Overloaded):
        streams.open("zh")
    assert streams.close(first)
    assert not streams.close(first)
    streams.finish(second)
    streams.open("zh")
    streams.open("zh")


def test_a_stream_that_nobody_feeds_gives_its_place_back() -> None:
    clock = Clock()
    streams, made = live(places=1, clock=clock)
    name = streams.open("zh")
    clock.now += IDLE_S + 1
    streams.sweep()
    assert made[0].closed
    with pytest.raises(NotFound):
        streams.feed(name, SECOND)
    streams.open("zh")


def test_too_much_sound_is_refused_and_what_was_heard_can_still_be_answered() -> None:
    streams, _ = live(longest_s=2.0)
    name = streams.open("zh")
    streams.feed(name, SECOND)
    with pytest.raises(InvalidInput, match="at most 2 s"):
        streams.feed(name, np.concatenate([SECOND, SECOND]))
    assert streams.finish(name)[0].text == "洗衣"


def test_a_place_is_not_lost_when_nothing_hears_the_language() -> None:
    def deaf(language: str) -> FakeUtterances:
        raise Unavailable(f"nothing hears {language}")

    streams = Live(deaf, 1, longest_s=10.0)
    for _ in range(3):
        with pytest.raises(Unavailable):
            streams.open("en")


def test_no_places_at_all_is_no_matter_of_waiting() -> None:
    streams, _ = live(places=0)
    with pytest.raises(NotFound, match="audio_streams=0"):
        streams.open("zh")


def test_while_no_sound_is_taken_none_is_and_what_was_heard_is_not_lost() -> None:
    hot: list[TooHot] = []

    def allowed() -> None:
        for error in hot:
            raise error

    streams = Live(lambda _language: FakeUtterances(), 2, longest_s=10.0, allowed=allowed)
    name = streams.open("zh")
    streams.feed(name, SECOND)
    hot.append(TooHot("the chip has to cool", retry_after=60))
    with pytest.raises(TooHot):
        streams.feed(name, SECOND)
    with pytest.raises(TooHot):
        streams.open("zh")
    (heard,) = streams.finish(name)
    assert heard.text
    hot.clear()
    streams.feed(streams.open("zh"), SECOND)
