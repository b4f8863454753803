"""The tone that a technician hears."""

from __future__ import annotations

import numpy as np
import pytest

from appliance.speech.tone import HZ, LEVEL, RATE, tone


def test_it_is_a_sine_of_its_length_and_height_without_a_click() -> None:
    audio = tone(0.5)
    assert (audio.rate, audio.seconds, audio.samples.dtype) == (RATE, 0.5, np.float32)
    assert np.abs(audio.samples).max() == pytest.approx(LEVEL, abs=0.01)
    spectrum = np.abs(np.fft.rfft(audio.samples))
    assert np.argmax(spectrum) * RATE / len(audio.samples) == pytest.approx(HZ, abs=2)
    assert np.abs(audio.samples[[0, -1]]).max() < 0.001
    assert np.abs(np.diff(audio.samples)).max() < 2 * np.pi * HZ / RATE * LEVEL * 1.05
