"""Moments as manifests write them, and what time it is where the clock may be wrong.

A board without a battery for its clock starts years ago. Expiry is therefore asked for only when something new comes
in, never at a start, and by the later of the clock and the youngest bundle that has proved itself here: a clock that is
behind makes nothing older than what is known to exist.
"""

from __future__ import annotations

from datetime import datetime, timezone


def stamp(moment: datetime) -> str:
    """A moment in UTC to the second, `2026-11-30T12:00:00Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime | None:
    """The moment that `stamp` wrote; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def now() -> datetime:
    """What the clock says."""
    return datetime.now(timezone.utc)


def at_least(clock: datetime, seen: datetime | None) -> datetime:
    """The clock's time, or `seen` where the clock is behind it."""
    return clock if seen is None else max(clock, seen)
