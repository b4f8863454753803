"""The client at the other end, for answers that take a while: has it gone, and how long may it keep us."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Peer:
    """One request's client. Where a request has no socket (a test client), it never goes."""

    def __init__(self, sock: socket.socket | None = None, within: Callable[[float], None] | None = None) -> None:
        """Watch `sock`; `within` bounds the seconds that all further sending may take."""
        self._sock, self._within = sock, within

    def gone(self) -> bool:
        """True when the client has closed its side; asks the kernel, reads nothing and waits for nothing.

        A client that only closes its sending half (`nc -N`) counts as gone, too: to the kernel the two look the same.
        """
        if self._sock is None:
            return False
        descriptor = self._sock.fileno()
        if descriptor < 0:
            return True
        look = select.poll()
        # Also seen behind bytes that nobody has read, as the last words of TLS.
        look.register(descriptor, select.POLLRDHUP)
        return any(event & _GONE for _, event in look.poll(0))

    def within(self, seconds: float) -> None:
        """From now on, break sending off when `seconds` have passed, however steadily the client fetches."""
        if self._within is not None:
            self._within(seconds)


def peer_of(environ: dict[str, Any]) -> Peer:
    """The client of a WSGI request; the appliance's server puts it beside the body."""
    peer = getattr(environ.get("wsgi.input"), "peer", None)
    return peer if isinstance(peer, Peer) else Peer()
