"""Distortions: the same for a seed, as loud and as noisy as they say, and no longer than before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from appliance.speech.ctc.bank import BANDS
from appliance.speech.ctc.features import MELS
from export.train.asr import distort
from export.train.asr.distort import CLEAN, COUNTER, RATE, USUAL

SPOKEN = (0.3 * np.sin(2 * np.pi * 300 * np.arange(22050) / 22050)).astype(np.float32)


def draw(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def level(wave: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(wave**2))))


def test_a_seed_gives_the_same_sound_and_another_one_another() -> None:
    wave = distort.placed(SPOKEN, draw(), USUAL)
    heard = [distort.distorted(wave, draw(seed), USUAL, [wave]) for seed in (1, 1, 2)]
    assert np.array_equal(heard[0], heard[1])
    assert not np.array_equal(heard[0], heard[2])


@pytest.mark.parametrize("chances", [USUAL, CLEAN, COUNTER])
def test_what_comes_out_is_sound(chances: distort.Chances) -> None:
    for seed in range(30):
        rng = draw(seed)
        wave = distort.placed(SPOKEN, rng, chances)
        heard = distort.distorted(wave, rng, chances, [wave])
        assert heard.shape == wave.shape
        assert heard.dtype == np.float32
        assert np.isfinite(heard).all()
        assert np.abs(heard).max() <= 1
        assert 1.1 < len(wave) / RATE < 2.1


def test_clean_speech_has_its_level_and_silence_around() -> None:
    wave = distort.placed(SPOKEN, draw(), CLEAN)
    heard = distort.distorted(wave, draw(), CLEAN)
    assert np.abs(wave[:1600]).max() == 0
    assert level(heard[np.abs(wave) > 0.01]) == pytest.approx(-20, abs=1)
    assert level(heard[:1600]) < -60


def test_noise_is_as_far_below_as_was_asked() -> None:
    just = replace(CLEAN, noise=1, quietest=10, loudest=10)
    wave = distort.placed(SPOKEN, draw(), CLEAN)
    heard = distort.distorted(wave, draw(3), just)
    speech, silence = heard[RATE // 2 : RATE], heard[:1500]
    assert level(speech) - level(silence) == pytest.approx(10, abs=4)


@pytest.mark.parametrize("colour, exponent", distort.COLOURS.items())
def test_colours(colour: str, exponent: float) -> None:
    power = np.abs(np.fft.rfft(distort.coloured(draw(), 1 << 16, exponent))) ** 2
    low, high = power[500:1000].mean(), power[8000:16000].mean()
    assert np.log2(low / high) == pytest.approx(4 * exponent, abs=0.3), colour
    for seconds in (0.5, 4):
        wave = distort.coloured(draw(), round(seconds * RATE), exponent)
        assert np.sqrt(np.mean(wave**2)) == pytest.approx(1, abs=1e-3), "as loud as any other"


def test_a_line_leaves_nothing_above_its_band() -> None:
    wave = draw().standard_normal(RATE).astype(np.float32)
    heard = distort.through_line(np.random.default_rng(4), wave)
    assert heard.shape == wave.shape
    assert level(heard) < level(wave) - 0.5


def test_a_room_keeps_length_and_adds_a_tail() -> None:
    click = np.zeros(RATE, np.float32)
    click[100] = 1
    heard = distort.convolved(click, distort.room(draw()))
    assert heard.shape == click.shape
    assert heard[100] == pytest.approx(1, abs=0.6)
    assert np.abs(heard[:100]).max() < 1e-5
    assert np.abs(heard[164:1000]).max() > 0.001


def test_masks_cover_some_and_never_all() -> None:
    fill = np.full(BANDS, 9.0, np.float32)
    shares, seen = [], np.zeros(MELS, bool)
    for seed in range(300):
        features = np.zeros((200, BANDS), np.float32)
        distort.masked(features, draw(seed), fill)
        shares.append(float((features == 9).mean()))
        covered = (features == 9).all(1)
        assert (features[~covered][:, MELS:] == 0).all(), "no band of theirs alone"
        seen |= (features[~covered] == 9).any(0)[:MELS]
    assert 0.05 < np.mean(shares) < 0.4
    assert max(shares) < 0.6
    assert seen.all(), "the first and the last, too"
    tiny = np.zeros((1, BANDS), np.float32)
    distort.masked(tiny, draw(), fill)
