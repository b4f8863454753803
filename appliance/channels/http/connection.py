"""One client connection: every read has a deadline, every refusal is JSON, no byte of a body is taken on trust.

cheroot parses and answers HTTP; here its request and connection are narrowed where its defaults leave a door open:

* a socket time-out alone lets a client send a byte every few seconds for ever: reading a head or a body has a deadline,
  and while every thread is taken and others wait, one that is slow to send or to fetch gives its thread up;
* a chunk's announced size was believed and read into memory at once: chunks are read piece by piece;
* an unread body was read whole into memory, or its rest parsed as the next request: now the connection closes, and
  what still arrives is thrown away for a moment, so that the answer is not lost in a reset (RFC 9112, section 9.6);
* `100 Continue` was sent before anybody knew whether the body is wanted: now with the first read.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest

from appliance.channels.http.body import SMALL_REST, Body
from appliance.channels.http.headers import HeaderReader
from appliance.channels.http.patience import SLOWEST, DeadlineReader, DeadlineWriter
from appliance.channels.http.peer import Peer
from appliance.channels.http.problems import BY_STATUS, problem_json
from appliance.channels.http.streams import ConnectionReader, ConnectionWriter
from appliance.errors import ApplianceError
from appliance.request import HEADER, current, some

log = logging.getLogger(__name__)

HEAD_S = 10.0
"""Seconds in which a request's head must be complete."""
LINGER_S = 5.0
LINGER_BYTES = 128 * 1024 * 1024
LINGERING = threading.BoundedSemaphore(8)
"""How long, how far and how many at once unwanted bodies are thrown away."""
UNACKNOWLEDGED_MS = 30_000
"""Milliseconds after which a peer that acknowledges nothing counts as gone."""


class Request(HTTPRequest):
    """One request of a connection."""

    body: Body | None = None

    def parse_request(self) -> None:
        """Read the head before its deadline."""
        self.conn.rfile.raw.within(min(HEAD_S, self.server.timeout))
        self.header_reader = HeaderReader()
        super().parse_request()
        if self.ready:
            length = None if self.chunked_read else int(self.inheaders.get(b"Content-Length", 0))
            self.body = Body(self.conn.rfile, length, self._continue(self.header_reader.expects_continue))
            self.body.peer = Peer(self.conn.socket, self.conn.wfile.raw.within)

    def read_request_headers(self) -> bool:
        """Read the headers; framing that two readers could understand differently is refused (RFC 9112, 6.1)."""
        read: Any = super().read_request_headers
        if not read():
            return False
        coding = self.inheaders.get(b"Transfer-Encoding")
        if coding is not None and (coding.lower() != b"chunked" or self.response_protocol != "HTTP/1.1"):
            self.simple_response("400 Bad Request", "Transfer-Encoding: expected chunked in HTTP/1.1, got another")
            return False
        return True

    def _continue(self, expected: bool) -> Callable[[], None] | None:
        """What to do before the body is read; None for most requests, which it would keep in memory in a cycle."""
        if not expected or self.response_protocol != "HTTP/1.1":
            return None

        def before_first_read() -> None:
            self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

        return before_first_read

    def respond(self) -> None:
        """Let the application answer; its reads of the body have a deadline by the body's length."""
        assert self.body is not None  # noqa: S101 - parse_request set it, or respond is not called
        self.rfile = self.body
        self.conn.rfile.raw.within(self.server.timeout + self.body.remaining / SLOWEST)
        self.server.gateway(self).respond()
        if self.ready:
            self.ensure_headers_sent()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")
        self.conn.wfile.release()

    def send_headers(self) -> None:
        """Send the head; a body that was not read ends the connection unless its rest is small."""
        body = self.body
        if body is not None and not body.done:
            if not body.chunked and body.remaining <= SMALL_REST and not self.close_connection:
                try:
                    body.read()
                except (OSError, ValueError):
                    self.close_connection = True
            else:
                self.close_connection = True
            self.conn.unread = not body.done
        self.conn.rfile.raw.within(None)
        self.conn.rfile.forget()
        self.conn.wfile.raw.renew()
        # cheroot would now read the rest itself, into memory: it must find nothing to read.
        self.rfile = None
        self.conn.wfile.hold()
        super().send_headers()

    def simple_response(self, status: object, msg: str = "") -> None:
        """A refusal by the server itself, before the application: in the appliance's JSON form as well."""
        code = int(str(status)[:3])
        kind = BY_STATUS.get(code, ApplianceError if code >= 500 else BY_STATUS[400])
        error = kind(msg or str(status)[4:] or "refused")
        with some():
            name = current()
            payload = json.dumps(problem_json(error), ensure_ascii=False).encode("utf-8")
            log.info("a request that could not be read: %d", code)
        head = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(payload)}\r\nContent-Type: application/json\r\n"
            f"{HEADER}: {name}\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
        )
        self.close_connection = True
        self.sent_headers = True
        self.conn.unread = True
        self.conn.wfile.raw.renew()
        try:
            self.conn.wfile.write(head.encode("latin-1") + payload)
        except OSError:
            log.debug("a refused client had already gone")


class Connection(HTTPConnection):
    """A client's socket."""

    RequestHandlerClass = Request
    rbufsize = 64 * 1024

    def __init__(self, server: Any, sock: socket.socket, makefile: Any = None) -> None:
        """Raises OSError when the client has gone already."""
        super().__init__(server, sock, _no_file)
        # Two caches of bound methods, for UNIX sockets: each would keep the connection until the collector comes by.
        del self.resolve_peer_creds, self.get_peer_creds
        # The kernel finds out that a peer is gone, half-open connections included.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        self.rfile = ConnectionReader(DeadlineReader(sock, server.timeout, server.hurried), sock, self.rbufsize)
        self.wfile = ConnectionWriter(DeadlineWriter(sock, server.timeout, server.hurried), self.wbufsize)
        self.unread = False

    def close(self) -> None:
        """Close; first throw away, for a moment, a body that nobody wanted."""
        if self.unread and LINGERING.acquire(blocking=False):
            try:
                _discard(self.socket)
            finally:
                LINGERING.release()
        self.server.keeper.forget(self)
        super().close()


def _no_file(*_: Any) -> None:
    return None


def _discard(sock: socket.socket) -> None:
    deadline = time.monotonic() + LINGER_S
    left = LINGER_BYTES
    try:
        sock.shutdown(socket.SHUT_WR)
        while left > 0 and (remaining := deadline - time.monotonic()) > 0:
            sock.settimeout(min(1.0, remaining))
            piece = sock.recv(SMALL_REST)
            if not piece:
                return
            left -= len(piece)
    except OSError:
        return
