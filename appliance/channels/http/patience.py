"""How long a socket may keep its thread waiting, reading and writing: a client that trickles bytes gives it up."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

SLOWEST = 128 * 1024
"""Bytes per second below which a body takes too long."""
GRACE_S = 1.0
"""Seconds that a client may be slow while others wait for a thread."""
LOOK_S = 0.25
"""How often a thread that waits for its client looks whether others wait."""


class Patience:
    """How long one socket may keep its thread waiting; raises TimeoutError when that is over.

    Only the time spent waiting for the peer counts against it, and every byte that moves earns some of it back.
    """

    def __init__(self, sock: Any, silence: float, hurried: Callable[[], bool]) -> None:
        self._sock, self._silence, self._hurried = sock, silence, hurried
        self._deadline: float | None = None
        self._waited = 0.0
        self._moved = 0

    def renew(self, seconds: float | None) -> None:
        """Begin anew: `seconds` in total from now, no deadline when None."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._waited, self._moved = 0.0, 0
        self._sock.settimeout(self._silence)

    def bound(self, seconds: float) -> None:
        """End `seconds` from now at the latest; what was waited and moved so far still counts."""
        self._deadline = time.monotonic() + seconds

    def call(self, transfer: Callable[[], int]) -> int:
        """Do one transfer on the socket, at most `silence` seconds long."""
        began = time.monotonic()
        until = began + self._silence if self._deadline is None else min(began + self._silence, self._deadline)
        now = began
        while True:
            waited = self._waited + now - began
            if now >= until or (waited > GRACE_S + self._moved / SLOWEST and self._hurried()):
                raise TimeoutError("timed out")
            self._sock.settimeout(min(LOOK_S, until - now))
            try:
                moved = transfer()
            except TimeoutError:
                now = time.monotonic()
                continue
            self._waited += time.monotonic() - began
            self._moved += moved
            return moved


class DeadlineReader(socket.SocketIO):
    """Raw socket input that raises TimeoutError after `silence` seconds without a byte or past its deadline."""

    def __init__(self, sock: socket.socket, silence: float, hurried: Callable[[], bool]) -> None:
        super().__init__(sock, "rb")
        self._own = sock
        self._patience = Patience(sock, silence, hurried)

    def within(self, seconds: float | None) -> None:
        """Give everything read from now on `seconds` in total; None lifts the deadline."""
        self._patience.renew(seconds)

    def readinto(self, buffer: Any) -> int | None:
        """Read at least a byte in the time that is left."""
        return self._patience.call(lambda: self._own.recv_into(buffer))


class DeadlineWriter(socket.SocketIO):
    """Raw socket output for a client that may be slow to fetch its answer."""

    def __init__(self, sock: socket.socket, silence: float, hurried: Callable[[], bool]) -> None:
        super().__init__(sock, "wb")
        self._own = sock
        self._patience = Patience(sock, silence, hurried)

    def renew(self) -> None:
        """A new answer begins."""
        self._patience.renew(None)

    def within(self, seconds: float) -> None:
        """Give the rest of this answer `seconds` in total."""
        self._patience.bound(seconds)

    def write(self, data: Any) -> int | None:
        """Send at least a byte."""
        return self._patience.call(lambda: self._own.send(data))
