"""What a governor is told and what it tells: limits, readings, steps between levels, and the room that heat leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from appliance.errors import Both

CAUSES = ("power", "heat", "critical", "alarm", "waiting", "blind", "calm", "cooled")
"""Why a step is taken: the mean power, the ceiling, the critical temperature, what the board itself complains of,
requests that wait for power, silent sensors; and upwards a calm time, or a chip that has cooled from the critical."""

TRICKLE = 0.1
"""Share of the room for heavy work that is left at the ceiling."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is to be kept."""

    budget_w: float
    """Watts, in the mean over 10 s."""
    ceiling_c: float
    """Temperature that is to be kept, in degrees."""
    critical_c: float
    """Temperature from which all but text and touch is refused."""
    hysteresis_c: float
    """Degrees below a limit at which it counts as kept again."""

    @property
    def calm_c(self) -> float:
        """Temperature up to which a step up may be taken."""
        return self.ceiling_c - self.hysteresis_c

    @property
    def cooled_c(self) -> float:
        """Temperature at which refusing ends."""
        return min(self.ceiling_c, self.critical_c - self.hysteresis_c)

    @property
    def urgent_c(self) -> float:
        """Temperature from which the deepest level is taken at once: half-way to the critical one."""
        return (self.ceiling_c + self.critical_c) / 2


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of the machine at one moment."""

    watts: float | None = None
    """Mean power of the last 10 s; None when unknown."""
    celsius: float | None = None
    """The hottest place; None when unknown."""
    alarms: tuple[str, ...] = ()
    """What the board complains of: clocks held down by heat, rails over their limit."""
    waited_s: float = 0.0
    """Longest time that a request has waited for power lately."""
    age_s: float = 0.0
    """Seconds since the board was looked at."""
    read_at: float | None = None
    """When the temperature was read, so that one reading that is looked at twice is none that bears itself out; None
    where each look is a reading of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the level."""

    at: float
    """Seconds of the clock."""
    before: int
    """Level before it."""
    after: int
    """Level after it."""
    cause: str
    """One of CAUSES."""
    reason: Both
    """In Chinese and in English."""

    @property
    def direction(self) -> str:
        """`down` for less work, `up` for more."""
        return "down" if self.after > self.before else "up"


@dataclass(frozen=True, slots=True)
class State:
    """Where the governor stands."""

    level: int
    """0 for everything, `deepest` for the least, one more while all but text is refused."""
    deepest: int
    """The last level at which everything serves."""
    watching: bool
    """Whether anything was ever read: without sensors it is off."""
    since_s: float
    """Seconds at this level."""
    cause: str
    """Why it is this level, one of CAUSES; empty before the first step."""
    reason: Both
    """The same in words."""
    steps: tuple[Step, ...]
    """The last steps, the latest last."""
    downs: int
    """Steps down since the start."""
    ups: int
    """Steps up since the start."""
    calm_s: float
    """Seconds of calm so far."""
    wanted_s: float
    """Seconds of calm before the next step up."""

    @property
    def refusing(self) -> bool:
        """Whether all but text and touch is refused."""
        return self.level > self.deepest


def room(celsius: float | None, limits: Limits, before: float) -> float:
    """Share of the room for heavy work that heat leaves, 1 up to the calm temperature.

    While it is not known that is `before`, but TRICKLE at least: a sensor that broke must not close the counter.

    It shrinks on the way to the ceiling, so that a board which cannot be cooled comes to rest below it and need not
    fall from one extreme to the other; at the ceiling TRICKLE is left, and half-way to the critical one nothing.
    """
    if celsius is None or not math.isfinite(celsius):
        return max(TRICKLE, before)
    if celsius <= limits.ceiling_c:
        part = (limits.ceiling_c - celsius) / max(limits.hysteresis_c, 1e-9)
        return min(1.0, TRICKLE + (1.0 - TRICKLE) * part)
    return max(0.0, TRICKLE * (limits.urgent_c - celsius) / (limits.urgent_c - limits.ceiling_c))
