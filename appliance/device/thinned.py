"""A long recording in bounded memory, for its picture: of each stretch its lowest and its highest reading stay."""

from __future__ import annotations

import math
from collections.abc import Sequence

from appliance.device.recording import LONGEST_GAP_S, Reading, Recording, joined

MOST = 4096
"""Readings that are kept at most; the picture is 840 pixels wide."""

_TOGETHER = 4


class Thinned:
    """Takes in readings one after the other and keeps at most `most` of them; their energy is summed up from all."""

    def __init__(self, most: int = MOST) -> None:
        """Raises ValueError for fewer than 8."""
        if most < 2 * _TOGETHER:
            raise ValueError(f"thinned: expected room for at least {2 * _TOGETHER} readings, got {most}")
        self._most = most
        self._kept: list[Reading] = []
        self._last: Reading | None = None
        self._gap_s = LONGEST_GAP_S
        self._joules = self._covered_s = 0.0
        self._powered = False

    def add(self, reading: Reading) -> None:
        """Take in `reading`, which is later than those before it."""
        before, self._last = self._last, reading
        if before is not None and joined(before, reading):
            one = Recording("", (before, reading))
            self._joules, self._covered_s = self._joules + one.joules, self._covered_s + one.covered_s
        self._powered = self._powered or reading.watts is not None
        self._kept.append(reading)
        if len(self._kept) > self._most:
            parts = range(0, len(self._kept), _TOGETHER)
            self._kept = [one for at in parts for one in _extremes(self._kept[at : at + _TOGETHER])]
            self._gap_s *= 2

    @property
    def powered(self) -> bool:
        """Whether any reading had power."""
        return self._powered

    @property
    def kept(self) -> tuple[Reading, ...]:
        """What is left of the readings, in the order of time."""
        return tuple(self._kept)

    @property
    def gap_s(self) -> float:
        """Readings that lie further apart are not joined: twice as far whenever every second one was let go."""
        return self._gap_s

    @property
    def covered_s(self) -> float:
        """Seconds whose power is known, of all readings."""
        return self._covered_s

    @property
    def mean_w(self) -> float | None:
        """Mean power of what is covered, of all readings; None where nothing is."""
        return self._joules / self._covered_s if self._covered_s else None


def _extremes(readings: Sequence[Reading]) -> list[Reading]:
    """At most two: the highest, and the lowest or one without power, so that gaps stay to be seen."""
    highest = max(range(len(readings)), key=lambda at: _watts(readings[at], -math.inf))
    lowest = min(range(len(readings)), key=lambda at: _watts(readings[at], -math.inf))
    return [readings[at] for at in sorted({highest, lowest})]


def _watts(reading: Reading, unknown: float) -> float:
    return unknown if reading.watts is None else reading.watts
