"""How long a wrong PIN shuts the door: longer with each one, never for long.

The first two wrong PINs in a row cost nothing: fingers slip. From the third on each one shuts for 30 s, 60 s, 2, 4, 8,
and at most 15 minutes. A right PIN forgets them, as does an hour without another. So whoever guesses without end gets
96 tries in a day, and six digits last him for years; and the technician after him waits for 15 minutes at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FREE = 2
"""Wrong PINs in a row that cost nothing."""
FIRST_S = 30.0
"""Seconds after the first one that costs something; each further one doubles them."""
MOST_S = 900.0
"""Longest wait."""
FORGET_S = 3600.0
"""Seconds without a wrong PIN after which all are forgotten."""


class Lockout:
    """Counts wrong PINs in memory: a restart forgets them. Not thread-safe: the caller takes one try at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong = 0
        self._last = float("-inf")

    @property
    def wrong(self) -> int:
        """Wrong PINs in a row that are remembered."""
        if self._clock() - self._last >= FORGET_S:
            self._wrong = 0
        return self._wrong

    @property
    def wait_s(self) -> float:
        """Seconds until the next try is looked at; 0 when it is at once."""
        beyond = self.wrong - FREE
        if beyond <= 0:
            return 0.0
        shut = min(MOST_S, FIRST_S * 2.0 ** min(beyond - 1, 30))
        return max(0.0, self._last + shut - self._clock())

    def fail(self) -> None:
        """Note a wrong PIN."""
        self._wrong, self._last = self.wrong + 1, self._clock()

    def forget(self) -> None:
        """Note a right one."""
        self._wrong = 0
