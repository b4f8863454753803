"""Power over time, as far back as it is kept: its mean, and its integral between any two moments.

What was measured is kept as spans in each of which power runs in a straight line. Between two readings of a rail that
is the trapezoid, and a counter of energy gives its mean over the span; times without a reading have no span, so that
what is not known is never filled in: an integral says how much of the time it covers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

ENOUGH = 0.5
"""Share of a time that has to be covered before its mean is taken for that of the whole."""

_LEAST_KEPT = 1024
"""Spans that are let go at once: removing them one by one would move all the others each time."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which power ran in a straight line."""

    begin: float
    """Seconds of a monotonic clock."""
    end: float
    """The same, later than `begin`."""
    first: float
    """Watts at the beginning."""
    last: float
    """Watts at the end."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin

    @property
    def watts(self) -> float:
        """Mean power."""
        return (self.first + self.last) / 2

    @property
    def joules(self) -> float:
        """Energy."""
        return self.seconds * self.watts

    def at(self, moment: float) -> float:
        """Watts at `moment`, which lies inside."""
        return self.first + (self.last - self.first) * ((moment - self.begin) / (self.end - self.begin))

    def cut(self, begin: float, end: float) -> Span | None:
        """The part between `begin` and `end`; None when nothing is."""
        if begin <= self.begin and end >= self.end:
            return self
        begin, end = max(begin, self.begin), min(end, self.end)
        return Span(begin, end, self.at(begin), self.at(end)) if end > begin else None


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a time, as far as it is known."""

    joules: float
    """Of what is covered."""
    covered_s: float
    """Seconds of it in which power was measured."""
    seconds: float
    """Seconds of it altogether."""

    @property
    def complete(self) -> bool:
        """Whether all of it is covered, up to the rounding of clocks."""
        return self.covered_s >= self.seconds - 1e-6

    @property
    def watts(self) -> float | None:
        """Mean power; None when less than half of the time is covered."""
        known = self.covered_s > 0 and self.covered_s >= ENOUGH * self.seconds
        return self.joules / self.covered_s if known else None

    @property
    def estimate(self) -> float | None:
        """Joules of all of it, what is missing taken at the mean; None when less than half is covered."""
        return None if self.watts is None else self.watts * self.seconds


class Trace:
    """Spans in the order of time. Not thread-safe: whoever shares one locks."""

    def __init__(self, most: int) -> None:
        """Keep at most `most` spans."""
        if most < 1:
            raise ValueError(f"trace: expected room for at least 1 span, got {most}")
        self._most = most
        self._spans: list[Span] = []
        self._begins: list[float] = []  # of each span, and its end: what is searched, a thousand times a second
        self._ends: list[float] = []
        self._joules: list[float] = []  # up to and with each span, since the first one ever
        self._seconds: list[float] = []
        self._gone = 0  # spans at the beginning of the lists that are no longer kept

    def add(self, span: Span) -> None:
        """Keep `span`. Raises ValueError unless it lasts at all and begins where the last one ended, or later."""
        last = self.last
        if not span.end > span.begin or (last is not None and span.begin < last.end):
            raise ValueError(f"trace: expected a span after {last}, got {span}")
        self._joules.append((self._joules[-1] if self._joules else 0.0) + span.joules)
        self._seconds.append((self._seconds[-1] if self._seconds else 0.0) + span.seconds)
        self._begins.append(span.begin)
        self._ends.append(span.end)
        self._spans.append(span)
        self._forget(len(self._spans) - self._most)

    def forget(self, before: float) -> None:
        """Let go of what ended before that moment."""
        self._forget(bisect_right(self._ends, before))

    @property
    def last(self) -> Span | None:
        """The latest span; None when there is none."""
        return self._spans[-1] if len(self._spans) > self._gone else None

    def spans(self, begin: float, end: float) -> Iterable[Span]:
        """The spans between two moments, the first and the last cut to fit."""
        low, high = self._between(begin, end)
        cuts = (span.cut(begin, end) for span in self._spans[low:high])
        return [span for span in cuts if span is not None]

    def energy(self, begin: float, end: float) -> Energy:
        """The integral of power between two moments; 0 J of 0 s covered where nothing was measured, or end <= begin."""
        end = max(begin, end)
        low, high = self._between(begin, end)
        if high <= low:
            return Energy(0.0, 0.0, end - begin)
        if high - low == 1:
            inside = self._spans[low].cut(begin, end)
            return Energy(inside.joules, inside.seconds, end - begin) if inside else Energy(0.0, 0.0, end - begin)
        ends = [self._spans[low].cut(begin, end), self._spans[high - 1].cut(begin, end)]
        joules = self._joules[high - 2] - self._joules[low] + sum(span.joules for span in ends if span)
        seconds = self._seconds[high - 2] - self._seconds[low] + sum(span.seconds for span in ends if span)
        return Energy(joules, seconds, end - begin)

    def _between(self, begin: float, end: float) -> tuple[int, int]:
        """Indices of the spans that lie between two moments, wholly or in part."""
        if self._ends and begin >= self._ends[-1]:  # the commonest question: about what lies behind the last reading
            return len(self._ends), len(self._ends)
        low = bisect_right(self._ends, begin, self._gone)
        return low, bisect_left(self._begins, end, low)

    def _forget(self, count: int) -> None:
        self._gone = max(self._gone, count)
        if self._gone >= max(_LEAST_KEPT, len(self._spans) // 2):
            for kept in (self._spans, self._begins, self._ends, self._joules, self._seconds):
                del kept[: self._gone]
            self._gone = 0
