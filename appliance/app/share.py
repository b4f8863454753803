"""How much of the appliance one customer session may use at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from appliance.errors import TooManyRequests


class SessionShare:
    """Counts the requests of each session that are being worked on."""

    def __init__(self, most: int) -> None:
        """Allow `most` requests of one session at once."""
        self._most = most
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, session: str | None) -> Iterator[None]:
        """Count one request of `session`; raise TooManyRequests when it has its share already."""
        if session is None:  # a new session cannot have a request yet
            yield
            return
        with self._lock:
            if self._busy[session] >= self._most:
                raise TooManyRequests(
                    f"session: expected at most {self._most} requests at once, got one more", retry_after=1
                )
            self._busy[session] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[session] -= 1
                if self._busy[session] == 0:
                    del self._busy[session]
