"""What the tones of Mandarin are heard by: how periodic a sound is, period by period.

Filter banks of 25 ms hardly tell one pitch of a voice from the next: a network that had nothing else took one tone in
five for another. So each frame also gets the normalised autocorrelation of the sound (Boersma 1993), over periods
spaced evenly in the logarithm: a voice is a ridge in it that moves with the pitch, the same way in a deep voice as in
a high one. No period is chosen; what is a voice and what its octave, the network learns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from appliance.speech.resample import RATE

LAGS = 32
"""Periods: from the lowest pitch to the highest, about a semitone apart."""
LOWEST, HIGHEST = 60.0, 400.0
"""Pitch in Hz."""
WINDOW = 40 * RATE // 1000
"""Samples that a frame is computed from: at least two periods of nearly every voice."""
_SIZE = 1024
"""Samples of the transform: the window and the longest period, nothing wraps around."""
_BAND = 1200.0
"""Hz above which nothing counts: harmonics beyond say little of the pitch and much of the vowel."""
_QUIET = 1e-7
"""Power a sample, added to that of the sound: what is as faint as a sound card's own hiss has no pitch."""

Frame = npt.NDArray[np.float32]

_HANN = np.hanning(WINDOW + 2)[1:-1]
_PERIODS = RATE / np.geomspace(HIGHEST, LOWEST, LAGS)
_BELOW = np.floor(_PERIODS).astype(np.int64)
_PART = _PERIODS - _BELOW
_KEPT = int(_BAND * _SIZE / RATE)
_OF_WINDOW = np.fft.irfft(np.abs(np.fft.rfft(_HANN, _SIZE)) ** 2)
_OF_WINDOW = _OF_WINDOW / _OF_WINDOW[0]


def periodicity(samples: npt.NDArray[np.float32]) -> Frame:
    """Autocorrelation of WINDOW samples at 16 kHz, shape (LAGS,), shortest period first; about -0.5 to 1, 0 in silence.

    Always of one frame at a time: the same sound gives the same numbers, however it was cut.
    """
    power = np.abs(np.fft.rfft((samples - samples.mean(dtype=np.float64)) * _HANN, _SIZE)) ** 2
    power[_KEPT:] = 0.0
    again = np.fft.irfft(power)
    scaled = again[: _BELOW[-1] + 2] / (_OF_WINDOW[: _BELOW[-1] + 2] * (again[0] + _QUIET * WINDOW))
    found: Frame = (scaled[_BELOW] * (1 - _PART) + scaled[_BELOW + 1] * _PART).astype(np.float32)
    return np.clip(found, -1.0, 1.0)
