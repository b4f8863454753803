"""The queue between whoever makes sound and the device that plays it; sounds of any rate brought to one."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from appliance.errors import InvalidInput
from appliance.speech.playout import Converter, Playing, Playout, checked_sound
from appliance.values import Audio

RATE = 16_000


def taken(playout: Playout, frames: int = 160, most: int = 10_000) -> np.ndarray:
    """All that it plays, until it says that it is over."""
    blocks = []
    for _ in range(most):
        out = np.full((frames, 2), 9, np.float32)
        more = playout.fill(out)
        np.testing.assert_array_equal(out[:, 0], out[:, 1])
        blocks.append(out[:, 0])
        if not more:
            return np.concatenate(blocks)
    raise AssertionError("it never ends")


def test_what_is_put_is_played_in_order() -> None:
    playout = Playout(RATE, 1.0)
    sound = np.random.default_rng(3).uniform(-1, 1, 5000).astype(np.float32)
    for part in np.split(sound, [7, 100, 101, 3000]):
        assert playout.put(part)
    assert playout.put(sound[:0])
    playout.end()
    heard = taken(playout)
    np.testing.assert_array_equal(heard[:5000], sound)
    assert not heard[5000:].any()
    assert (playout.played, playout.gaps, playout.over) == (5000, 0, True)
    assert playout.seconds == 5000 / RATE


def test_volume() -> None:
    playout = Playout(RATE, 0.5)
    playout.put(np.ones(3200, np.float32))
    playout.end()
    out = np.empty((1600, 1), np.float32)
    playout.fill(out)
    np.testing.assert_allclose(out, 0.5)
    playout.volume = 0.0
    playout.fill(out)
    assert np.abs(np.diff(out[:, 0])).max() < 0.01, "a ramp, no jump"
    assert out[-1, 0] == 0
    assert playout.volume == 0.0


@pytest.mark.parametrize("side, sounding", [("both", [0, 1, 2, 3]), ("left", [0]), ("right", [1])])
def test_one_side_sounds_alone(side: str, sounding: list[int]) -> None:
    playout = Playout(RATE, 1.0, side)
    playout.put(np.ones(160, np.float32))
    playout.end()
    out = np.full((160, 4), 9, np.float32)
    playout.fill(out)
    for channel in range(4):
        assert (out[:, channel] == (channel in sounding)).all()


def test_a_device_with_one_channel_plays_either_side() -> None:
    playout = Playout(RATE, 1.0, "right")
    playout.put(np.ones(160, np.float32))
    playout.end()
    out = np.empty((160, 1), np.float32)
    playout.fill(out)
    assert (out == 1).all()


def test_a_stop_fades_out_and_ends() -> None:
    playout = Playout(RATE, 1.0)
    playout.put(np.ones(RATE, np.float32))
    out = np.empty((80, 1), np.float32)
    assert playout.fill(out)
    playout.stop()
    heard = taken(playout, frames=80)
    assert len(heard) <= 0.02 * RATE
    assert heard[0] > 0.9
    assert np.abs(np.diff(heard)).max() < 0.02
    assert heard[-1] == 0
    assert not playout.put(np.ones(10, np.float32)), "what follows is not taken"


def test_a_gap_is_silence_and_counted() -> None:
    playout = Playout(RATE, 1.0)
    out = np.empty((160, 1), np.float32)
    assert playout.fill(out)
    assert playout.gaps == 0, "before the first sound there is none"
    playout.put(np.ones(100, np.float32))
    assert playout.fill(out)
    assert playout.fill(out)
    assert playout.gaps == 60 + 160
    playout.end()
    assert not playout.fill(out)


def test_a_full_queue_waits_until_there_is_room() -> None:
    playout = Playout(RATE, 1.0)
    playout.put(np.ones(1000, np.float32), most_s=0.05)
    entered = threading.Event()

    def put() -> None:
        playout.put(np.ones(10, np.float32), most_s=0.05)
        entered.set()

    thread = threading.Thread(target=put)
    thread.start()
    assert not entered.wait(0.1)
    playout.fill(np.empty((400, 1), np.float32))
    assert entered.wait(10)
    thread.join()
    waiting = threading.Thread(target=playout.put, args=(np.ones(10, np.float32),), kwargs={"most_s": 0.0})
    waiting.start()
    playout.stop()
    waiting.join(10)
    assert not waiting.is_alive(), "a stop lets it go"


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_conversion_in_pieces_is_the_conversion_of_the_whole(rate: int) -> None:
    import soxr

    at = np.arange(rate) / rate
    sound = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    converter = Converter(44_100)
    parts = [converter.feed(Audio(part, rate)) for part in np.split(sound, [5, 1000, 1001, rate // 2])]
    heard = np.concatenate([*parts, converter.rest()])
    assert abs(len(heard) - 44_100) <= 2
    whole = soxr.resample(sound, rate, 44_100) if rate != 44_100 else sound
    np.testing.assert_allclose(heard[200:-200], whole[200 : len(heard) - 200], atol=1e-3)


def test_sounds_of_several_rates() -> None:
    converter = Converter(16_000)
    parts = [converter.feed(Audio(np.full(rate, 0.5, np.float32), rate)) for rate in (22_050, 16_000, 22_050, 48_000)]
    heard = np.concatenate([*parts, converter.rest()])
    assert abs(len(heard) - 4 * 16_000) <= 6
    assert len(converter.rest()) == 0


def test_what_is_no_sound() -> None:
    for audio in (
        Audio(np.zeros((2, 3), np.float32), 16_000),
        Audio(np.zeros(3, np.int16), 16_000),  # type: ignore[arg-type]
        Audio(np.float32([0, np.nan]), 16_000),
        Audio(np.zeros(3, np.float32), 12),
    ):
        with pytest.raises(InvalidInput):
            checked_sound(audio)
    assert checked_sound(Audio(np.array([2.0, -2.0]), 16_000)).samples.tolist() == [1, -1]  # type: ignore[arg-type]


def test_a_playing_that_never_began() -> None:
    playing = Playing()
    assert (playing.done, playing.stopped, playing.played_s) == (False, False, 0.0)
    assert not playing.wait(0.01)
    playing.stop()
    playing.stop()
    assert playing.stopped
    playing.end()
    assert playing.wait(0)
