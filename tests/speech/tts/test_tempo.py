"""Faster and slower speech has the length that was asked for, and the pitch that it had."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.errors import InvalidInput
from appliance.speech.tts.tempo import at_pace
from appliance.values import Audio

RATE = 22_050


def tone(pitch: float, seconds: float = 2.0) -> Audio:
    at = np.arange(round(RATE * seconds)) / RATE
    return Audio((0.5 * np.sin(2 * np.pi * pitch * at)).astype(np.float32), RATE)


def pitch_of(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(np.argmax(spectrum) * audio.rate / len(audio.samples))


@pytest.mark.parametrize("pace", [0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
@pytest.mark.parametrize("pitch", [110.0, 220.0, 440.0])
def test_length_and_pitch(pace: float, pitch: float) -> None:
    made = at_pace(tone(pitch), pace)
    assert len(made.samples) == round(len(tone(pitch).samples) / pace)
    assert made.samples.dtype == np.float32
    assert pitch_of(made) == pytest.approx(pitch, abs=5)
    middle = made.samples[len(made.samples) // 4 : -len(made.samples) // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.1), "windows add up, nothing swells"


def test_words_keep_their_order() -> None:
    both = np.concatenate([tone(300.0, 1.0).samples, tone(900.0, 1.0).samples])
    made = at_pace(Audio(both, RATE), 2.0).samples
    first, second = made[: len(made) // 2 - 500], made[len(made) // 2 + 500 :]
    assert pitch_of(Audio(first, RATE)) == pytest.approx(300, abs=8)
    assert pitch_of(Audio(second, RATE)) == pytest.approx(900, abs=8)


def test_the_usual_pace_changes_nothing_and_nonsense_is_refused() -> None:
    audio = tone(220.0)
    assert at_pace(audio, 1.0) is audio
    assert at_pace(Audio(np.zeros(10, np.float32), RATE), 2.0).samples.shape == (10,)
    for pace in (0.0, 0.2, 5.0, float("nan")):
        with pytest.raises(InvalidInput, match="speed: expected"):
            at_pace(audio, pace)
