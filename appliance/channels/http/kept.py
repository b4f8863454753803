"""Counters of the connections that are kept, and how long a pass over them takes at most."""

from __future__ import annotations

import time
from dataclasses import dataclass

WINDOW_S = 60.0
"""Seconds over which the longest pass is kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Counters of the connections at one moment."""

    open: int
    """Connections open now, those with a running request included."""
    idle: int
    """Those that wait for a request."""
    most: int
    """Open at once at most."""
    accepted: int
    """Taken since the start."""
    refused: int
    """Sent away with 503 since the start, because every place was taken."""
    closed_for_others: int
    """Idle connections closed since the start to make place for new ones."""
    slowest_pass_ms: float
    """Longest time in the last one to two minutes that the thread went from one look at them to the next."""


class Passes:
    """The longest pass of the last one to two windows; one thread notes them, any may ask."""

    def __init__(self) -> None:
        self._slowest, self._before, self._window_at = 0.0, 0.0, time.monotonic()

    @property
    def slowest_ms(self) -> float:
        """The longest, in milliseconds."""
        return round(max(self._slowest, self._before) * 1000, 1)

    def note(self, now: float, began: float) -> None:
        """A pass has gone from `began` to `now`, both of the monotonic clock."""
        self._slowest = max(self._slowest, now - began)
        if now - self._window_at > WINDOW_S:
            self._slowest, self._before, self._window_at = 0.0, self._slowest, now
