"""Admission: how many requests may be in the house at once. The next one is sent away before everyone grows slow."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.errors import Overloaded, SettingInvalid
from appliance.listener import Listener, silent

_WEIGHT = 0.2
"""Weight of the newest value in the moving average: about the last ten requests decide."""
_LONGEST_S = 60.0
"""Longest wait asked of a client, so that one slow hour does not send it away for good."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Counters of one admission at one moment."""

    capacity: int
    """Requests in the house at most."""
    in_use: int
    """Requests in the house now, queued and running."""
    admitted: int
    """Requests let in since the start."""
    shed: int
    """Requests sent away since the start."""


class Admission:
    """Non-blocking semaphore that counts queued and running requests together. Thread-safe.

    The capacity has to stay below the server's threads (at most half): a gate that is wider than the threads never
    closes, and requests then wait in the server's own queue without bound.
    """

    def __init__(
        self, capacity: int, name: str, listener: Listener = silent, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Let in at most `capacity` (>= 1) at once; `name` stands in errors and events; `clock` gives seconds."""
        if capacity < 1:
            raise SettingInvalid(f"admission {name}: expected a capacity of at least 1, got {capacity}")
        self.name = name
        self._capacity = capacity
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._in_use = self._admitted = self._shed = 0
        self._interval: float | None = None
        self._shut: float | None = None
        self._last = 0.0

    def resize(self, capacity: int) -> None:
        """Let in at most `capacity` (>= 1) from now on; those who are in stay."""
        if capacity < 1:
            raise SettingInvalid(f"admission {self.name}: expected a capacity of at least 1, got {capacity}")
        with self._lock:
            self._capacity = capacity

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be in the house during the block. Raises Overloaded, with seconds to wait, when it is full.

        Tells the listener `shed` (name, capacity, retry_after) for each that is sent away.
        """
        refused = self._enter()
        if refused is not None:
            raise refused
        try:
            yield
        finally:
            with self._lock:
                self._leave()

    def refusal(self, waiting: int = 0) -> Overloaded | None:
        """What `enter` would raise now, counted and told like it; None when there is room. Nothing is entered.

        There is no room either when as many as fill the house are `waiting` before its door, for a thread: on a
        machine that cannot keep up, every request of that queue would wait longer than a refusal takes.
        """
        with self._lock:
            if self._in_use < self._capacity and waiting < self._capacity and self._shut is None:
                return None
            wait = self._send_away()
        return self._told(wait)

    def shut(self, retry_after: float) -> None:
        """Let nobody in from now on; who asks is told to come back after so many seconds. Who is inside may finish."""
        with self._lock:
            self._shut = retry_after

    def _enter(self) -> Overloaded | None:
        with self._lock:
            if self._in_use < self._capacity and self._shut is None:
                if self._in_use == 0:
                    self._last = self._clock()
                self._in_use += 1
                self._admitted += 1
                return None
            wait = self._send_away()
        return self._told(wait)

    def _send_away(self) -> float:
        self._shed += 1
        return self._wait()

    def _told(self, wait: float) -> Overloaded:
        """The refusal. The lock is not held: whoever listens may take his time."""
        self._listener("shed", name=self.name, capacity=self._capacity, retry_after=wait)
        if self._shut is not None:
            return Overloaded(
                f"{self.name}: expected the appliance to take requests, got it changing what it serves",
                retry_after=wait,
            )
        return Overloaded(
            f"{self.name}: expected fewer than {self._capacity} requests at once, got {self._capacity}",
            retry_after=wait,
        )

    @property
    def counters(self) -> Admitted:
        """The counters now."""
        with self._lock:
            return Admitted(self._capacity, self._in_use, self._admitted, self._shed)

    def _leave(self) -> None:
        """Note one departure. Between departures of a busy house lies the service time of one request."""
        now = self._clock()
        interval, self._last = now - self._last, now
        self._in_use -= 1
        if self._interval is None:
            self._interval = interval
        else:
            self._interval += _WEIGHT * (interval - self._interval)

    def _wait(self) -> float:
        """Seconds until all now in the house will have left: service time x requests, whole, 1 to 60."""
        if self._shut is not None:
            return self._shut
        return float(min(max(1, math.ceil((self._interval or 0.0) * self._in_use)), _LONGEST_S))
