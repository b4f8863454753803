"""A long recording in bounded memory, for its picture: of each stretch its lowest and its highest reading stay."""

from __future__ import annotations

import math
from collections.abc import Sequence

from appliance.device.recording import LONGEST_GAP_S, Reading, Recording, joined

MOST = 4096
"""Readings that are kept at most; the picture is 840 pixels wide."""

_TOGETHER = 4


class Thinned:
    """Takes in readings one after the other and keeps at most `most` of them; their energy is summed up from all.

    The stretches, two readings of each, are equally many readings long from the beginning to the end: when there is no
    room for another, every two become one, and those to come are as long.
    """

    def __init__(self, most: int = MOST) -> None:
        """Raises ValueError for fewer than 8, or none that can be halved to pairs."""
        if most < 2 * _TOGETHER or most % _TOGETHER:
            raise ValueError(f"thinned: expected room for 8, 12, 16, ... readings, got {most}")
        self._most = most
        self._kept: list[Reading] = []
        self._open: list[Reading] = []  # the extremes of the stretch under way
        self._width = 1  # readings of a stretch
        self._taken = 0  # those of the stretch under way
        self._last: Reading | None = None
        self._joules = self._covered_s = 0.0
        self._near, self._near_s = 0, 0.0  # neighbours without a gap between them
        self._powered = False

    def add(self, reading: Reading) -> None:
        """Take in `reading`, which is later than those before it."""
        self._count(reading)
        if len(self._kept) == self._most:
            parts = range(0, self._most, _TOGETHER)
            self._kept = [one for at in parts for one in _extremes(self._kept[at : at + _TOGETHER])]
            self._width = _TOGETHER if self._width == 1 else 2 * self._width
        self._open = _extremes([*self._open, reading])
        self._taken += 1
        if self._taken == self._width:
            self._kept, self._open, self._taken = self._kept + self._open, [], 0

    def _count(self, reading: Reading) -> None:
        before, self._last = self._last, reading
        self._powered = self._powered or reading.watts is not None
        if before is None:
            return
        if joined(before, reading):
            one = Recording("", (before, reading))
            self._joules, self._covered_s = self._joules + one.joules, self._covered_s + one.covered_s
        passed = reading.seconds - before.seconds
        if passed <= LONGEST_GAP_S:
            self._near, self._near_s = self._near + 1, self._near_s + passed

    @property
    def powered(self) -> bool:
        """Whether any reading had power."""
        return self._powered

    @property
    def kept(self) -> tuple[Reading, ...]:
        """What is left of the readings, in the order of time."""
        return (*self._kept, *self._open)

    @property
    def gap_s(self) -> float:
        """Readings that lie further apart are not joined: as far as two of neighbouring stretches may be."""
        if self._width == 1:
            return LONGEST_GAP_S
        return LONGEST_GAP_S + 2 * self._width * self._near_s / max(1, self._near)

    @property
    def covered_s(self) -> float:
        """Seconds whose power is known, of all readings."""
        return self._covered_s

    @property
    def mean_w(self) -> float | None:
        """Mean power of what is covered, of all readings; None where nothing is."""
        return self._joules / self._covered_s if self._covered_s else None


def _extremes(readings: Sequence[Reading]) -> list[Reading]:
    """The highest, and the lowest or one without power, so that gaps stay to be seen; of equal ones the ends."""
    highest = max(range(len(readings)), key=lambda at: _watts(readings[at]))
    lowest = min(range(len(readings)), key=lambda at: _watts(readings[at]))
    chosen = {highest, lowest} if highest != lowest else {0, len(readings) - 1}
    return [readings[at] for at in sorted(chosen)]


def _watts(reading: Reading) -> float:
    return -math.inf if reading.watts is None else reading.watts
