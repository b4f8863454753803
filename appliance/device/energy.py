"""What each piece of work cost in joules, where several run at once and the board is never quite at rest.

At every moment the power is divided: up to what the idle board draws it is nobody's (`idle`); what is above is shared
by those that run at that moment, by their weights (one each, unless said otherwise); when nothing of ours runs, it is
the `rest`, which other programs drew. So the shares, the idle part and the rest are together exactly what the rail
gave: nothing is lost and nothing counted twice, whatever overlaps.

How: dividing gives a price, the watts above idle for one unit of weight, as a trace over time. What a piece of work
cost between two moments is its weight times the integral of the price, so that the stages inside it can be told
afterwards too, and sum up. Whoever waits for its turn should not have begun: it would share in what others draw.

How sharp that is, the sensors decide: between two readings power is taken to run straight, and the chips average over
tenths of a second. A thousand short pieces of work sum up; a single one of a few milliseconds may be far off.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter

from appliance.device.idle import Idle
from appliance.device.trace import Energy, Span, Trace
from appliance.listener import Listener, silent

KEEP_S = 120.0
"""Seconds for which the energy of work is kept after its end."""
QUIET_S = 1.0
"""Seconds after the end of the last work before power counts as that of rest: clocks fall with delay."""

_SHORT_S = 10.0
"""Work that took longer is remembered after its end, for the price to be kept from its beginning on."""
_MOST_SPANS = 100_000
_MOST_ENDED = 1_000
"""Pieces of work that wait for a reading after their end; when none comes, the oldest are told as they are."""


Told = Callable[["Work", Energy], object]
"""Takes a piece of work that is over and what it cost."""


@dataclass(slots=True, eq=False)
class Work:
    """One piece of work whose energy is told."""

    name: str
    """What it is, for example `ocr.detect`."""
    weight: float
    """Its part of the power beside others that run at the same time."""
    began: float
    """Seconds of the clock."""
    net: bool
    """Whether the idle power was known when it began; else what it costs has the board's rest in it."""
    ended: float | None = None
    """Seconds of the clock; None while it runs."""
    told: Told | None = None
    """Hears what it cost once all is known; where there is none, the listener does."""
    standing: bool = False
    """Whether it is part of waiting, as listening for somebody to speak is: the machine is at rest beside it."""


@dataclass(frozen=True, slots=True)
class Division:
    """Where the energy of all measured time went, in joules. The three parts are all of it."""

    idle_j: float = 0.0
    """What the board draws while nothing runs."""
    shared_j: float = 0.0
    """What was shared among pieces of work."""
    rest_j: float = 0.0
    """What was drawn above idle while none of them ran."""
    seconds: float = 0.0
    """Time that was measured."""


