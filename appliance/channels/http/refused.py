"""Connections for which there is no place: each hears a 503 that it can read, and is closed a moment later."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections import deque

from appliance.channels.http.problems import problem_json
from appliance.errors import Overloaded

log = logging.getLogger(__name__)

FAREWELL_S = 1.0
"""Seconds that a refused connection stays open: closed over what its client is still sending, it would be reset and the
answer lost (RFC 9112, section 9.6)."""
FAREWELLS = 64
"""Refused connections that stay open at once; beyond them the oldest goes before its time."""
PIECE = 65536


def refusal() -> bytes:
    """The whole answer."""
    error = Overloaded("connections: expected a free place, got all taken", retry_after=1)
    body = json.dumps(problem_json(error), ensure_ascii=False).encode("utf-8")
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


class Refused:
    """Refused connections on their way out. Belongs to one thread."""

    def __init__(self, *, speaks: bool) -> None:
        """`speaks` is False behind TLS, where nothing can be said before a handshake."""
        self._answer = refusal() if speaks else b""
        self._leaving: deque[tuple[float, socket.socket]] = deque()

    def take(self, sock: socket.socket) -> None:
        """Say no to a connection that was just made."""
        if len(self._leaving) >= FAREWELLS:
            self._close(self._leaving.popleft()[1])
        try:
            sock.setblocking(False)
            sock.send(self._answer)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            log.debug("a refused client had already gone")
            sock.close()
            return
        self._leaving.append((time.monotonic() + FAREWELL_S, sock))

    def tidy(self, now: float) -> None:
        """Close those whose time is over at `now`, in seconds of the monotonic clock."""
        while self._leaving and self._leaving[0][0] <= now:
            self._close(self._leaving.popleft()[1])

    def _close(self, sock: socket.socket) -> None:
        try:
            sock.recv(PIECE)
        except OSError:
            log.debug("a refused client had sent nothing, or had gone")
        sock.close()

    def close(self) -> None:
        """Close all."""
        while self._leaving:
            self._leaving.popleft()[1].close()
