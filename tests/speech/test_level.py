"""Level and rumble: what is too quiet is raised, hum and offset go, and nothing moves in time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sounds import not_speech, spoken, tone

from appliance.errors import InvalidInput
from appliance.speech.level import MOST_GAIN, RUMBLE_HZ, TARGET, levelled, loudness
from appliance.speech.resample import RATE, to_16k
from appliance.speech.vad import Vad
from appliance.speech.wav import decode
from appliance.values import Audio


def audio(samples: np.ndarray) -> Audio:
    return Audio(samples.astype(np.float32), RATE)


def stored(samples: np.ndarray) -> Audio:
    """As a 16-bit recorder keeps it: rounded and clipped."""
    return audio(np.rint(np.clip(samples, -1, 1) * 32767) / 32767)


def gain_at(pitch: float) -> float:
    """What becomes of a tone of `pitch` beside one of 1000 Hz, in dB."""
    seconds = 3.0
    both = tone(RATE, seconds, pitch=pitch, level=0.1) + tone(RATE, seconds, pitch=1000, level=0.1)
    spectrum = np.abs(np.fft.rfft(levelled(audio(both)).samples[RATE : 2 * RATE]))
    return float(20 * np.log10(spectrum[round(pitch)] / spectrum[1000]))


@pytest.mark.parametrize("pitch", [80, 100, 200, 3000, 7900])
def test_what_speech_is_made_of_passes(pitch: float) -> None:
    assert abs(gain_at(pitch)) < 0.2


def test_hum_is_taken_away() -> None:
    assert gain_at(50) < -20
    assert gain_at(25) < -50
    assert gain_at(RUMBLE_HZ) == pytest.approx(-6, abs=0.5)


@pytest.mark.parametrize("level", [0.005, 0.05, 0.1, 0.7])
def test_the_loud_part_is_brought_to_level(level: float) -> None:
    result = levelled(audio(tone(RATE, 1.0, level=level)))
    assert loudness(result.samples) == pytest.approx(TARGET, rel=0.01)


def test_amplification_has_an_end_and_silence_stays_silence() -> None:
    faint = tone(RATE, 1.0, level=1e-5)
    assert loudness(levelled(audio(faint)).samples) == pytest.approx(1e-5 * MOST_GAIN / 2**0.5, rel=0.02)
    assert not levelled(audio(np.zeros(RATE))).samples.any()


def test_taps_on_the_screen_do_not_decide_the_level() -> None:
    quiet = np.concatenate([np.zeros(RATE), tone(RATE, 0.5, level=0.01), np.zeros(RATE)])
    tapped = quiet.copy()
    tapped[100:900] += tone(RATE, 0.05, pitch=300, level=0.9)
    tapped[-900:-100] += tone(RATE, 0.05, pitch=300, level=0.9)
    ratio = loudness(levelled(audio(tapped)).samples) / loudness(levelled(audio(quiet)).samples)
    assert ratio == pytest.approx(1, rel=0.02)
    assert np.abs(levelled(audio(tapped)).samples).max() <= 1


@pytest.mark.parametrize("offset", [-0.5, 0.2, 0.9])
def test_an_offset_goes_without_a_step_at_the_ends(offset: float) -> None:
    sound = 0.05 * tone(RATE, 1.0)
    without = levelled(audio(sound)).samples
    np.testing.assert_allclose(levelled(audio(sound + offset)).samples, without, atol=2e-3)


@pytest.mark.parametrize("length", [1, 2, 511, 512, 800, 1601, 31_167, 31_168, 31_169, 100_000])
def test_nothing_moves_and_nothing_is_lost(length: int) -> None:
    rng = np.random.default_rng(length)
    sound = 0.1 * rng.standard_normal(length)
    result = levelled(audio(sound)).samples
    assert result.shape == (length,)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    if length > 2000:  # broadband noise hardly loses anything, so that it must still lie on itself, sample by sample
        gain = float(result @ sound / (sound @ sound))
        assert np.std(result - gain * sound) < 0.15 * np.std(result)


def test_pieces_of_the_filter_join() -> None:
    sound = tone(RATE, 5.0, pitch=440, level=0.1)
    result = levelled(audio(sound)).samples
    expected = sound / loudness(sound.astype(np.float32)) * TARGET
    np.testing.assert_allclose(result[2000:-2000], expected[2000:-2000], atol=2e-3)


def test_no_sound_at_all_and_another_rate() -> None:
    assert len(levelled(audio(np.zeros(0))).samples) == 0
    assert loudness(np.zeros(0, np.float32)) == 0
    with pytest.raises(InvalidInput, match="expected 16000 samples per second, got 8000"):
        levelled(Audio(np.zeros(8, np.float32), 8000))


def test_it_takes_little_beside_its_result() -> None:
    sound = audio(np.zeros(RATE * 120))
    tracemalloc.start()
    result = levelled(sound)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < result.samples.nbytes + 3_000_000


# From here on with the real network: what levelling is for.


@pytest.fixture(scope="module")
def said(espeak: str) -> np.ndarray:
    """A sentence at the level of AISHELL-1 (-28 dB), one second of a quiet room before and behind it."""
    voice = spoken(espeak, "qing3 wen4 xi3 yi1 ye4 zai4 na3 li3")
    samples = to_16k(decode(voice, max_seconds=60, max_bytes=1 << 25)).samples
    room = np.zeros(RATE)
    sound = np.concatenate([room, 0.04 * samples / loudness(samples), room])
    return sound + 1e-4 * np.random.default_rng(4).standard_normal(len(sound))


def covered(vad: Vad, sound: Audio) -> float:
    """Share of the sentence that lies in segments."""
    inside = np.zeros(len(sound.samples), bool)
    for segment in vad.segments(levelled(sound)):
        inside[round(segment.start * RATE) : round(segment.end * RATE)] = True
    return float(inside[RATE + 1600 : -RATE - 3200].mean())  # espeak-ng begins and ends with some silence


HUM = tone(RATE, 60, pitch=50, level=0.5) + tone(RATE, 60, pitch=150, level=0.02)
BAD = {
    "as it is": lambda x: x,
    "30 dB too quiet": lambda x: 0.0316 * x,
    "40 dB too quiet": lambda x: 0.01 * x,
    "50 dB too quiet": lambda x: 0.00316 * x,
    "clipped": lambda x: 30 * x,
    "square": lambda x: 300 * x,
    "offset": lambda x: x + 0.8,
    "hum": lambda x: x + HUM[: len(x)],
    "quiet with hum": lambda x: 0.05 * x + 0.02 * HUM[: len(x)],
}


@pytest.mark.parametrize("name", BAD)
def test_badly_recorded_speech_is_found_whole(vad: Vad, said: np.ndarray, name: str) -> None:
    assert covered(vad, stored(BAD[name](said))) > 0.95


def test_without_it_quiet_speech_would_be_lost(vad: Vad, said: np.ndarray) -> None:
    assert vad.segments(stored(BAD["40 dB too quiet"](said))) == (), "then this room needs no levelling"


@pytest.mark.parametrize("level", [0.0003, 0.003, 0.03, 0.3])
@pytest.mark.parametrize("name", not_speech())
def test_raised_noise_is_no_speech(vad: Vad, name: str, level: float) -> None:
    sound = not_speech()[name]
    at_level = stored(sound * (level / max(float(np.abs(sound).max()), 1e-9)))
    assert vad.segments(levelled(at_level)) == ()
