"""Says no to a plain request in the thread that keeps the connections, without a thread of its own.

With 2,000 customers asking every second or two, handing each refusal to a thread costs more than the refusal itself: on
a slow machine nothing is left for answers, and whoever is sent away waits seconds to hear it. So a request is looked at
where it lies, in the socket's own buffer; only one that is wholly there, that nobody could read in two ways and that
`refuse` sends away is taken out and answered. Every other one stays untouched, for a thread and the framework to judge.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from enum import Enum
from functools import lru_cache
from typing import Any

from appliance.channels.http.shed import ROUTES, Said

Refuse = Callable[[dict[str, Any]], "Said | None"]
"""The refusal that a WSGI environment gets now, or None."""

MOST = 64 * 1024
"""Bytes of head and body together that are looked at."""
HEAD = 8 * 1024
"""Bytes of a head that are read here: it is the thread that everybody waits for."""
REQUEST = re.compile(
    b"POST (" + b"|".join(re.escape(route.encode()) for route in sorted(ROUTES)) + rb")(?:\?([!-~]*))? HTTP/1\.1\r\n"
)
HEADER = re.compile(rb"([A-Za-z0-9-]+):([\t -~]*)\r\n")
"""Read in one direction only: whoever sends what it does not match costs no more than its length."""
LEFT_ALONE = frozenset({"TRANSFER_ENCODING", "EXPECT", "CONNECTION", "UPGRADE", "TRAILER", "TE"})
"""Headers that decide how a request is read or answered; `Connection: keep-alive` alone says nothing new."""


class Outcome(Enum):
    """What became of a request."""

    LEFT = "left"
    """Nothing was taken out or said."""
    SAID = "said"
    """It was taken out and refused; the connection waits for the next one."""
    BROKEN = "broken"
    """It was taken out, and the client did not take its answer: the connection has to be closed."""


def dismiss(sock: socket.socket, refuse: Refuse) -> Outcome:
    """Refuse the request that lies in the socket's buffer, if it is plain and `refuse` sends it away; never wait."""
    try:
        seen = sock.recv(MOST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:  # nothing there, or a client that is gone: a thread finds out which
        return Outcome.LEFT
    environ = plain(seen)
    refused = refuse(environ) if environ is not None else None
    if refused is None:
        return Outcome.LEFT
    answer = written(refused, int(time.time()))
    try:
        sock.recv(len(seen), socket.MSG_DONTWAIT)
        said = sock.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        return Outcome.BROKEN
    return Outcome.SAID if said == len(answer) else Outcome.BROKEN


def plain(seen: bytes) -> dict[str, Any] | None:
    """The WSGI environment of the one request that `seen` is, without its body; None for anything else.

    It is one whole HTTP/1.1 request with a length, each header once (RFC 9112, section 6), and nothing behind it.
    """
    first = REQUEST.match(seen)
    end = seen.find(b"\r\n\r\n")
    if first is None or not 0 < end <= HEAD or len(seen) >= MOST:
        return None
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": first[1].decode("ascii"),
        "QUERY_STRING": (first[2] or b"").decode("ascii"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
    }
    at = first.end()
    while at < end + 2:
        header = HEADER.match(seen, at)
        if header is None:
            return None
        name, value = header[1].decode("ascii").upper().replace("-", "_"), header[2].decode("ascii").strip(" \t")
        if f"HTTP_{name}" in environ or (name in LEFT_ALONE and (name, value.lower()) != ("CONNECTION", "keep-alive")):
            return None
        environ[f"HTTP_{name}"] = value
        at = header.end()
    length = environ.get("HTTP_CONTENT_LENGTH", "")
    whole = length.isdigit() and len(length) <= 6 and int(length) == len(seen) - end - 4
    return environ if whole else None


@lru_cache(maxsize=2)
def _date(now: int) -> str:
    return formatdate(now, usegmt=True)


def written(said: Said, now: int) -> bytes:
    """The whole answer in this second, with the headers that the server adds to each of its own."""
    headers, body = said
    lines = [
        "HTTP/1.1 503 SERVICE UNAVAILABLE",
        *(f"{name}: {value}" for name, value in headers),
        f"Date: {_date(now)}",
        "Server: appliance",
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
