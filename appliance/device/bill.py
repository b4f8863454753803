"""What a request costs, stage by stage: whoever works for one bills it, without being told for whom.

A request opens a `Bill` and its thread carries that along. What works in the thread names its stage (`with
stage("detect"):`) and what only waits, in a queue or for a lock, says so (`with waiting():`), so that nobody pays for
the power that others draw meanwhile. Work that is done for a request in another thread takes a `charge` there: the
scheduler's runs, of which joined ones are shared by their rows. Without a bill, and on a machine whose power is not
measured, all of this does nothing.

Each stretch of a stage is a piece of work of the `Sharing`. What a bill says at its end (`known`) is an estimate: the
last stretches lie behind the last reading. Once a reading has covered them the exact sum is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from appliance.device.energy import Sharing, Work
from appliance.device.trace import Energy
from appliance.listener import Listener, silent

OTHER = "other"
"""The stage of what a request does between all stages that have a name."""
BACKGROUND = "background"
"""The door of networks that run for no request: sound at the microphone, self-tests, learning."""

_NOTHING = Energy(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request cost."""

    door: str
    """The way it came in, for example `turn` or `read`."""
    stages: Mapping[str, Energy]
    """Energy by stage, the idle board's share not in it; `seconds` are those in which it worked."""
    net: bool
    """Whether the idle power was known; where it was not, the board's rest is in the energy."""

    @property
    def total(self) -> Energy:
        """All stages together."""
        total = _NOTHING
        for energy in self.stages.values():
            total = _sum(total, energy)
        return total


Then = Callable[[Cost], object]
"""Takes what a request cost, once all of it is known."""


class Bill:
    """The account of one request. `turn` is for its own thread, all else for any."""

    def __init__(self, sharing: Sharing, door: str, listener: Listener = silent, *, standing: bool = False) -> None:
        """Begin with nothing at work. The listener hears `joules`: door, stages, joules, covered_s, seconds, net.

        All of it is `standing` work where it is part of waiting, beside which idle power is learnt.
        """
        self.door, self._standing = door, standing
        self._sharing, self._listener = sharing, listener
        self._lock = threading.Lock()
        self._stage: str | None = None
        self._work: Work | None = None
        self._open: set[Work] = set()  # begun, and not told yet
        self._costs: dict[str, Energy] = {}
        self._said: dict[str, Energy] = {}
        self._net = True
        self._closed = self._settled = False
        self._then: Then | None = None

    def turn(self, stage: str | None) -> str | None:
        """From now on the request's thread works on `stage`, or only waits (None); what it did before."""
        before = self._stage
        if stage != before:
            work, self._work, self._stage = self._work, None, stage
            if work is not None:
                self._sharing.end(work)
            if stage is not None:
                self._work = self.begin(stage)
        return before

    @property
    def stage(self) -> str | None:
        """What the request's thread works on."""
        return self._stage

    def begin(self, stage: str, weight: float = 1.0) -> Work:
        """Something begins to work for this bill; `end` has to follow."""
        work = self._sharing.begin(stage, weight, self._told, standing=self._standing)
        with self._lock:
            self._open.add(work)
            self._net = self._net and work.net
        return work

    def end(self, work: Work) -> None:
        """It ends now."""
        self._sharing.end(work)

    def close(self, then: Then | None = None) -> None:
        """The request is over; `then` hears what it cost when all is known. A second call does nothing."""
        self.turn(None)
        with self._lock:
            if self._closed:
                return
            self._closed, self._then = True, then
        self._settle()

    def known(self) -> Cost:
        """What it cost so far, as far as that was measured."""
        with self._lock:
            stages, running, net = dict(self._costs), list(self._open), self._net
        for work in running:
            stages[work.name] = _sum(stages.get(work.name, _NOTHING), self._sharing.energy(work))
        return Cost(self.door, stages, net)

    def _told(self, work: Work, energy: Energy) -> None:
        with self._lock:
            self._open.discard(work)
            before = self._costs.get(work.name)
            self._costs[work.name] = energy if before is None else _sum(before, energy)
            waits = not self._closed or (bool(self._open) and not self._settled)
        if not waits:
            self._settle()

    def _settle(self) -> None:
        """Say what has not been said yet, once nothing is open any more; what begins after that is said bit by bit."""
        with self._lock:
            if not self._closed or (self._open and not self._settled):
                return
            self._settled = True
            then, self._then = self._then, None
            said, self._said = self._said, dict(self._costs)
            fresh = {stage: _difference(all_of_it, said.get(stage)) for stage, all_of_it in self._costs.items()}
            cost = Cost(self.door, {stage: energy for stage, energy in fresh.items() if energy.seconds > 0}, self._net)
        total = cost.total
        if cost.stages:
            self._listener(
                "joules",
                door=cost.door,
                stages={stage: energy.joules for stage, energy in cost.stages.items()},
                joules=total.joules,
                covered_s=total.covered_s,
                seconds=total.seconds,
                net=cost.net,
            )
        if then is not None:
            then(cost)


