"""Sessions in memory: unguessable names, an idle limit and a cap, each in constant work a turn."""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable

from appliance.dialogue.actions import Result
from appliance.dialogue.tracker import Change, SessionState
from appliance.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9_-]{24}")


def new_name() -> str:
    """A session name of 144 random bits, 24 characters."""
    return secrets.token_urlsafe(18)


class Session:
    """One customer's session. Hold `lock` while reading or changing anything but `name`."""

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.state = SessionState()
        self.used = now
        """Monotonic seconds of the last use."""
        self.results: dict[str, Result] = {}
        """Results of actions by idempotency key, of the current task."""
        self.secrets: dict[str, str] = {}
        """Personal texts of the whole session with their masks: an answer may be repeated after its task is gone."""
        self.unlogged: list[Change] = []
        """Changes to log with the next turn, so that a turn is one transaction."""


class Sessions:
    """All open sessions: at most `capacity`, none idle longer than `idle_s` seconds."""

    def __init__(self, capacity: int, idle_s: float, monotonic: Callable[[], float]) -> None:
        self._capacity, self._idle_s, self._monotonic = capacity, idle_s, monotonic
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def find(self, name: str | None) -> Session | None:
        """The open session of that name, marked as used, or None for a name unknown, malformed or idle too long."""
        if name is None or not _NAME.fullmatch(name):
            return None
        now = self._monotonic()
        with self._lock:
            session = self._open.get(name)
            # An idle session is left for `expired`, which says so before it goes.
            if session is None or now - session.used > self._idle_s:
                return None
            session.used = now
            self._open.move_to_end(name)
            return session

    def start(self) -> tuple[Session, list[Session]]:
        """A new session, and those that had to go for it (the longest idle ones)."""
        session = Session(new_name(), self._monotonic())
        gone: list[Session] = []
        with self._lock:
            while len(self._open) >= self._capacity:
                gone.append(self._open.popitem(last=False)[1])
            self._open[session.name] = session
        return session, gone

    def adopt(self, name: str) -> Session:
        """Open a session under a name that `start` gave out and that went between two calls.

        Raises InvalidInput for a name that `start` cannot have given out.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInput("session: expected a name that the appliance gave out, got another")
        session = Session(name, self._monotonic())
        with self._lock:
            return self._open.setdefault(name, session)

    def drop(self, name: str) -> Session | None:
        """Forget a session and return it, or None when there is none."""
        with self._lock:
            return self._open.pop(name, None)

    def expired(self) -> list[Session]:
        """Forget and return the sessions that have been idle too long. They stand in front: the order is by use."""
        now, gone = self._monotonic(), []
        with self._lock:
            while self._open:
                first = next(iter(self._open.values()))
                if now - first.used <= self._idle_s:
                    break
                gone.append(self._open.popitem(last=False)[1])
        return gone

    def all(self) -> list[Session]:
        """Forget and return all sessions."""
        with self._lock:
            gone = list(self._open.values())
            self._open.clear()
        return gone
