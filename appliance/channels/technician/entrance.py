"""The way to the service page: a right PIN opens a visit, which ends by itself when nobody touches anything.

A visit is known by a random name, in memory alone; a right PIN elsewhere ends the one before it. What counts as a touch
is said by the page, for a level meter that asks for itself ten times a second is nobody's presence.
"""

from __future__ import annotations

import hmac
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from appliance.channels.technician.lockout import Lockout
from appliance.channels.technician.pin import matches
from appliance.errors import PinWrong, TooManyRequests, VisitOver

log = logging.getLogger(__name__)

IDLE_S = 300.0
"""Seconds without a touch after which a visit is over."""
LONGEST_S = 3600.0
"""Seconds after which it is over all the same: a broken touch screen touches itself."""


@dataclass(slots=True)
class _Visit:
    """The one visit that is open."""

    name: str
    began: float
    touched: float


class Entrance:
    """Lets the technician in, one visit at a time. Thread-safe."""

    def __init__(self, pin: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`pin` is the setting `service_pin`, a hash; empty: nobody is let in."""
        self._pin = pin
        self._clock = clock
        self._trying = threading.Lock()
        self._lockout = Lockout(clock)
        self._lock = threading.Lock()
        self._visit: _Visit | None = None

    @property
    def offered(self) -> bool:
        """True where there is a PIN."""
        return bool(self._pin)

    @property
    def wait_s(self) -> int:
        """Whole seconds until the next PIN is looked at; 0 when it is at once."""
        return math.ceil(self._lockout.wait_s)

    def enter(self, pin: str) -> str:
        """Open a visit, ending the one before; gives its name.

        Raises PinWrong, and TooManyRequests while it is shut: what is typed then is not looked at, and costs nothing.
        """
        with self._trying:  # one at a time: guesses side by side would all pass before the first one counts
            if wait := self._lockout.wait_s:
                raise TooManyRequests(
                    f"PIN: expected nothing for another {math.ceil(wait)} s after {self._lockout.wrong} wrong ones",
                    remedy=(f"请等 {math.ceil(wait)} 秒后再试", f"Try again in {math.ceil(wait)} s"),
                    retry_after=wait,
                )
            if not (self._pin and matches(pin, self._pin)):
                self._lockout.fail()
                log.warning("a wrong PIN, %d in a row; shut for %d s", self._lockout.wrong, self.wait_s)
                raise PinWrong("PIN: expected the technician's, got another one")
            self._lockout.forget()
        now = self._clock()
        with self._lock:
            if self._alive():
                log.info("the technician's visit is over: another one begins")
            self._visit = _Visit(secrets.token_urlsafe(32), now, now)
            log.info("a technician's visit begins")
            return self._visit.name

    def left_s(self, name: str) -> float:
        """Seconds until the visit of this name ends by itself. Raises VisitOver."""
        with self._lock:
            visit = self._of(name)
            return self._end(visit) - self._clock()

    def open(self, name: str) -> bool:
        """True while the visit of this name goes on."""
        with self._lock:
            return self._known(name)

    def touch(self, name: str) -> float:
        """Somebody is there: the idle time begins anew; gives `left_s`. Raises VisitOver."""
        with self._lock:
            visit = self._of(name)
            visit.touched = self._clock()
            return self._end(visit) - self._clock()

    def leave(self, name: str) -> None:
        """End the visit of this name. Raises VisitOver."""
        with self._lock:
            self._of(name)
            self._visit = None
            log.info("the technician's visit is over: left")

    @staticmethod
    def _end(visit: _Visit) -> float:
        return min(visit.touched + IDLE_S, visit.began + LONGEST_S)

    def _alive(self) -> bool:
        if self._visit is not None and self._clock() >= self._end(self._visit):
            self._visit = None
            log.info("the technician's visit is over: nobody touched anything, or it was too long")
        return self._visit is not None

    def _known(self, name: str) -> bool:
        if not self._alive() or self._visit is None:
            return False
        return hmac.compare_digest(self._visit.name.encode(), name.encode("utf-8", "replace"))

    def _of(self, name: str) -> _Visit:
        if not self._known(name) or self._visit is None:
            raise VisitOver("Technician-Visit: expected the name of an open visit, got none or one that is over")
        return self._visit
