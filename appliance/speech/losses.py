"""Finds out that sound was lost between a device and its reader, whoever lost it, so that no loss stays unreported."""

from __future__ import annotations

import math

from appliance.speech.capture import Source

_WINDOW_S = 5.0
_MISSING_S = 0.05
"""Shortest gap that is told from the jitter of deliveries; two clocks part by 0.5 ms in a window at 100 ppm."""


class Continuity:
    """Finds sound that never came and that nobody reported, by the clock.

    Sound servers drop what they have no room for without telling ALSA. Deliveries are late now and then, but the
    earliest one of a few seconds is as early as that of the next few, or something between them is missing.
    """

    def __init__(self, rate: int) -> None:
        """Samples at `rate` in Hz."""
        self._rate = rate
        self._samples = 0
        self._least = self._before = math.inf
        self._began: float | None = None
        self._window = 0.0

    def add(self, count: int, now: float) -> float:
        """`count` samples arrived at `now` (seconds); returns the seconds of sound that are found missing, mostly 0."""
        if self._began is None:
            self._began = self._window = now
        self._samples += count
        self._least = min(self._least, now - self._began - self._samples / self._rate)
        if now - self._window < _WINDOW_S:
            return 0.0
        missing = self._least - self._before
        self._before, self._least, self._window = self._least, math.inf, now
        return missing if _MISSING_S < missing < math.inf else 0.0


class Losses:
    """What one source lost, each loss once, by cause."""

    def __init__(self, source: Source) -> None:
        """Watch `source`."""
        self._source = source
        self._continuity = Continuity(source.rate)
        self._overflows = self._overwritten = 0
        self._reported = -math.inf

    def found(self, count: int, now: float) -> dict[str, float]:
        """Seconds lost by cause, after `count` frames were taken at `now`; mostly empty.

        `device`: it says so itself, and not how much (0). `ring`: what arrived was overwritten before it was taken.
        `gap`: neither, but by the clock there should be more.
        """
        source = self._source
        found: dict[str, float] = {}
        overflows, overwritten = source.overflows, source.ring.lost
        if overflows > self._overflows:
            found["device"] = 0.0
        if overwritten > self._overwritten:
            found["ring"] = (overwritten - self._overwritten) / source.channels / source.rate
        if found:
            self._reported = now
        missing = self._continuity.add(count, now)
        if missing and now - self._reported > 2 * _WINDOW_S:  # or the clock finds what has been reported
            found["gap"] = missing
        self._overflows, self._overwritten = overflows, overwritten
        return found
