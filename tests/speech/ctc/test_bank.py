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


@pytest.mark.parametrize("pitch", [75.0, 98.0, 140.0, 220.0, 330.0])
@pytest.mark.parametrize("level", [0.003, 0.2])
def test_a_voice_is_a_ridge_at_its_pitch(pitch: float, level: float) -> None:
    frames = np.stack(Bank()(voice(pitch, level=level)))[5:, MELS:]
    best = PITCHES[frames.argmax(1)]
    assert np.median(frames.max(1)) > 0.8
    assert (np.minimum(abs(np.log2(best / pitch)), abs(np.log2(2 * best / pitch))) < 1 / 10).all(), "or an octave below"
    assert frames[:, np.abs(np.log2(PITCHES / pitch)).argmin()].min() > 0.7


def test_a_rising_voice_and_a_falling_one_differ() -> None:
    at = np.arange(RATE // 2) / RATE
    rising = (0.1 * np.sign(np.sin(2 * np.pi * (120 * at + 100 * at**2)))).astype(np.float32)
    frames = [np.stack(Bank()(sound))[5:, MELS:] for sound in (rising, rising[::-1].copy())]
    tracks = [(each > 0.9 * each.max(1, keepdims=True)).argmax(1) for each in frames]  # the shortest good period
    assert tracks[0][0] - tracks[0][-1] >= 8, "semitones up, to shorter periods"
    assert tracks[1][-1] - tracks[1][0] >= 8


def test_noise_has_no_ridge_and_faint_hiss_none_at_all() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    frames = np.stack(Bank()(0.1 * noise))[5:, MELS:]
    assert np.median(frames.max(1)) < 0.7
    hiss = np.stack(Bank()(np.float32(10 ** (-85 / 20)) * noise))[5:, MELS:]
    assert abs(hiss).max() < 0.1


def test_every_number_is_finite_and_bounded() -> None:
    draw = np.random.default_rng(2)
    for sound in (np.ones(WINDOW), draw.choice([-1.0, 1.0], WINDOW), np.eye(1, WINDOW, 3)[0], np.zeros(WINDOW)):
        found = periodicity(sound.astype(np.float32))
        assert found.shape == (LAGS,)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert (abs(found) <= 1).all()
