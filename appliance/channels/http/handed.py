"""A listening socket that outlives the program on it: handed to the same process's next program, over an exec.

Whoever connects meanwhile is in the socket's queue, and no connection is refused or reset. While the next program
loads, a small waiting room answers on it: 503, and when to come back. It reads no more than a request's head, and a
client may take a second for that; with TLS nobody is answered so, and connections wait until the server takes them.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType

from appliance.channels.http.guard import API_POLICY, STRICT
from appliance.channels.http.problems import problem_json
from appliance.errors import Overloaded

VARIABLE = "LISTENING_SOCKET"
"""Environment variable with the number of the file descriptor that is handed over."""
HEAD_BYTES = 32 * 1024
CLIENT_S = 1.0
"""Seconds that one client of the waiting room may take."""


def hand(listening: socket.socket, environ: MutableMapping[str, str]) -> None:
    """Let the next program of this process have `listening`, by its environment."""
    listening.set_inheritable(True)
    environ[VARIABLE] = str(listening.detach())


def taken(environ: MutableMapping[str, str]) -> socket.socket | None:
    """The socket that the program before has handed over; None where there was none. It is handed over only once."""
    number = environ.pop(VARIABLE, "")
    if not number.isdigit():
        return None
    try:
        found = socket.socket(fileno=int(number))
    except OSError:  # somebody else's variable
        return None
    if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        return None
    found.set_inheritable(False)
    return found


class WaitingRoom:
    """Answers everybody who connects to a socket: come back later. A context manager; does nothing without a socket."""

    def __init__(self, listening: socket.socket | None, retry_after: float) -> None:
        """Answer on `listening`, which stays open; ask clients to come back after `retry_after` seconds."""
        self._socket = listening
        error = Overloaded("appliance: expected one that serves, got it starting anew", retry_after=retry_after)
        body = json.dumps(problem_json(error), ensure_ascii=False).encode("utf-8")
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Retry-After", str(error.wait_s)),
            ("Connection", "close"),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", API_POLICY),
            *STRICT,
        ]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._answer = f"HTTP/1.1 503 Service Unavailable\r\n{head}\r\n".encode("ascii") + body
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waiting-room", daemon=True)

    def __enter__(self) -> WaitingRoom:
        if self._socket is not None:
            self._socket.settimeout(0.1)
            self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._left.set()
        if self._thread.is_alive():
            self._thread.join(3 * CLIENT_S)

    def _run(self) -> None:
        while not self._left.is_set() and self._socket is not None:
            try:
                client, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with client, suppress(OSError):
                client.settimeout(CLIENT_S)
                self._turn_away(client)

    def _turn_away(self, client: socket.socket) -> None:
        head, until = b"", time.monotonic() + CLIENT_S
        while b"\r\n\r\n" not in head and len(head) < HEAD_BYTES:
            if time.monotonic() >= until:  # a byte now and then does not keep the others
                return
            piece = client.recv(8192)
            if not piece:
                return
            head += piece
        client.sendall(self._answer)
        client.shutdown(socket.SHUT_WR)
        left = 16  # what still comes is taken, or the answer would be lost in a reset
        while left and time.monotonic() < until and client.recv(65536):
            left -= 1


def same_place(listening: socket.socket, host: str, port: int) -> bool:
    """True when `listening` is where the settings want the server: they may have changed since it was opened."""
    try:
        wanted = {info[4][:2] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    found = listening.getsockname()[:2]
    return found in wanted or (port == 0 and found[0] in {place[0] for place in wanted})


def kept(listening: socket.socket) -> socket.socket:
    """A second hold on `listening`, which stays open when the first is closed."""
    return socket.socket(fileno=os.dup(listening.fileno()))