class Sharing:
    """Divides power among what runs. Thread-safe."""

    def __init__(
        self,
        idle: Idle | None = None,
        *,
        refresh: Callable[[], object] | None = None,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`idle` learns what rest draws. `clock` has to be the meter's own.

        `refresh`, for which the meter's `sample` is made, is called before and after each piece of work, so that its
        power is told from that before it, and its energy known at its end and not at the next reading: but for up to
        the meter's FRESH_S, so that of shorter work nothing may be covered then. `estimate` is what to show. Once all
        is known, the listener hears `energy` with `name`, `joules`, `covered_s`, `seconds` and `net`, unless the work
        was begun with an ear of its own.
        """
        self._idle = idle or Idle()
        self._refresh, self._listener, self._clock = refresh, listener, clock
        self._lock = threading.Lock()
        self._price = Trace(_MOST_SPANS)
        self._running: list[Work] = []
        self._ended: list[Work] = []
        self._long: list[Work] = []
        self._quiet_from = clock()
        self._division = Division()

    def begin(self, name: str, weight: float = 1.0, told: Told | None = None, *, standing: bool = False) -> Work:
        """A piece of work begins now; `end` has to follow. Raises ValueError for a weight that is not above 0.

        `told` hears what it cost, in whichever thread came to know it and outside of every lock. While nothing but
        `standing` work runs, idle power is learnt, which then has the power of that work in it.
        """
        if not 0 < weight < math.inf:
            raise ValueError(f"energy: expected a weight above 0 that is finite, got {weight}")
        if self._refresh is not None:
            self._refresh()
        with self._lock:  # and the clock inside it: what begins now lies behind every span that was divided
            work = Work(name, weight, self._clock(), self._idle.watts is not None, None, told, standing)
            self._running.append(work)
        return work

    def end(self, work: Work) -> None:
        """It ends now. A second call does nothing."""
        with self._lock:
            if work.ended is not None:
                return
            work.ended = self._clock()
            self._running.remove(work)
            self._ended.append(work)
            if not work.standing:
                self._quiet_from = work.ended + QUIET_S
            late, self._ended = self._ended[:-_MOST_ENDED], self._ended[-_MOST_ENDED:]
        self._tell(late)
        if self._refresh is not None:
            self._refresh()

    @contextmanager
    def measure(self, name: str, weight: float = 1.0) -> Iterator[Work]:
        """A piece of work for as long as the block runs."""
        work = self.begin(name, weight)
        try:
            yield work
        finally:
            self.end(work)

    def energy(self, work: Work, begin: float | None = None, end: float | None = None) -> Energy:
        """What `work` cost, between two moments of it if they are given; up to now while it runs.

        `covered_s` says how much of that was measured and is still kept (two minutes after its end): 0 on a machine
        without sensors.
        """
        with self._lock:
            return self._cost(work, begin, end)

    @property
    def division(self) -> Division:
        """Where all energy went that was measured."""
        with self._lock:
            return self._division

    @property
    def idle_watts(self) -> float | None:
        """What the machine draws while nothing runs; None until it was at rest for a while."""
        with self._lock:
            return self._idle.watts

    def observe(self, span: Span) -> None:
        """Divide the power of `span`, which follows those before it: what the meter calls for each of its spans."""
        with self._lock:
            busy = self._divide(span)
            if not busy and span.begin >= self._quiet_from:
                self._idle.add(span.watts)
            done, later = list[Work](), list[Work]()
            for work in self._ended:
                (done if _by(work, span.end) else later).append(work)
            self._ended = later
            costs = [(work, self._cost(work, None, None)) for work in done]
            long = [work for work in (*self._long, *done) if not _by(work, work.began + _SHORT_S)]
            self._long = [work for work in long if not _by(work, span.end - KEEP_S)]
            oldest = min((work.began for work in (*self._running, *self._ended, *self._long)), default=span.end)
            self._price.forget(min(oldest, span.end - KEEP_S - _SHORT_S))
        for work, cost in costs:
            self._told(work, cost)

    def settle(self) -> None:
        """Tell what has ended as far as it is known now: there will be no further reading."""
        with self._lock:
            late, self._ended = self._ended, []
        self._tell(late)

    def _divide(self, span: Span) -> bool:
        """Book `span` piece by piece: between two changes the same work runs. Whether any was no standing one."""
        # Hundreds of short turns a second make hundreds of pieces of each reading: plain numbers, and no objects, in
        # this loop keep the meter below its share of a core (`benchmarks.meter`).
        busy, changes = False, list[tuple[float, float]]()  # moments, and the weight that comes or goes
        for work in (*self._running, *self._ended):
            began, ended = max(work.began, span.begin), span.end if work.ended is None else min(work.ended, span.end)
            if ended > began:
                changes += [(began, work.weight), (ended, -work.weight)]
                busy = busy or not work.standing
        changes.sort(key=_moment)
        changes.append((span.end, 0.0))
        slope, begin, first = (span.last - span.first) / span.seconds, span.begin, span.first
        moment, watts, weight, count = begin, first, 0.0, 0
        # Before the board was at rest for a while: what is drawn when nothing runs is that rest, and else unknown.
        known = self._idle.watts
        whole_j = shared_j = rest_j = 0.0
        for at, change in changes:
            if at > moment:
                then = first + slope * (at - begin)
                whole_j += (at - moment) * (watts + then) / 2
                if count:
                    shared_j += self._price_of(moment, at, watts, then, known or 0.0, weight)
                elif known is not None:
                    rest_j += sum(part.joules for part in _above(Span(moment, at, watts, then), known))
                moment, watts = at, then
            weight, count = weight + change, count + (change > 0) - (change < 0)
        was = self._division
        self._division = Division(
            idle_j=was.idle_j + whole_j - shared_j - rest_j,
            shared_j=was.shared_j + shared_j,
            rest_j=was.rest_j + rest_j,
            seconds=was.seconds + span.seconds,
        )
        return busy

    def _price_of(self, begin: float, end: float, first: float, last: float, idle: float, weight: float) -> float:
        """Keep the price of a piece in which work of `weight` runs; the joules above `idle`."""
        first, last = first - idle, last - idle
        if first >= 0 and last >= 0:
            self._price.add(Span(begin, end, first / weight, last / weight))
            return (end - begin) * (first + last) / 2
        above = _above(Span(begin, end, first, last), 0.0)
        for part in above:
            self._price.add(Span(part.begin, part.end, part.first / weight, part.last / weight))
        return sum(part.joules for part in above)

    def _cost(self, work: Work, begin: float | None, end: float | None) -> Energy:
        ended = self._clock() if work.ended is None else work.ended
        begin = work.began if begin is None else max(begin, work.began)
        end = ended if end is None else min(end, ended)
        priced = self._price.energy(begin, end)
        return priced if work.weight == 1.0 else replace(priced, joules=priced.joules * work.weight)

    def _tell(self, late: list[Work]) -> None:
        for work in late:
            self._told(work, self.energy(work))

    def _told(self, work: Work, cost: Energy) -> None:
        if work.told is not None:
            work.told(work, cost)
            return
        self._listener(
            "energy",
            name=work.name,
            joules=cost.joules,
            covered_s=cost.covered_s,
            seconds=cost.seconds,
            net=work.net,
        )


_moment = itemgetter(0)


def _by(work: Work, moment: float) -> bool:
    """Whether `work` had ended by that moment."""
    return work.ended is not None and work.ended <= moment


def _above(piece: Span, idle: float) -> list[Span]:
    """What of `piece` lies above `idle`, as spans of watts above it, 0 where nothing does; cut where it crosses."""
    first, last = piece.first - idle, piece.last - idle
    if (first >= 0) == (last >= 0):
        return [Span(piece.begin, piece.end, max(0.0, first), max(0.0, last))]
    crossing = piece.begin + piece.seconds * (first / (first - last))
    if not piece.begin < crossing < piece.end:
        return [Span(piece.begin, piece.end, max(0.0, first), max(0.0, last))]
    return [
        Span(piece.begin, crossing, max(0.0, first), 0.0),
        Span(crossing, piece.end, 0.0, max(0.0, last)),
    ]
