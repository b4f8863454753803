"""How long a backend that failed is left alone: a little at first, longer with every failure."""

from __future__ import annotations

PAUSE_S = 30.0
"""Seconds from a failure to the first attempt to have the better backend back; doubles with every failure."""
LONGEST_S = 3600.0
"""Longest pause; also that after a refusal at the start, and the service after which a failure is forgotten."""


class Pauses:
    """When the better one is tried again. Times are those of one clock, in seconds; whoever has it locks it."""

    def __init__(self) -> None:
        self._again = self._since = 0.0
        self._pause, self._wait = PAUSE_S, LONGEST_S

    def due(self, now: float) -> bool:
        """Whether the pause is over."""
        return now >= self._again

    def trying(self) -> None:
        """It is being tried: nobody else is to, until `tried`."""
        self._again = float("inf")

    def tried(self, now: float) -> None:
        """It has been tried, and may be tried again after twice the time."""
        self._wait = min(self._wait * 2, LONGEST_S)
        self._again = now + self._wait

    def serves(self, now: float) -> None:
        """What serves does so from now on, and not because another has failed."""
        self._since = now
        self._wait, self._again = LONGEST_S, now + LONGEST_S

    def failed(self, now: float) -> float:
        """What served has failed, and another does from now on: seconds until the failed one is tried again."""
        if now - self._since > LONGEST_S:  # it had served long: this failure is a new one
            self._pause = PAUSE_S
        self._again, self._since, self._wait = now + self._pause, now, self._pause
        self._pause = min(self._pause * 2, LONGEST_S)
        return self._wait
