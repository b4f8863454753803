"""Frames of a sound: the same however it comes, and a ridge where a voice's pitch is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("kaldi_native_fbank")

from appliance.speech.ctc.bank import BANDS, SILENCE, Bank  # noqa: E402 - it needs that package
from appliance.speech.ctc.features import MELS  # noqa: E402
from appliance.speech.ctc.pitch import HIGHEST, LAGS, LOWEST, WINDOW, periodicity  # noqa: E402
from appliance.speech.resample import RATE  # noqa: E402

PITCHES = np.geomspace(HIGHEST, LOWEST, LAGS)
"""Pitch in Hz of every number of a frame's periodicity."""


def voice(pitch: float, seconds: float = 0.5, level: float = 0.1) -> np.ndarray:
    """A buzz of twenty harmonics."""
    at = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * pitch * n * at + n) / n for n in range(1, 21))
    return (level * wave).astype(np.float32)


@pytest.mark.parametrize("pieces", [1, 37, 400])
def test_frames_come_in_pieces_as_they_would_at_once(pieces: int) -> None:
    draw = np.random.default_rng(5)
    sound = np.concatenate([voice(pitch, 0.1) for pitch in (90, 220, 140)]) + 0.01 * draw.standard_normal(4800)
    sound = sound.astype(np.float32)
    at_once = np.stack(Bank()(sound))
    bank = Bank()
    found = [frame for part in np.array_split(sound, pieces) for frame in bank(part)]
    assert at_once.shape == ((len(sound) - 400) // 160 + 1, BANDS)
    assert np.array_equal(at_once, np.stack(found)), "to the last bit"


def test_silence_is_what_clips_are_padded_with() -> None:
    (first, *_) = Bank()(np.zeros(1600, np.float32))
    assert first == pytest.approx(SILENCE, abs=1e-3)


def test_nothing_gives_no_frame() -> None:
    assert Bank()(np.zeros(0, np.float32)) == []
    assert Bank()(np.zeros(399, np.float32)) == []


def ridges(sound: np.ndarray) -> np.ndarray:
    """Periodicity of every 10 ms, (frames, LAGS)."""
    return np.stack([periodicity(sound[at : at + WINDOW]) for at in range(0, len(sound) - WINDOW, 160)])


@pytest.mark.parametrize("pitch", [75.0, 98.0, 140.0, 220.0, 330.0])
@pytest.mark.parametrize("level", [0.003, 0.2])
def test_a_voice_is_a_ridge_at_its_pitch(pitch: float, level: float) -> None:
    frames = ridges(voice(pitch, level=level))
    times = pitch / PITCHES[frames.argmax(1)]
    assert np.median(frames.max(1)) > 0.8
    assert (abs(np.log2(times / np.rint(times))) < 1 / 10).all(), "or whole periods behind it"
    assert frames[:, np.abs(np.log2(PITCHES / pitch)).argmin()].min() > 0.7


def glide(begin: float, end: float, seconds: float = 0.4) -> np.ndarray:
    """A buzz whose pitch moves evenly, by the same interval in the same time."""
    at = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(begin * (end / begin) ** (at / seconds)) / RATE
    return (0.05 * sum(np.sin(n * phase + n) / n for n in range(1, 13))).astype(np.float32)


@pytest.mark.parametrize("pitch", [80.0, 130.0, 250.0])
@pytest.mark.parametrize("interval", [-5.0, 0.0, 5.0])
def test_where_a_pitch_goes_is_told_alike_at_every_height(pitch: float, interval: float) -> None:
    told = np.stack(Bank()(glide(pitch, pitch * 2 ** (interval / 12))))[8:-4, MELS:]
    voiced, _, change = told.T
    assert np.median(voiced) > 0.8
    # Semitones in 40 of 400 ms, over 2, as much as it is periodic.
    assert np.median(change / voiced) == pytest.approx(interval / 10 / 2, abs=0.06)
    assert abs(change).max() < 1


@pytest.mark.parametrize("pitch", [80.0, 130.0, 250.0])
@pytest.mark.parametrize("interval", [-4.0, 4.0])
def test_how_high_a_pitch_is_is_told_by_what_the_voice_did_before(pitch: float, interval: float) -> None:
    told = np.stack(Bank()(np.concatenate((voice(pitch, 0.6), voice(pitch * 2 ** (interval / 12), 0.2)))))[:, MELS:]
    before, after = told[10:55], told[64:76]
    assert abs(before[:, 1]).max() < 0.15
    assert np.median(after[:, 1] / after[:, 0]) == pytest.approx(interval / 4, abs=0.3)


def test_what_is_no_voice_has_no_level_and_goes_nowhere() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    frames = np.stack(Bank()(0.1 * noise))[5:, MELS:]
    assert np.median(frames[:, 0]) < 0.6
    hiss = np.stack(Bank()(np.float32(10 ** (-85 / 20)) * noise))[5:, MELS:]
    assert abs(hiss).max() < 0.2


def test_every_number_is_finite_and_bounded() -> None:
    draw = np.random.default_rng(2)
    for sound in (np.ones(WINDOW), draw.choice([-1.0, 1.0], WINDOW), np.eye(1, WINDOW, 3)[0], np.zeros(WINDOW)):
        found = periodicity(sound.astype(np.float32))
        assert found.shape == (LAGS,)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert (abs(found) <= 1).all()
