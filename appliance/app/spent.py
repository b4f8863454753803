"""What a request takes: milliseconds and joules by stage, known when it ends and told whether it succeeds or fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from appliance.app.board import Instruments
from appliance.device.bill import Bill, Cost, paying
from appliance.device.meter import FRESH_S
from appliance.listener import Listener
from appliance.values import Joules, OcrResult, Reply, Transcript

_Answered = TypeVar("_Answered", Reply, OcrResult, Transcript)

Keep = Callable[[str, Cost], object]
"""Keeps what a request of this session cost; the session is empty where none was opened."""


@dataclass(slots=True)
class Spent:
    """What one request has taken so far."""

    board: Instruments
    """What measures power."""
    bill: Bill | None
    """The account of its energy; None where power is not measured."""
    keep: Keep
    """Takes what it cost, when that is known."""
    timings: dict[str, float] = field(default_factory=dict)
    """Milliseconds by stage; `total` comes last."""
    over: bool = False
    """Whether its energy has ended."""

    def answered(self, made: _Answered) -> _Answered:
        """The request ends with this, which gets the joules that are known by now."""
        bill = self.bill
        if bill is None:
            return made
        session, keep = made.session if isinstance(made, Reply) else "", self.keep
        self.close(lambda cost: keep(session, cost))
        return replace(made, joules=joules(bill.known(), self.board.health.source))

    def close(self, then: Callable[[Cost], object] | None = None) -> None:
        """The request's energy ends now; `then` hears it when all of it is known. A second call does nothing."""
        if self.bill is None or self.over:
            return
        self.over = True
        self.bill.close(then)
        # Worth a reading of the bus, a few milliseconds, only where the work took longer than readings lie apart.
        if self.bill.known().total.seconds >= FRESH_S:
            self.board.meter.sample()
        else:
            self.board.meter.nudge()


@contextmanager
def spent(door: str, board: Instruments, keep: Keep, listener: Listener) -> Iterator[Spent]:
    """Count what the block takes, which is past every queue in front of the door; the listener hears `timings`."""
    bill = board.bills.open(door)
    counted = Spent(board, bill, keep)
    begin = time.perf_counter()
    try:
        with paying(bill):
            yield counted
    finally:
        counted.close()
        counted.timings["total"] = (time.perf_counter() - begin) * 1000
        listener("timings", door=door, stages=dict(counted.timings))


def joules(cost: Cost, source: str) -> Joules:
    """What is known of a cost."""
    stages = {name: energy.estimate for name, energy in cost.stages.items()}
    return Joules(cost.total.estimate, stages, cost.net, source)


def kept(cost: Cost) -> Mapping[str, object]:
    """A cost as the event log keeps it: millijoules are below what the sensors tell."""
    total = cost.total
    return {
        "door": cost.door,
        "joules": round(total.joules, 3),
        "stages": {name: round(energy.joules, 3) for name, energy in cost.stages.items()},
        "seconds": round(total.seconds, 3),
        "covered_s": round(total.covered_s, 3),
        "net": cost.net,
    }
