"""A service manager's end of the notification socket: what it was told, as systemd would read it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Supervisor:
    """Listens on a datagram socket at `address` (a path, or `@` and an abstract name)."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def hear(self, within_s: float = 10.0) -> str:
        """The next message; AssertionError when none comes."""
        self._socket.settimeout(within_s)
        try:
            message = self._socket.recv(4096).decode("utf-8")
        except TimeoutError:
            raise AssertionError(f"nothing was told within {within_s} s, before it {self.told[-5:]}") from None
        self.told.append(message)
        return message

    def until(self, line: str, within_s: float = 10.0) -> str:
        """Read messages up to the first that has `line`, and return it."""
        end = time.monotonic() + within_s
        while line not in (message := self.hear(max(0.01, end - time.monotonic()))).splitlines():
            pass
        return message

    def silent(self, for_s: float) -> bool:
        """True when nothing is told for `for_s` seconds."""
        self._socket.settimeout(for_s)
        try:
            self.told.append(self._socket.recv(4096).decode("utf-8"))
        except TimeoutError:
            return True
        return False

    def forget(self) -> None:
        """Drop what has been told but not read."""
        while not self.silent(0.001):
            pass

    def close(self) -> None:
        self._socket.close()


@contextmanager
def supervising(folder: Path) -> Iterator[Supervisor]:
    """A supervisor on a socket in `folder`."""
    supervisor = Supervisor(str(folder / "notify"))
    try:
        yield supervisor
    finally:
        supervisor.close()
