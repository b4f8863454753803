"""A thread that reads the machine's power a few times a second, and keeps it.

It survives whatever happens to what it reads: a reading that fails is a gap in the trace and an event, after some of
them the sensors are looked for anew (a driver that is loaded again gives them other paths), and in between it waits
longer and longer. Its cost (`cpu_s`) is held below 0.5 % of a core by `python -m benchmarks.meter --check`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from appliance.device.power import Health, Power
from appliance.device.trace import Energy, Span, Trace
from appliance.errors import ApplianceError
from appliance.listener import Listener, silent

EVERY_S = 0.2
"""Seconds between two readings."""
LONGEST_EVERY_S = 1.0
"""The same at most: what lies between two readings of rails that are more than 2 s apart is a gap."""
KEEP_S = 600.0
"""Seconds that are kept."""
FRESH_S = 0.05
"""A reading that is younger than this is not read again."""

_ANEW = 3
"""Failures in a row after which the sensors are looked for anew."""
_LONGEST_WAIT_S = 60.0
_LONGEST_READING_S = 5.0
_MOST_SPANS = 50_000

_Self = TypeVar("_Self", bound="Meter")


class Meter:
    """Reads power in a thread of its own. Thread-safe."""

    def __init__(
        self,
        find: Callable[[], Power],
        *,
        every_s: float = EVERY_S,
        keep_s: float = KEEP_S,
        observers: Sequence[Callable[[Span], object]] = (),
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find at once what `find` finds; after `start`, read it every `every_s` seconds and keep `keep_s` of it.

        Each span is given to `observers` in the order of time. `clock` gives the seconds of all moments here.
        """
        if not 0 < every_s <= min(keep_s, LONGEST_EVERY_S):
            raise ValueError(f"meter: expected 0 < every_s <= {LONGEST_EVERY_S} and keep_s, got {every_s} and {keep_s}")
        self._find, self._every_s, self._keep_s = find, every_s, keep_s
        self._observers, self._listener, self._clock = tuple(observers), listener, clock
        self._reading = threading.Lock()  # held while reading and telling, so that spans stay in order
        self._kept = threading.Lock()  # held for a moment around the trace and the health
        self._power = find()
        self._trace = Trace(_MOST_SPANS)
        self._failures, self._reason = 0, ""
        self._read_at: float | None = None
        self._nudged_at: float | None = None
        self._done = threading.Condition()
        self._done_at = -math.inf  # when the thread's last good reading began
        self._since: float | None = None  # when the reading in hand began
        self._over = threading.Event()
        self._wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power-meter", daemon=True)
        self._cpu_s = 0.0

    def start(self) -> None:
        """Begin to read. Raises RuntimeError when it was started before."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading, and wait a few seconds for the reading in hand; what was kept stays."""
        self._over.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_READING_S)

    def __enter__(self: _Self) -> _Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sample(self, fresh_s: float = FRESH_S) -> bool:
        """Read once now, unless the last reading is younger than that; whether power is known so far. Never raises.

        For whoever needs the energy up to this moment: between two turns of the thread up to `every_s` are missing.
        What fails is left to the thread, so that nobody waits for a broken sensor at every request.
        """
        # A bus that hangs holds the thread, and must hold nobody else, not even for a moment at every request.
        if self._in_hand_s <= FRESH_S and self._thread.is_alive():
            return self._asked(fresh_s)
        if self._in_hand_s > FRESH_S or not self._reading.acquire(timeout=FRESH_S):
            return False
        try:
            if self._failures or not self._power.available:
                return False
            fresh = self._read_at is not None and self._clock() - self._read_at < fresh_s
            return fresh or self._read()
        finally:
            self._reading.release()

    def _asked(self, fresh_s: float) -> bool:
        """Have the thread read and wait for that a moment: a reading that hangs then hangs there, and not here."""
        oldest = self._clock() - fresh_s
        with self._done:
            if not self._failures and self.available and self._done_at <= oldest:
                self._wanted.set()
                self._done.wait_for(lambda: self._done_at > oldest or self._failures > 0, FRESH_S)
            return not self._failures and self._done_at > oldest

    def nudge(self) -> None:
        """Have the thread read now instead of at its next turn, unless the last reading is younger than 50 ms.

        It costs the caller nothing: at the beginning of work, so that its power is told from what was before it. Once
        between two turns at most: of hundreds of short requests a second it matters little which one is read beside.
        """
        read_at, now = self._read_at, self._clock()
        if read_at is None or now - read_at < FRESH_S or self._failures:
            return
        if self._nudged_at is None or now - self._nudged_at >= self._every_s:
            self._nudged_at = now  # two at once set it twice, and wake the thread once
            self._wanted.set()

    @property
    def available(self) -> bool:
        """Whether there is anything to read."""
        with self._kept:
            return self._power.available

    @property
    def health(self) -> Health:
        """What is read, and whether that goes well; a reading that does not end is one that failed."""
        hanging_s = self._in_hand_s
        with self._kept:
            name, failures, reason = self._power.name, self._failures, self._reason
            if hanging_s > _LONGEST_READING_S:
                failures, reason = failures + 1, f"{name}: one reading takes {hanging_s:.0f} s and has not ended"
            return Health(name, self._power.covers, failures, reason)

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the thread has taken since it began."""
        return self._cpu_s

    @property
    def watts(self) -> float | None:
        """Power at the latest reading; None when there is none that is younger than three turns."""
        with self._kept:
            last = self._trace.last
        return last.last if last is not None and self._clock() - last.end <= 3 * self._every_s else None

    def mean_watts(self, seconds: float) -> float | None:
        """Mean power of the last `seconds`; None when less than half of them was measured."""
        now = self._clock()
        return self.energy(now - seconds, now).watts

    def energy(self, begin: float, end: float) -> Energy:
        """Energy between two moments of the clock, as far as it is kept."""
        with self._kept:
            return self._trace.energy(begin, end)

    def spans(self, begin: float, end: float) -> list[Span]:
        """Power between two moments, for a picture."""
        with self._kept:
            return list(self._trace.spans(begin, end))

    @property
    def _in_hand_s(self) -> float:
        since = self._since
        return 0.0 if since is None else self._clock() - since

    def _run(self) -> None:
        wait = 0.0
        while True:
            self._wanted.wait(wait)
            self._wanted.clear()
            if self._over.is_set():
                return
            with self._reading:
                good, wait = self._read(), self._wait()
            with self._done:
                self._done_at = self._read_at if good and self._read_at else self._done_at
                self._done.notify_all()
            self._cpu_s = time.thread_time()

    def _wait(self) -> float:
        """Seconds to the next reading: the more, the longer it has failed, and long where there is nothing to read."""
        if not self._power.available:
            return _LONGEST_WAIT_S
        doubled = max(0, min(self._failures, 20) - 1)
        return min(_LONGEST_WAIT_S, self._every_s * float(1 << doubled))

    def _read(self) -> bool:
        """One reading, kept and told. The caller holds `_reading`."""
        self._read_at = self._since = self._clock()
        try:
            span = self._look()
        except Exception as error:  # noqa: BLE001 - whatever a sensor does, the thread that reads it has to go on
            self._failed(error.detail if isinstance(error, ApplianceError) else repr(error))
            return False
        finally:
            self._since = None
        if self._failures:
            self._say("power_back", source=self._power.name, failures=self._failures)
        with self._kept:
            self._failures, self._reason = 0, ""
        if span is not None:
            self._tell(span)
        return True

    def _look(self) -> Span | None:
        """The power since the last look, kept; what has failed for a while is looked for anew."""
        if self._failures >= _ANEW or (self._failures and not self._power.available):
            found = self._find()
            with self._kept:
                self._power = found
        span = self._power.span(self._clock)
        if span is not None:
            with self._kept:
                self._trace.add(span)
                self._trace.forget(span.end - self._keep_s)
        return span

    def _failed(self, reason: str) -> None:
        with self._kept:
            self._failures, self._reason = self._failures + 1, reason
        if self._failures == 1:
            self._say("power_unreadable", source=self._power.name, reason=reason)

    def _tell(self, span: Span) -> None:
        for observer in self._observers:
            try:
                observer(span)
            except Exception as error:  # noqa: BLE001 - one that fails must not take the others' power away
                self._say("power_observer_failed", reason=repr(error))

    def _say(self, event: str, **fields: object) -> None:
        with suppress(Exception):  # the thread has to go on, whoever listens
            self._listener(event, **fields)
