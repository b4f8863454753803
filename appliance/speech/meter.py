"""Measures sound as it comes: how loud it is, and whether a device delivers nothing but silence."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

FLOOR_DB = -120.0
"""Level shown for digital silence, whose logarithm has no end."""
STILL = 4 / 32768
"""Largest difference between two samples of a muted device: its converter's last bits, around any offset."""

_FAST_S = 0.125
"""Time constant of the level, the "fast" of sound level meters (IEC 61672-1)."""
_HOLD_S = 0.5
"""The peak is the highest of this and the last period of this length."""


def decibels(amplitude: float) -> float:
    """`amplitude` in dB of full scale (1.0), at least `FLOOR_DB`."""
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB


class Meter:
    """Level, peak and stillness of one stream."""

    def __init__(self, rate: int) -> None:
        """Samples at `rate` in Hz."""
        self._rate = rate
        self._power = 0.0
        self._peaks = [0.0, 0.0]
        self._age = 0
        self._still = 0
        self._last: float | None = None

    @property
    def level_db(self) -> float:
        """Root mean square of about the last 0.3 s in dB of full scale; a sine that fills the scale has -3."""
        return decibels(math.sqrt(self._power))

    @property
    def peak_db(self) -> float:
        """Highest sample of the last 0.5 to 1 s in dB of full scale; 0 is clipped."""
        return decibels(max(self._peaks))

    @property
    def still_s(self) -> float:
        """Seconds for which the samples have not moved: no microphone with its power on is as quiet as that."""
        return self._still / self._rate

    def add(self, samples: Samples) -> None:
        """Measure the next `samples`, shape (n,)."""
        count = len(samples)
        if not count:
            return
        low, high = float(samples.min()), float(samples.max())
        kept = math.exp(-count / (self._rate * _FAST_S))
        self._power = kept * self._power + (1 - kept) * float(np.mean(np.square(samples, dtype=np.float64)))
        if self._age >= self._rate * _HOLD_S:
            self._peaks, self._age = [0.0, self._peaks[0]], 0
        self._peaks[0] = max(self._peaks[0], -low, high)
        self._age += count
        before = low if self._last is None else self._last
        moved = max(high, before) - min(low, before)
        self._still = self._still + count if moved <= STILL else 0
        self._last = float(samples[-1])