@dataclass(frozen=True, slots=True)
class Charge:
    """Leave to work for a bill in another thread."""

    bill: Bill
    """Whose."""
    stage: str
    """On what."""


_bill: ContextVar[Bill | None] = ContextVar("bill", default=None)


class Bills:
    """Opens bills, where power is measured."""

    def __init__(
        self,
        sharing: Sharing,
        measured: Callable[[], bool],
        listener: Listener = silent,
        *,
        begun: Callable[[], object] = lambda: None,
    ) -> None:
        """Bills over `sharing` while `measured` says that there is anything to divide.

        `begun`, for which the meter's `nudge` is made, is called when a request begins: its power is told from then on.
        """
        self._sharing, self._measured, self._listener, self._begun = sharing, measured, listener, begun
        self._house = Bill(sharing, BACKGROUND, listener)
        self._house.close()

    def open(self, door: str, *, standing: bool = False) -> Bill | None:
        """A bill for a request that begins now, and has not to wait for its turn; None where nothing is measured."""
        if not self._measured():
            return None
        if not standing:
            self._begun()
        bill = Bill(self._sharing, door, self._listener, standing=standing)
        bill.turn(OTHER)
        return bill

    def house(self, stage: str) -> Charge | None:
        """Leave to work for no request; None where nothing is measured."""
        return Charge(self._house, stage) if self._measured() else None

    @contextmanager
    def billed(self, door: str, *, standing: bool = False) -> Iterator[None]:
        """What the block does, and has no bill yet, is one request's."""
        bill = self.open(door, standing=standing) if _bill.get() is None else None
        try:
            with paying(bill):
                yield
        finally:
            if bill is not None:
                bill.close()


@contextmanager
def paying(bill: Bill | None) -> Iterator[None]:
    """What this thread does in the block is for `bill`; closing that is left to the caller."""
    if bill is None:
        yield
        return
    token = _bill.set(bill)
    try:
        yield
    finally:
        _bill.reset(token)


@contextmanager
def stage(name: str | None) -> Iterator[None]:
    """What this thread does in the block is that stage of its request; stages within it are their own."""
    bill = _bill.get()
    if bill is None:
        yield
        return
    before = bill.turn(name)
    try:
        yield
    finally:
        bill.turn(before)


def waiting() -> AbstractContextManager[None]:
    """This thread waits in the block, and nobody pays for it."""
    return stage(None)


@contextmanager
def holding(lock: threading.Lock | threading.Semaphore) -> Iterator[None]:
    """Hold `lock` in the block; until it is free nobody pays."""
    if not lock.acquire(blocking=False):
        with waiting():
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def charge() -> Charge | None:
    """What another thread may do in the name of the stage that this thread is at; None without a bill."""
    bill = _bill.get()
    return None if bill is None else Charge(bill, bill.stage or OTHER)


@contextmanager
def charged(charges: Iterable[tuple[Charge | None, float]]) -> Iterator[None]:
    """What the block does is for all of these, each by its weight."""
    works = [(given.bill, given.bill.begin(given.stage, weight)) for given, weight in charges if given is not None]
    try:
        yield
    finally:
        for bill, work in works:
            bill.end(work)


def _sum(one: Energy, other: Energy) -> Energy:
    return Energy(one.joules + other.joules, one.covered_s + other.covered_s, one.seconds + other.seconds)


def _difference(now: Energy, was: Energy | None) -> Energy:
    if was is None:
        return now
    return Energy(now.joules - was.joules, now.covered_s - was.covered_s, now.seconds - was.seconds)
