"""Energy in the event log: what each answer cost, and power over time; redacted, chained and pruned as all of it is.

An answer's joules are an event `energy` of its session, written once the meter has covered them. Power is one event
`power` of the log itself every quarter of an hour, with the mean of each minute: a figure every second would wear the
flash of a kiosk that stands still, and a minute lost to a power cut is no loss. Where nothing is measured, neither is
written.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from appliance.app.board import Instruments
from appliance.app.spent import kept
from appliance.device.bill import Cost
from appliance.device.energy import Division
from appliance.records.events import EventLog

MINUTE_S = 60.0
"""Seconds of one mean."""
MINUTES = 15
"""Means in one event."""
MOST = 10_000
"""Costs that wait to be written; of more the oldest are dropped, as the log drops events that it cannot write."""

_LOG = ""
"""The session under which the log writes about itself."""


class History:
    """Writes energy into the event log. `keep` is for any thread, `tend` and `close` for one."""

    def __init__(self, events: EventLog, board: Instruments, clock: Callable[[], float] = time.monotonic) -> None:
        """Write into `events` what `board` measures; `clock` is the board's own."""
        self._events, self._board, self._clock = events, board, clock
        self._costs: deque[tuple[str, Cost]] = deque(maxlen=MOST)
        self._minute = clock()
        self._watts: list[float | None] = []
        self._hottest: list[float | None] = []
        self._division = Division()

    def keep(self, session: str, cost: Cost) -> None:
        """What a request of `session` cost; written at the next turn, because a disk may stall."""
        self._costs.append((session, cost))

    def tend(self) -> None:
        """Write what came since the last call; to be called about once a second."""
        while self._costs:
            with suppress(IndexError):  # the oldest one may go while the queue is full
                session, cost = self._costs.popleft()
                self._events.append(session, "energy", kept(cost))
        now = self._clock()
        while now - self._minute >= MINUTE_S:
            self._end_minute(self._minute, self._minute + MINUTE_S)
            self._minute += MINUTE_S
        if len(self._watts) >= MINUTES:
            self._write()

    def close(self) -> None:
        """Write all that is known."""
        self._board.settle()
        self.tend()
        now = self._clock()
        if now - self._minute >= MINUTE_S / 2:
            self._end_minute(self._minute, now)
        self._write()

    def _end_minute(self, begin: float, end: float) -> None:
        watts, seen = self._board.meter.energy(begin, end).watts, self._board.seen
        self._watts.append(None if watts is None else round(watts, 2))
        hottest = seen.look.heat.hottest_c if seen is not None and seen.age_s < MINUTE_S else None
        self._hottest.append(hottest)

    def _write(self) -> None:
        watts, self._watts = self._watts, []
        hottest, self._hottest = self._hottest, []
        if all(mean is None for mean in watts):  # nothing is measured, or no minute has passed
            return
        now, was = self._board.sharing.division, self._division
        self._division = now
        seen, idle = self._board.seen, self._board.idle_watts
        self._events.append(
            _LOG,
            "power",
            {
                "source": self._board.health.source,
                "mode": seen.look.modes.now if seen is not None else "",
                "minutes": watts,
                "hottest_c": hottest,
                "idle_w": None if idle is None else round(idle, 2),
                "idle_j": round(now.idle_j - was.idle_j, 1),
                "shared_j": round(now.shared_j - was.shared_j, 1),
                "rest_j": round(now.rest_j - was.rest_j, 1),
            },
        )
