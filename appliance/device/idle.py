"""What the machine draws while the appliance does nothing: a low quantile of the power in quiet times.

Low, because quiet for the appliance is not quiet for everything else: a browser that draws or an update that unpacks
adds to some of the quiet readings, and only the lower ones are the machine itself. Of the last readings, because a
warm chip leaks more than a cold one, and a screen may be on or off.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

QUANTILE = 0.25
"""Share of quiet readings below the value that is taken."""
WINDOW = 600
"""Quiet readings that are kept: two minutes of them at five a second."""
LEAST = 10
"""Quiet readings before anything is said."""


class Idle:
    """Power while nothing runs. Not thread-safe."""

    def __init__(self, quantile: float = QUANTILE, window: int = WINDOW, least: int = LEAST) -> None:
        """Take the `quantile` of the last `window` readings, once there are `least` of them."""
        if not 0 <= quantile <= 1 or not 1 <= least <= window:
            raise ValueError(f"idle: expected 0 <= quantile <= 1 <= least <= window, got {quantile}, {least}, {window}")
        self._quantile, self._window, self._least = quantile, window, least
        self._recent: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, watts: float) -> None:
        """Take note of one reading of a quiet time."""
        self._recent.append(watts)
        insort(self._sorted, watts)
        if len(self._recent) > self._window:
            del self._sorted[bisect_left(self._sorted, self._recent.popleft())]

    @property
    def watts(self) -> float | None:
        """Power while nothing runs; None before there are enough readings."""
        if len(self._sorted) < self._least:
            return None
        return self._sorted[int(self._quantile * (len(self._sorted) - 1))]
