"""Resampling keeps what is below 8 kHz and removes what is above."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import tone

from appliance.speech.resample import RATE, to_16k
from appliance.values import Audio


def audio(samples: np.ndarray, rate: int) -> Audio:
    return Audio(samples.astype(np.float32), rate)


def test_sound_at_16_khz_is_left_alone() -> None:
    sound = audio(tone(RATE, 0.1), RATE)
    assert to_16k(sound) is sound


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000, 96000])
def test_a_tone_stays_the_same_tone(rate: int) -> None:
    result = to_16k(audio(tone(rate, 1.0), rate))
    assert result.rate == RATE
    assert result.samples.dtype == np.float32
    assert abs(len(result.samples) - RATE) <= 1
    middle = slice(2000, -2000)  # the ends ring, as the tone begins and ends abruptly
    error = (result.samples[:RATE] - tone(RATE, 1.0)[: len(result.samples)])[middle]
    assert np.abs(error).max() < 1e-3


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_what_16_khz_cannot_hold_is_removed(rate: int) -> None:
    result = to_16k(audio(tone(rate, 1.0, pitch=9500), rate)).samples[2000:-2000]
    assert np.abs(result).max() < 1e-4


def test_full_scale_edges_stay_in_range() -> None:
    square = np.sign(tone(48000, 0.5, pitch=313))
    assert np.abs(to_16k(audio(square, 48000)).samples).max() <= 1.0


@pytest.mark.parametrize("length", [0, 1, 2, 100])
def test_hardly_any_samples(length: int) -> None:
    result = to_16k(audio(np.full(length, 0.5), 48000)).samples
    assert abs(len(result) - length / 3) <= 1
    assert np.isfinite(result).all()


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("at", [0.001, 0.5, 29.9])
def test_nothing_moves_in_time(rate: int, at: float) -> None:
    """Word times are those of the recording: a click stays where it was, at the end of half a minute too."""
    samples = np.zeros(rate * 30)
    samples[round(at * rate)] = 0.9
    result = to_16k(audio(samples, rate)).samples
    assert len(result) == RATE * 30
    assert np.argmax(np.abs(result)) / RATE == pytest.approx(round(at * rate) / rate, abs=0.6 / RATE)
