"""Whether new connections are taken: those that come meanwhile wait in the kernel's queue."""

from __future__ import annotations

import select
import socket
import time


class Intake:
    """The listening socket among those that an epoll waits for."""

    def __init__(self, epoll: select.epoll, listening: socket.socket) -> None:
        """Take new connections from now on."""
        self._epoll = epoll
        self.fd = listening.fileno()
        """By which the epoll names it."""
        self._epoll.register(self.fd, select.EPOLLIN)
        self._open = True
        self._resume_at = 0.0

    def hold(self) -> None:
        """Take none from now on: they wait in the kernel's queue, for whoever listens there next."""
        self._resume_at = float("inf")
        self._epoll.modify(self.fd, 0)
        self._open = False

    def pause(self, seconds: float) -> None:
        """Take none for a while: the kernel keeps them, and a full house must not be asked in a loop."""
        if self._open:
            self._epoll.modify(self.fd, 0)
            self._open = False
        self._resume_at = time.monotonic() + seconds

    def resume(self, now: float) -> None:
        """Take them again where a pause is over at `now`, a time of the monotonic clock."""
        if not self._open and now >= self._resume_at:
            self._epoll.modify(self.fd, select.EPOLLIN)
            self._open = True
