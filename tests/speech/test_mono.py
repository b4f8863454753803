"""Many channels to one, and any rate to 16 kHz, piece by piece."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.speech.mono import Mixer, Resampler
from appliance.speech.resample import RATE, to_16k
from appliance.values import Audio
from tests.speech.sounds import tone

FROM = 48_000


def mixed(*channels: np.ndarray, step: int = 480) -> np.ndarray:
    frames = np.stack(channels, axis=1).astype(np.float32)
    mixer = Mixer(FROM, len(channels))
    pieces = [mixer.mix(frames[first : first + step].reshape(-1)) for first in range(0, len(frames), step)]
    return np.concatenate(pieces)


def test_one_channel_and_equal_ones_stay_exactly_as_they_are() -> None:
    sound = (0.3 * np.random.default_rng(1).standard_normal(FROM)).astype(np.float32)
    assert np.array_equal(mixed(sound), sound)
    assert np.array_equal(mixed(sound, sound), sound)


def test_channels_that_differ_are_averaged() -> None:
    left, right = 0.1 * np.random.default_rng(2).standard_normal((2, FROM))
    assert mixed(left, right) == pytest.approx((left + right) / 2, abs=1e-6)


@pytest.mark.parametrize("other", ["dead", "opposite", "offset"])
def test_a_channel_that_their_mean_would_lose_stands_alone(other: str) -> None:
    sound = tone(FROM, 3)
    beside = {"dead": np.zeros_like(sound), "opposite": -sound, "offset": np.full_like(sound, 0.5)}[other]
    late = mixed(beside, sound)[FROM:]
    level = np.sqrt(np.mean((late - late.mean()) ** 2))
    assert level == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_all_count_again_when_they_agree_again_and_no_change_clicks() -> None:
    sound = tone(FROM, 12)
    dead = np.where(np.arange(len(sound)) < 3 * FROM, 0.0, sound)
    heard = mixed(sound, dead)
    assert heard[-FROM:] == pytest.approx(sound[-FROM:], abs=1e-6)
    assert np.abs(np.diff(heard)).max() <= 1.1 * np.abs(np.diff(sound)).max()


def test_silence_decides_nothing() -> None:
    assert not mixed(np.zeros(FROM), np.zeros(FROM)).any()
    assert len(Mixer(FROM, 2).mix(np.zeros(0, np.float32))) == 0


@pytest.mark.parametrize("rate", [8_000, 32_000, 44_100, 48_000, 96_000])
def test_in_pieces_as_in_one(rate: int) -> None:
    sound = (0.2 * np.random.default_rng(rate).standard_normal(2 * rate)).astype(np.float32)
    resampler = Resampler(rate)
    pieces = [resampler.feed(sound[first : first + 777]) for first in range(0, len(sound), 777)]
    pieces.append(resampler.feed(np.zeros(0, np.float32), last=True))
    heard = np.concatenate(pieces)
    whole = to_16k(Audio(sound, rate)).samples
    assert heard.dtype == np.float32
    assert abs(len(heard) - len(whole)) <= 1
    shared = min(len(heard), len(whole))
    assert heard[:shared] == pytest.approx(whole[:shared], abs=1e-4)


def test_16_khz_stays_exactly_as_it_is_and_overshoot_is_clipped() -> None:
    sound = np.random.default_rng(9).uniform(-1, 1, RATE).astype(np.float32)
    assert np.array_equal(Resampler(RATE).feed(sound), sound)
    square = np.sign(tone(FROM, 1, pitch=200)).astype(np.float32)
    assert np.abs(Resampler(FROM).feed(square)).max() == 1.0
