"""Frames of a sound: the same however it comes, and a ridge where a voice's pitch is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("kaldi_native_fbank")

from appliance.speech.ctc.bank import BANDS, HISS_DB, SILENCE, Bank  # noqa: E402 - it needs that package
from appliance.speech.ctc.features import MELS  # noqa: E402
from appliance.speech.ctc.pitch import HIGHEST, LAGS, LOWEST, WINDOW, Tracker, periodicity  # noqa: E402
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


def test_digital_silence_sounds_like_a_sound_card() -> None:
    silent = np.stack(Bank()(np.zeros(RATE, np.float32)))
    hiss = np.random.default_rng(1).standard_normal(RATE).astype(np.float32) * 10 ** (HISS_DB / 20)
    twice = np.stack(Bank()(hiss.astype(np.float32)))
    heard = silent[:, :MELS].mean(0) > SILENCE[:MELS] + 1.5  # the lowest bands are narrower than what is told apart
    assert heard.sum() >= 40
    # As much hiss again is twice the power, the logarithm of which is 0.69.
    assert (twice[:, :MELS] - silent[:, :MELS])[:, heard].mean() == pytest.approx(np.log(2), abs=0.07)


def test_a_sound_in_pieces_has_the_same_hiss() -> None:
    pieces, bank = [], Bank()
    for count in (1, 399, 7000, 17_000, 5600):
        pieces += bank(np.zeros(count, np.float32))
    assert np.array_equal(np.stack(pieces), np.stack(Bank()(np.zeros(30_000, np.float32))))


def test_nothing_gives_no_frame() -> None:
    assert Bank()(np.zeros(0, np.float32)) == []
    assert Bank()(np.zeros(399, np.float32)) == []


def ridges(sound: np.ndarray) -> np.ndarray:
    """Periodicity of every 10 ms, (frames, LAGS)."""
    return np.stack([periodicity(sound[at : at + WINDOW])[0] for at in range(0, len(sound) - WINDOW, 160)])


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


def rumble(count: int, kind: str) -> np.ndarray:
    """What a room does below a voice, root mean square 1."""
    at = np.arange(count) / RATE
    if kind == "mains":
        wave = np.sin(2 * np.pi * 50 * at) + 0.1 * np.sin(2 * np.pi * 100 * at)
    else:
        wave = np.cumsum(np.random.default_rng(6).standard_normal(count))
        wave -= np.linspace(wave[0], wave[-1], count)
    return (wave / np.sqrt(np.mean(wave**2))).astype(np.float32)


@pytest.mark.parametrize("kind", ["mains", "brown"])
@pytest.mark.parametrize("below_db", [15, 30])
def test_a_steady_voice_stays_level_over_what_rumbles_between_its_words(kind: str, below_db: int) -> None:
    word = voice(120, 0.25)
    pause = np.zeros(RATE // 2, np.float32)
    sound = np.concatenate((pause, word, pause, word, pause, word, pause))
    level = np.sqrt(np.mean(word**2)) * 10 ** (-below_db / 20)
    told = np.stack(Bank()(sound + np.float32(level) * rumble(len(sound), kind)))[:, MELS:]
    spoken = [part for begin in (0.56, 1.31, 2.06) for part in told[round(begin * 100) : round(begin * 100) + 12]]
    assert np.median(np.array(spoken)[:, 0]) > 0.7
    assert abs(np.array(spoken)[:, 1:]).max() < 0.2, "less than a semitone"


def test_what_is_no_voice_has_no_pitch() -> None:
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    assert np.median(np.stack(Bank()(0.1 * noise))[5:, MELS]) < 0.6
    hiss = np.stack(Bank()(np.float32(10 ** (-85 / 20)) * noise))[5:, MELS:]
    assert abs(hiss).max() < 0.2
    assert not np.stack(Bank()(np.full(RATE, 0.3, np.float32)))[8:, MELS:].any(), "an offset"


def test_a_voice_is_forgotten_in_a_long_silence() -> None:
    tracker = Tracker()
    ridge = np.zeros(LAGS, np.float32)
    ridge[20:23] = 0.5, 0.9, 0.5
    for _ in range(50):
        tracker(ridge, 0.1)
    assert tracker(np.roll(ridge, 4), 0.1)[1] < -0.3
    for _ in range(30 * 100):
        assert not tracker(np.zeros(LAGS, np.float32), 0.0)[0]
    assert tracker(np.roll(ridge, -9), 0.1)[1] == 0, "nothing to compare with"


@pytest.mark.parametrize("kind", ["noise", "clipped", "offset", "steps", "nothing", "clicks"])
def test_whatever_is_heard_is_told_in_bounds(kind: str) -> None:
    draw = np.random.default_rng(3)
    noise = draw.standard_normal(2 * RATE).astype(np.float32)
    sound = {
        "noise": noise,
        "clipped": np.sign(noise),
        "offset": np.ones(2 * RATE, np.float32),
        "steps": np.repeat(draw.choice([-1.0, 1.0], 200), 160).astype(np.float32),
        "nothing": np.zeros(2 * RATE, np.float32),
        "clicks": (draw.random(2 * RATE) < 1e-3).astype(np.float32),
    }[kind]
    told = np.stack(Bank()(sound))[:, MELS:]
    assert np.isfinite(told).all()
    assert (abs(told) <= (1, 2, 3)).all()


def test_every_number_is_finite_and_bounded() -> None:
    draw = np.random.default_rng(2)
    for sound in (np.ones(WINDOW), draw.choice([-1.0, 1.0], WINDOW), np.eye(1, WINDOW, 3)[0], np.zeros(WINDOW)):
        found, power = periodicity(sound.astype(np.float32))
        assert found.shape == (LAGS,)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert (abs(found) <= 1).all()
        assert 0 <= power < 2
