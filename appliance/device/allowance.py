"""How much work the power budget leaves room for: what keeps the mean over every 10 s, before the work is begun.

Who only looks at the mean is late: when it is above the budget, the work that made it so has been done. So each piece
of heavy work (a photo, a recording) is let in only when every window of 10 s that it will fall into still keeps the
budget: what was measured, what runs already, and what it is likely to take itself, learnt from those before it. The
window in which a burst begins is no exception, as what is measured of it counts from the first reading.

Estimates are careful: of what a kind of work costs the most that was seen decides, and is forgotten slowly with
each that took less; work of a kind never seen is taken to need half of the room; while something runs, the power
measured last goes on until its end. Nothing here knows what the work is, nor waits: `pace` does. Pure logic.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from appliance.device.trace import Span

WINDOW_S = 10.0
"""Seconds over whose mean the budget is kept."""
MARGIN = 0.1
"""Share of the budget that is not given away: words pass no gate, so that a crowd that asks in words draws from it, and
estimates err. With 0.06 `python -m benchmarks.governor` has windows of 15.2 W on the largest board."""
LEARNS = 0.05
"""Weight of a piece of work that cost less than is known of its kind."""
FIRST_SHARE = 0.5
"""Share of the room that work of a kind never seen is taken to need."""
FIRST_S = 2.0
"""Seconds that it is taken to last."""
SILENT_S = 3.0
"""Seconds without a reading after which only one piece of work may run at a time, and by estimates."""
QUIET_S = 1.0
"""Seconds after the end of work before power counts as that of rest."""
FORESEEN_S = 20.0
"""Longest wait that is foretold."""

_GRID_S = 0.5
_KEEP_S = 40.0
_FAST_S, _SLOW_S = 4.0, 60.0
_AT_REST = 1.1


@dataclass(slots=True)
class Cost:
    """What a kind of work takes, above what is drawn without it."""

    joules: float
    """Energy."""
    seconds: float
    """How long it runs."""

    @property
    def watts(self) -> float:
        """Power while it runs."""
        return self.joules / self.seconds

    def times(self, size: float) -> Cost:
        """That of a piece `size` times as large."""
        return Cost(self.joules * size, self.seconds * size)

    def learn(self, joules: float, seconds: float, most_s: float = math.inf) -> None:
        """Take note of one piece: at once of what is more than was known, and slowly of what is less.

        Beyond `most_s` that holds for the power instead of the time: what stood still for a minute is not to make
        the next one look as if its joules came drop by drop.
        """
        seen = joules / seconds
        watts = max(seen, self.watts + LEARNS * (seen - self.watts))
        self.joules = max(joules, self.joules + LEARNS * (joules - self.joules))
        self.seconds = max(seconds, self.seconds + LEARNS * (seconds - self.seconds))
        if self.seconds > most_s and watts > 0:
            self.seconds = min(self.seconds, self.joules / watts)


@dataclass(slots=True, eq=False)
class Work:
    """One piece that runs, or whose cost is not known yet."""

    kind: str
    """What it is, for example `image`."""
    level: int
    """Level of the ladder that it was begun at: the lower ones take less."""
    size: float
    """How large it is beside others of its kind, for example seconds of sound."""
    began: float
    """Seconds of the clock."""
    watts: float
    """Power that it was let in with."""
    until: float
    """When it should be over."""
    ended: float | None = None
    """When it was; None while it runs."""
    whole: bool = True
    """Whether it was done to its end: what was broken off says nothing of how little its kind takes."""
    alone_s: float = 0.0
    """Its part of the time, less than its length where others ran beside it."""


class Allowance:
    """Keeps the account of one machine. Not thread-safe; every moment is given, and must not go back."""

    def __init__(self, budget_w: float) -> None:
        """Keep `budget_w` watts in the mean over every WINDOW_S."""
        if not 0 < budget_w < math.inf:
            raise ValueError(f"allowance: expected a budget above 0, got {budget_w}")
        self.budget_w = budget_w
        self.share = 1.0
        """Share of the room above rest that may be used, 0 to 1: what heat takes away."""
        self.level = 0
        """Level of the ladder that work is begun at."""
        self._costs: dict[tuple[str, int], Cost] = {}
        self._times: list[float] = []
        self._joules: list[float] = []
        self._last_watts = 0.0
        self._rest: tuple[float, float] | None = None
        self._running: list[Work] = []
        self._ended: list[Work] = []
        self._changed = -math.inf
        self._asked: float | None = None

    @property
    def known(self) -> bool:
        """Whether power was ever read."""
        return bool(self._times)

    @property
    def rest_w(self) -> float:
        """What is drawn without heavy work, rather more than less of it; 0 before the first reading."""
        return 0.0 if self._rest is None else max(self._rest)

    @property
    def cap_w(self) -> float:
        """Watts that are kept in the mean."""
        most = self.budget_w * (1 - MARGIN)
        return min(most, self.rest_w + self.share * max(0.0, most - self.rest_w))

    @property
    def running(self) -> int:
        """Pieces of work that run."""
        return len(self._running)

    def cost(self, kind: str, size: float = 1.0) -> Cost:
        """What a piece of `kind` is taken to need at this level: the nearest level's that takes more, if none is known.

        Where only lower levels are known the first of them holds, until the learning tells.
        """
        known = sorted(level for name, level in self._costs if name == kind)
        if known:
            above = [level for level in known if level <= self.level]
            return self._costs[kind, above[-1] if above else known[0]].times(size)
        room = max(0.1, self.cap_w - self.rest_w) * WINDOW_S
        return Cost(FIRST_SHARE * room, FIRST_S)

    def note(self, spans: Iterable[Span]) -> None:
        """Take note of power that was read, in the order of time; what was known already is left out."""
        for span in spans:
            if self._times and span.end <= self._times[-1]:
                continue
            if not self._times:
                self._times, self._joules = [span.begin], [0.0]
            elif span.begin > self._times[-1]:  # a gap: between two readings the power is taken to be their mean
                if span.begin - self._times[-1] > SILENT_S:
                    self._unseen(span.begin)
                self._add(span.begin, (self._last_watts + span.first) / 2)
            self._add(span.end, span.watts)
            self._last_watts = span.last
            if not self._running and span.begin >= self._changed + QUIET_S:
                self._learn_rest(span)
            self._settle(span.end)
        while len(self._times) > 1000 and self._times[500] < self._times[-1] - _KEEP_S:
            del self._times[:500], self._joules[:500]

    def fits(self, kind: str, now: float, size: float = 1.0) -> bool:
        """Whether a piece of `kind` may begin now."""
        return self._fits(self.cost(kind, size), now, now)

    def wait_s(self, kind: str, now: float, size: float = 1.0) -> float:
        """Seconds until it is likely to fit; FORESEEN_S where that cannot be foretold, as when heat takes all room."""
        if self._times and self._rest is None and not self._running:
            return 2 * QUIET_S
        cost, at = self.cost(kind, size), now
        while at < now + FORESEEN_S:
            if self._fits(cost, now, at):
                return at - now
            at += _GRID_S
        return FORESEEN_S

    def loaded(self, now: float) -> None:
        """What was drawn up to now was no rest: it was spent on the start, which no work stands for."""
        self._share_out(now)

    def begin(self, kind: str, now: float, size: float = 1.0) -> Work:
        """A piece of work begins; `end` has to follow. Raises ValueError unless `size` is above 0."""
        if not 0 < size < math.inf:
            raise ValueError(f"allowance: expected a size above 0, got {size}")
        self._share_out(now)
        cost = self.cost(kind, size)
        work = Work(kind, self.level, size, now, cost.watts, now + cost.seconds)
        self._running.append(work)
        return work

    def end(self, work: Work, now: float, *, whole: bool = True) -> None:
        """It has ended; what it cost is learnt with the next readings. Without `whole` it was broken off."""
        self._share_out(now)
        self._running.remove(work)
        work.ended, work.whole = now, work.whole and whole
        self._ended = [each for each in self._ended if now - (each.ended or now) <= _KEEP_S]  # a meter may stay silent
        self._ended.append(work)

    def _fits(self, cost: Cost, now: float, at: float) -> bool:
        if self.share <= 0:
            return False
        if self._asked is None:
            self._asked = now
        if (now - self._times[-1] if self._times else at - self._asked) > SILENT_S:
            return not self._running
        if self._rest is None:  # it begins with a look at rest, which takes a second
            return False
        cap_j = self.cap_w * WINDOW_S
        if cost.watts * min(cost.seconds, WINDOW_S) > cap_j - self.rest_w * WINDOW_S:
            # It fits into no window at all. Nobody is to wait for ever: it has one for itself after one of rest.
            idle = self._energy(now, at - WINDOW_S, at) <= _AT_REST * self.rest_w * WINDOW_S
            return idle and not any(work.until > at for work in self._running)
        for moment in self._moments(at, at + cost.seconds):
            from_it = cost.watts * (min(moment, at + cost.seconds) - max(at, moment - WINDOW_S))
            if self._energy(now, moment - WINDOW_S, moment) + from_it > cap_j:
                return False
        return True

    def _moments(self, at: float, end: float) -> list[float]:
        """Ends of the windows that work between two moments may be too much for: where power falls, and in between."""
        ends = [end, *(work.until for work in self._running if work.until > at)]
        grid = int((max(ends) - at) / _GRID_S)
        return [*ends, *(at + _GRID_S * (turn + 1) for turn in range(grid))]

    def _energy(self, now: float, begin: float, end: float) -> float:
        """Joules between two moments: as measured, as far as it was, and foreseen beyond."""
        known = self._times[-1]
        joules = self._measured(min(end, known)) - self._measured(min(begin, known))
        if end > known:
            joules += self._foreseen(now, max(begin, known), end)
        return joules

    def _foreseen(self, now: float, begin: float, end: float) -> float:
        """What rest and the work that runs will draw: at least what is drawn now, for as long as that work should."""
        joules, busy = self.rest_w * (end - begin), begin
        for work in self._running:
            until = work.until if work.until > now else now + max(_GRID_S, 0.25 * (work.until - work.began))
            joules += work.watts * max(0.0, min(end, until) - max(begin, work.began))
            busy = max(busy, min(end, until))
        for work in self._ended:  # since the last reading
            joules += work.watts * max(0.0, min(end, work.ended or end) - max(begin, work.began))
        return max(joules, self._last_watts * (busy - begin) + self.rest_w * (end - busy))

    def _measured(self, moment: float) -> float:
        """Joules up to `moment`; before the first reading the board is taken to have been at rest."""
        times = self._times
        if moment <= times[0]:
            return self._joules[0] + (moment - times[0]) * self.rest_w
        at = bisect_right(times, moment)
        if at == len(times):
            return self._joules[-1]
        part = (moment - times[at - 1]) / (times[at] - times[at - 1])
        return self._joules[at - 1] + part * (self._joules[at] - self._joules[at - 1])

    def _add(self, end: float, watts: float) -> None:
        self._joules.append(self._joules[-1] + watts * (end - self._times[-1]))
        self._times.append(end)

    def _learn_rest(self, span: Span) -> None:
        if self._rest is None:
            self._rest = span.watts, span.watts
            return
        fast, slow = (
            old + (span.watts - old) * (1 - math.exp(-span.seconds / time))
            for old, time in zip(self._rest, (_FAST_S, _SLOW_S), strict=True)
        )
        self._rest = fast, slow

    def _share_out(self, now: float) -> None:
        """Between two changes each of those that run has had its part, by the power that it was let in with."""
        together = sum(work.watts for work in self._running)
        for work in self._running:
            part = work.watts / together if together > 0 else 1.0 / len(self._running)
            work.alone_s += part * max(0.0, now - max(self._changed, work.began))
        self._changed = now

    def _unseen(self, until: float) -> None:
        """Nobody measured what was done in a long gap before `until`: it must not teach that work is free."""
        self._ended = [work for work in self._ended if work.began >= until]
        for work in self._running:
            work.whole = work.whole and work.began >= until

    def _settle(self, known: float) -> None:
        """Learn what those cost whose end has been measured."""
        for work in [work for work in self._ended if work.ended is not None and work.ended <= known]:
            self._ended.remove(work)
            seconds = (work.ended or work.began) - work.began
            if seconds <= 0:
                continue
            above = self._measured(work.began + seconds) - self._measured(work.began) - self.rest_w * seconds
            joules, seconds = max(0.0, above) * work.alone_s / seconds / work.size, seconds / work.size
            key = work.kind, work.level
            if not work.whole and joules <= self.cost(work.kind).joules:
                continue  # a photo that is none costs next to nothing, and teaches nothing of photos
            self._costs.setdefault(key, Cost(joules, seconds)).learn(joules, seconds, WINDOW_S / work.size)
