"""A sense that goes on speaking and no longer feels: power or temperature that stands still while the other one moves.

A sensor that hangs gives its last value for ever, which looks like a calm machine. One that is only coarse, or a board
at rest, stands still too, so that standing still alone proves nothing: the load must have changed. Power tells that of
the temperature, and the temperature of power; where there is but one of both nothing can be told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

STUCK_S = 300.0
"""Seconds in which a value has to be the same to the last digit."""
SWING = 0.3
"""Share of the budget by which power has to have moved meanwhile: some degrees of a chip, whose sensors tell one."""
SWING_C = 8.0
"""Degrees by which the chip has to have moved meanwhile: by more than the air of a room in that time."""

_TAIL = 0.2
_MOST = 600


class _Still:
    """One value, and what the other sense said since it last changed."""

    def __init__(self, swing: float) -> None:
        self._swing = swing
        self._value: float | None = None
        self._since = 0.0
        self._beside: deque[float] = deque(maxlen=_MOST)
        self._stuck = False

    def moves(self, now: float, value: float, beside: float | None) -> bool:
        """Whether `value` can be believed; once it is stuck, only a change of it makes it believed again."""
        if value != self._value:
            self._value, self._since, self._stuck = value, now, False
            self._beside.clear()
        if beside is not None:
            self._beside.append(beside)
        self._stuck = self._stuck or (now - self._since >= STUCK_S and _swing(self._beside) >= self._swing)
        return not self._stuck


class Stuck:
    """Tells values that stand still from those that are felt. Not thread-safe."""

    def __init__(self, budget_w: float) -> None:
        """The load has changed where power moved by SWING of `budget_w` watts."""
        self._celsius, self._watts = _Still(SWING * budget_w), _Still(SWING_C)

    def moving(self, now: float, watts: float | None, celsius: float | None) -> tuple[float | None, float | None]:
        """Power in watts and temperature in degrees as far as they can be believed at second `now`."""
        felt = celsius is None or self._celsius.moves(now, celsius, watts)
        drawn = watts is None or self._watts.moves(now, watts, celsius)
        return watts if drawn else None, celsius if felt else None


def _swing(values: Sequence[float]) -> float:
    """How far apart the lowest and the highest fifth lie: a moment's peak is no change of the load."""
    if not values:
        return 0.0
    ordered = sorted(values)
    tail = int(_TAIL * len(ordered))
    return ordered[-1 - tail] - ordered[tail]
