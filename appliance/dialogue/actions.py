"""What a flow does in the world, through one interface: a name, arguments, a context with an idempotency key, a result.

Built in: looking into the pack's tables, counting days and fees, taking a numbered ticket, handing over. An action
that leaves the process (HTTP, a printer) sets `timeout_s` and is then run beside the turn and given up in time.
"""

from __future__ import annotations

import datetime
import threading
import time as clocks
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from appliance.dialogue.tracker import Change
from appliance.errors import ApplianceError
from appliance.listener import Listener, silent
from appliance.packs.schema import Row
from appliance.records.events import EventLog
from appliance.request import carried

Tables = Mapping[str, tuple[Row, ...]]


@dataclass(frozen=True, slots=True)
class Context:
    """What an action may know beside its arguments."""

    key: str
    """Idempotency key: the same key never does the same thing twice."""
    language: str
    """`zh` or `en`."""
    now: datetime.datetime
    """Local time of the turn."""
    tables: Tables
    """The pack's tables."""
    sure: bool = True
    """False when `now` cannot be right: nothing is to be concluded from it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an action."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """What the flow may use under the result's name."""
    changes: tuple[Change, ...] = ()
    """Events to log with the turn."""
    ok: bool = True
    """False when it could not be done; the flow then says so."""
    error: str = ""
    """Why not, for the log."""
    durable: bool = False
    """True when the customer was promised something that must survive a power cut."""


class Action(Protocol):
    """One thing that a flow can do."""

    @property
    def name(self) -> str:
        """Name in flows.yaml."""

    @property
    def timeout_s(self) -> float | None:
        """Seconds after which it is given up; None for one that only computes in memory."""

    def run(self, arguments: Mapping[str, object], context: Context) -> Result:
        """Do it; raises ApplianceError or OSError when the world does not let it."""


class Actions:
    """Runs actions: once per idempotency key, in time, and with an honest result when one fails."""

    def __init__(self, actions: Iterable[Action], *, listener: Listener = silent, waiting: int = 4) -> None:
        self._actions = {action.name: action for action in actions}
        self._listener = listener
        self._waiting = waiting
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    @property
    def names(self) -> frozenset[str]:
        """Names of all actions."""
        return frozenset(self._actions)

    def run(
        self, name: str, arguments: Mapping[str, object], context: Context, done: MutableMapping[str, Result]
    ) -> Result:
        """Result of the action; one that succeeded before under the same key is returned again and not repeated."""
        if context.key in done:
            # It happened once, so it is logged once.
            return replace(done[context.key], changes=(), durable=False)
        started = clocks.perf_counter()
        result = self._attempt(self._actions[name], arguments, context)
        taken = (clocks.perf_counter() - started) * 1000
        self._listener("action", name=name, ok=result.ok, milliseconds=taken, error=result.error)
        if result.ok:
            done[context.key] = result
        return result

    def _attempt(self, action: Action, arguments: Mapping[str, object], context: Context) -> Result:
        try:
            if action.timeout_s is None:
                return action.run(arguments, context)
            return self._beside().submit(carried(action.run), arguments, context).result(action.timeout_s)
        except Late:
            return Result(ok=False, error=f"no answer within {action.timeout_s} s")
        except (ApplianceError, OSError) as error:
            return Result(ok=False, error=f"{type(error).__name__}: {error}")

    def _beside(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._waiting, thread_name_prefix="action")
            return self._pool

    def close(self) -> None:
        """Give up what has not begun."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


class Ticket:
    """Takes a number of a queue: a letter and three digits, from 001 each day, counted on from the event log."""

    name = "ticket"
    timeout_s: float | None = None

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._day = 0
        self._unsure = False
        self._last: dict[str, int] = {}

    def run(self, arguments: Mapping[str, object], context: Context) -> Result:
        """`queue` is the letter; gives `number` and `queue`.

        Raises StorageFailed where the numbers already given cannot be read: none is better than one given twice.
        """
        queue = str(arguments["queue"])
        # A whole number, not a date: the log redacts texts, and this must be read back.
        day = int(context.now.strftime("%Y%m%d"))
        with self._lock:
            if day != self._day:
                # A clock that is set right in the middle of a day begins no new one: its numbers are in people's hands.
                going_on = self._last if self._unsure else {}
                self._day, self._last = day, {**going_on, **self._counted(day)}
            self._unsure = not context.sure
            number = self._last.get(queue, 0) + 1
            self._last[queue] = number
        change = Change("ticket", {"queue": queue, "day": day, "number": number})
        return Result({"number": f"{queue}{number:03d}", "queue": queue}, (change,), durable=True)

    def _counted(self, day: int) -> dict[str, int]:
        last: dict[str, int] = {}
        for event in self._events.all_of_kind("ticket"):
            # An entry of another version may have other fields: it must not cost a customer the number.
            queue, number = str(event.payload.get("queue", "")), event.payload.get("number")
            if event.payload.get("day") == day and isinstance(number, int):
                last[queue] = max(number, last.get(queue, 0))
        return last


class HandOver:
    """Notes that a person takes over; what calls that person is listening (the staff page, later a pager)."""

    name = "hand_over"
    timeout_s: float | None = None

    def __init__(self, listener: Listener = silent) -> None:
        self._listener = listener

    def run(self, arguments: Mapping[str, object], context: Context) -> Result:
        """`reason` says why, `ticket` with which number; gives `reason`."""
        reason = str(arguments["reason"])
        self._listener("hand_over", reason=reason, ticket=str(arguments.get("ticket", "")), language=context.language)
        return Result({"reason": reason}, (Change("handed_over", {"reason": reason}),))


@dataclass(frozen=True, slots=True)
class Computed:
    """An action that only computes: a function of its arguments and context."""

    name: str
    """Name in flows.yaml."""
    compute: Callable[[Mapping[str, object], Context], Mapping[str, Any]]
    """Gives the values of the result."""
    timeout_s: float | None = None
    """None: it stays in memory."""

    def run(self, arguments: Mapping[str, object], context: Context) -> Result:
        """Compute."""
        return Result(self.compute(arguments, context))
