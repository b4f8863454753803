"""Where a machine's power can be measured: the rails of a board, the counters of a PC, or nowhere.

One contract for all: `span()` looks, and gives the power since the last look. A look that fails or that comes too late
leaves a gap, which is never bridged by a guess.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.device.rails import Rail
from appliance.device.trace import Span
from appliance.errors import Both, SensorUnreadable

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Health:
    """How it stands with the readings."""

    source: str
    """What is read, for example `VDD_IN`; `none` where there is nothing to read."""
    covers: Both
    """What is in that and what is not, or why nothing is measured."""
    failures: int
    """Readings in a row that failed; 0 while all is well."""
    reason: str
    """Why the last one failed, in English; empty while all is well."""


class Power(ABC):
    """What the machine draws, as far as it can be measured. One thread at a time."""

    name: str
    """What is measured, for example `VDD_IN`; `none` where nothing is."""
    covers: Both
    """What is in it and what is not, or why nothing is measured; in Chinese and in English."""

    @property
    @abstractmethod
    def available(self) -> bool:
        """Whether anything is measured."""

    @abstractmethod
    def span(self, clock: Clock = time.monotonic) -> Span | None:
        """Look now; the power since the last look. None the first time, after a failure and after too long a time.

        Raises SensorUnreadable where it cannot be read.
        """


class Gauge(Power):
    """Power out of a value that is read: timing and gaps are here, a subclass knows the value."""

    bridged_s: float
    """Longest time between two looks whose power is still told; what is longer is a gap."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    @property
    def available(self) -> bool:
        """Always."""
        return True

    def span(self, clock: Clock = time.monotonic) -> Span | None:
        """See Power."""
        before, self._before = self._before, None
        began = clock()
        value = self._read()
        # Registers behind I2C take milliseconds to read: the moment is the middle of that.
        at = (began + clock()) / 2
        if before is not None and at <= before[0]:
            self._before = before  # no time has passed; the next look tells of all of it
            return None
        self._before = at, value
        if before is None or at - before[0] > self.bridged_s:
            return None
        line = self._line(before[1], value, at - before[0])
        return None if line is None else Span(before[0], at, *line)

    @abstractmethod
    def _read(self) -> float:
        """The value of this moment. Raises SensorUnreadable."""

    @abstractmethod
    def _line(self, before: float, now: float, seconds: float) -> tuple[float, float] | None:
        """Watts at the beginning and at the end of the time between two values; None where they cannot be true."""


class RailPower(Gauge):
    """Power of a board, by its rails."""

    bridged_s = 2.0

    def __init__(self, rails: Sequence[Rail], covers: Both) -> None:
        """The sum of `rails`, none of which feeds another one of them."""
        super().__init__()
        self._rails = tuple(rails)
        self.name, self.covers = " + ".join(rail.name for rail in rails), covers

    def _read(self) -> float:
        return sum(rail.watts() for rail in self._rails)

    def _line(self, before: float, now: float, seconds: float) -> tuple[float, float]:
        return before, now


class NoPower(Power):
    """A machine whose power cannot be measured."""

    name = "none"

    def __init__(self, why: Both) -> None:
        """Keep `why`, in Chinese and in English."""
        self.covers = why

    @property
    def available(self) -> bool:
        """Never."""
        return False

    def span(self, clock: Clock = time.monotonic) -> Span | None:
        """Raises SensorUnreadable with the reason."""
        raise SensorUnreadable(f"power: {self.covers[1]}", remedy=self.covers)
