"""The clock on the wall: what it says, and whether that can be true.

A board without a battery for its clock starts in 1970, or where it was switched off, and jumps when somebody sets it.
Durations are therefore measured by the monotonic clock everywhere; what needs a date asks here whether there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

RELEASED = date(2026, 11, 1)
"""No appliance with this software ran before this day, whatever its clock says; moved with each release."""
LIFE = timedelta(days=20 * 365)
"""How long after it the software may still be running: what is beyond is a clock gone wrong, too."""
STEP_S = 60.0
"""Seconds between the clock and the monotonic one from which on it has been set, and not merely drifted."""


@dataclass(frozen=True, slots=True)
class Step:
    """The clock was set while the process ran."""

    seconds: float
    """By how much: forwards above 0, backwards below."""


class Wall:
    """Seconds since 1970, and what is to be thought of them. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Ask `clock` for the time and `monotonic` for how much of it went by."""
        self._clock, self._monotonic = clock, monotonic
        self._apart = clock() - monotonic()

    def now(self) -> float:
        """Seconds since 1970, UTC, right or wrong."""
        return self._clock()

    @property
    def sure(self) -> bool:
        """Whether the date can be right."""
        return not self.problem

    @property
    def problem(self) -> str:
        """Why the date cannot be right, in Chinese and English; empty when it can."""
        earliest = datetime(RELEASED.year, RELEASED.month, RELEASED.day, tzinfo=timezone.utc) - timedelta(days=1)
        now = self._clock()
        said = datetime.fromtimestamp(0, timezone.utc) + timedelta(seconds=now)
        if earliest <= said <= earliest + LIFE:
            return ""
        return (
            f"系统时间是 {said:%Y-%m-%d}，不可能正确：不按日期回答，不清理记录；用 `sudo timedatectl set-time` 校时 / "
            f"the clock says {said:%Y-%m-%d}, which cannot be: nothing is answered by the date and no record removed; "
            "set it with `sudo timedatectl set-time`"
        )

    def today(self) -> date | None:
        """The local date; None when it is not known."""
        return datetime.fromtimestamp(self._clock()).date() if self.sure else None

    def stepped(self) -> Step | None:
        """How far the clock was set since the last question, if it was."""
        apart = self._clock() - self._monotonic()
        moved, self._apart = apart - self._apart, apart
        return Step(moved) if abs(moved) > STEP_S else None
