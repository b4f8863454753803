"""The gate in front of heavy work that keeps the power budget: it waits its turn for room, or is sent away politely.

First come, first served: who waits for room is not overtaken by who needs less. Nobody waits longer than PATIENCE_S;
who would have to is told at once after how many seconds to come again. Words pass no such gate.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.device.allowance import WINDOW_S, Allowance, Work
from appliance.device.bill import waiting
from appliance.device.trace import Span
from appliance.errors import Overloaded
from appliance.listener import Listener, silent

PATIENCE_S = 10.0
"""Longest wait for room."""
LATELY_S = 20.0
"""Seconds for which a wait counts as of now."""

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Account:
    """How it stands with the power budget, for the status."""

    kept_w: float
    """Watts that are kept in the mean: the budget less its margin and what heat takes away."""
    rest_w: float
    """Watts without heavy work."""
    share: float
    """Share of the room above rest that may be used; less than 1 near the ceiling."""
    running: int
    """Pieces of heavy work that run."""
    waiting: int
    """Those that wait for room."""
    waited_s: float
    """Longest wait lately."""
    refused: int
    """Those sent away for want of power since the start."""


class Pace:
    """Lets heavy work in when the budget has room for it. Thread-safe."""

    def __init__(
        self,
        allowance: Allowance,
        spans: Callable[[float, float], Sequence[Span]],
        measured: Callable[[], bool],
        *,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spans` gives the power between two moments of `clock`; where power is not `measured` all pass at once.

        The listener hears `shed` (name, retry_after) for each that is sent away.
        """
        self._allowance, self._spans, self._measured = allowance, spans, measured
        self._listener, self._clock = listener, clock
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._arrived: dict[object, float] = {}
        self._waits: deque[tuple[float, float]] = deque()
        self._noted = clock() - WINDOW_S
        self._refused = 0

    def loaded(self) -> None:
        """What was drawn so far was the start's, and tells nothing of rest."""
        with self._changed:
            self._note()
            self._allowance.loaded(self._clock())

    def limit(self, share: float, level: int) -> None:
        """From now on use `share` (0 to 1) of the room, for work at `level` of the ladder."""
        with self._changed:
            self._allowance.share, self._allowance.level = min(1.0, max(0.0, share)), level
            self._changed.notify_all()

    @contextmanager
    def enter(self, kind: str, deadline: float | None = None, size: float = 1.0) -> Iterator[None]:
        """Do one piece of heavy work of `size` during the block, once there is room for it.

        Raises Overloaded with seconds to wait when there will be none within PATIENCE_S, or before `deadline`.
        """
        if not self._measured():
            yield
            return
        with waiting():
            work = self._wait(kind, deadline, size)
        if isinstance(work, Overloaded):
            self._listener("shed", name="power", retry_after=work.retry_after)
            raise work
        whole = False
        try:
            yield
            whole = True
        finally:
            with self._changed:
                self._note()
                self._allowance.end(work, self._clock(), whole=whole)
                self._changed.notify_all()

    @property
    def waited_s(self) -> float:
        """Longest time that somebody waits, or has waited lately, for room."""
        with self._changed:
            return self._waited()

    @property
    def account(self) -> Account:
        """How it stands."""
        with self._changed:
            self._note()
            own = self._allowance
            waited = self._waited()
            waiting = len(self._queue)
            return Account(own.cap_w, own.rest_w, own.share, own.running, waiting, waited, self._refused)

    def _wait(self, kind: str, deadline: float | None, size: float) -> Work | Overloaded:
        began, me = self._clock(), object()
        patience = PATIENCE_S if deadline is None else min(PATIENCE_S, deadline - began)
        with self._changed:
            self._queue.append(me)
            self._arrived[me] = began
            try:
                while True:
                    self._note()
                    now = self._clock()
                    first = self._queue[0] is me
                    waited = now - began
                    if first and self._allowance.fits(kind, now, size):
                        self._waits.append((now, waited))
                        return self._allowance.begin(kind, now, size)
                    if waited >= patience or (first and waited + self._allowance.wait_s(kind, now, size) > patience):
                        self._refused += 1
                        self._waits.append((now, max(PATIENCE_S, waited)))
                        return self._refusal(kind, now, size)
                    self._changed.wait(_LOOK_S)
            finally:
                self._queue.remove(me)
                del self._arrived[me]
                self._changed.notify_all()

    def _refusal(self, kind: str, now: float, size: float) -> Overloaded:
        wait = max(1.0, self._allowance.wait_s(kind, now, size))
        return Overloaded(
            f"{kind}: expected room in the power budget of {self._allowance.budget_w:g} W, in the mean over "
            f"{WINDOW_S:.0f} s, got none within {PATIENCE_S:.0f} s",
            retry_after=wait,
            remedy=(
                "功率预算暂时用尽；请稍后再试，文字提问不受影响",
                "The power budget is used up for the moment: try again soon, or type; words are answered",
            ),
        )

    def _note(self) -> None:
        now = self._clock()
        spans = self._spans(self._noted, now)
        if spans:
            self._noted = spans[-1].end
            self._allowance.note(spans)

    def _waited(self) -> float:
        now = self._clock()
        while self._waits and now - self._waits[0][0] > LATELY_S:
            self._waits.popleft()
        now_waiting = (now - began for began in self._arrived.values())
        return max((*now_waiting, *(waited for _, waited in self._waits)), default=0.0)
