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

from cheroot.makefile import StreamReader, StreamWriter
from cheroot.server import HTTPConnection, HTTPRequest

from appliance.channels.http.peer import Peer
from appliance.channels.http.problems import BY_STATUS, problem_json
from appliance.errors import ApplianceError
from appliance.request import HEADER, current, some

log = logging.getLogger(__name__)

HEAD_S = 10.0
"""Seconds in which a request's head must be complete."""
SLOWEST = 128 * 1024
"""Bytes per second below which a body takes too long."""
GRACE_S = 1.0
"""Seconds that a client may be slow while others wait for a thread."""
LOOK_S = 0.25
"""How often a thread that waits for its client looks whether others wait."""
SMALL_REST = 64 * 1024
"""An unread rest of a body up to this size is read away to keep the connection."""
LINGER_S = 5.0
LINGER_BYTES = 128 * 1024 * 1024
LINGERING = threading.BoundedSemaphore(8)
"""How long, how far and how many at once unwanted bodies are thrown away."""
UNACKNOWLEDGED_MS = 30_000
"""Milliseconds after which a peer that acknowledges nothing counts as gone."""
ONCE = frozenset({b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Type", b"Authorization", b"Origin"})
"""Headers that decide something; given twice they mean two things to two readers."""


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


class ConnectionReader(StreamReader):
    """cheroot's buffered reader over a DeadlineReader."""

    _read_buf: bytes
    _read_pos: int

    def __init__(self, raw: DeadlineReader, sock: socket.socket, size: int) -> None:
        super(StreamReader, self).__init__(raw, size)
        self.bytes_read = 0
        self._pending: Callable[[], int] | None = getattr(sock, "pending", None)

    def readline(self, size: int | None = -1) -> bytes:
        """A line of at most `size` bytes; one that is in the buffer already is cut out of it in one step."""
        begin = self._read_pos
        end = self._read_buf.find(b"\n", begin) + 1
        if end == 0 or (size is not None and 0 <= size < end - begin):
            line: bytes = super().readline(size)
            return line
        self._read_pos = end
        self.bytes_read += end - begin
        return self._read_buf[begin:end]

    def forget(self) -> None:
        """Drop what was read already: between two requests a connection keeps nobody's words."""
        self._read_buf, self._read_pos = self._read_buf[self._read_pos :], 0

    def has_data(self) -> bool:
        """True when more can be read without the socket turning readable, also inside TLS."""
        buffered = self._read_pos < len(self._read_buf)
        return buffered or (self._pending is not None and self._pending() > 0)


class ConnectionWriter(StreamWriter):
    """cheroot's unbuffered writer over a DeadlineWriter; a head goes out together with the first bytes of its body."""

    def __init__(self, raw: DeadlineWriter, size: int) -> None:
        super(StreamWriter, self).__init__(raw, size)
        self.bytes_written = 0
        self._holds = False
        self._held = b""

    def hold(self) -> None:
        """Keep what is written next until something follows or `release` is called."""
        self._holds = True

    def release(self) -> None:
        """Send what is kept."""
        if self._held:
            self.write(b"")

    def write(self, val: Any) -> int:
        """Send `val` after what is kept, or keep it; returns its length."""
        if self._holds:
            self._holds, self._held = False, bytes(val)
            return len(val)
        held, self._held = self._held, b""
        send: Any = super().write
        send(held + val if held else val)
        return len(val)


class Body:
    """A request's body, by length or by chunks, read piece by piece; `done` when all of it was read."""

    peer: Peer | None = None
    """Who sent it, for answers that take a while."""

    def __init__(self, source: Any, length: int | None, before_first: Callable[[], None] | None) -> None:
        self._source = source
        self.remaining = length or 0
        self.chunked = length is None
        self.done = length == 0
        self._before_first = before_first

    def read(self, size: int | None = None) -> bytes:
        """At most `size` bytes (all when None), fewer only at the end. Raises ValueError on malformed chunks."""
        return self._read(size, at_once=False)

    def read1(self, size: int | None = None) -> bytes:
        """At most `size` bytes, of one chunk: what has come does not wait for what has not. b"" at the end."""
        return self._read(size, at_once=True)

    def _read(self, size: int | None, *, at_once: bool) -> bytes:
        if self._before_first is not None:
            self._before_first()
            self._before_first = None
        pieces: list[bytes] = []
        wanted = size if size is not None and size >= 0 else 1 << 62
        while wanted > 0 and not self.done:
            if self.chunked and self.remaining == 0:
                self._next_chunk()
                continue
            piece: bytes = self._source.read(min(wanted, self.remaining, SMALL_REST))
            if not piece:
                self.done = True
                raise ConnectionResetError("body broken off")
            pieces.append(piece)
            wanted -= len(piece)
            self._took(len(piece))
            if at_once:
                break
        return b"".join(pieces)

    def readline(self, size: int | None = None) -> bytes:
        """The rest of the body: WSGI asks for the method, nothing here reads by lines."""
        return self.read(size)

    def _took(self, count: int) -> None:
        self.remaining -= count
        if self.remaining:
            return
        if not self.chunked:
            self.done = True
        elif self._source.read(2) != b"\r\n":
            raise ValueError("chunk: expected CRLF after its data")

    def _next_chunk(self) -> None:
        line: bytes = self._source.readline(256)
        size = line.split(b";", 1)[0].strip()
        if not line.endswith(b"\n") or not size or len(size) > 8 or size.strip(b"0123456789abcdefABCDEF"):
            raise ValueError("chunk: expected a hexadecimal size")
        self.remaining = int(size, 16)
        if self.remaining == 0:
            while self._source.readline(1024) not in (b"\r\n", b"\n", b""):
                pass  # trailers are not used
            self.done = True


class HeaderReader:
    """Reads the headers of one request; raises ValueError where two readers could read them differently."""

    def __init__(self) -> None:
        self.expects_continue = False

    def __call__(self, source: Any, headers: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Fill `headers` with title-cased names; `Expect` is taken out and remembered."""
        while (line := source.readline()) != b"\r\n":
            name, colon, value = line.partition(b":")
            if not line.endswith(b"\r\n") or not colon or not name or name != name.strip() or b"\0" in line:
                raise ValueError("header: expected 'Name: value' and CRLF, got something else")
            key, value = name.title(), value.strip()
            if b"_" in key:  # `Content_Length` would pass for Content-Length in WSGI's environment
                continue
            if key in headers:
                if key in ONCE:
                    raise ValueError(f"{key.decode('latin-1')}: expected once, got it again")
                value = headers[key] + b", " + value
            headers[key] = value
        length = headers.get(b"Content-Length")
        if length is not None and not (length.isdigit() and len(length) <= 18):
            raise ValueError("Content-Length: expected digits, got something else")
        if length is not None and b"Transfer-Encoding" in headers:
            raise ValueError("Content-Length: expected none beside Transfer-Encoding, got both")
        if b"Connection" in headers:
            headers[b"Connection"] = _persistence(headers[b"Connection"])
        self.expects_continue = headers.pop(b"Expect", b"").lower() == b"100-continue"
        return headers


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


def _persistence(value: bytes) -> bytes:
    """The one option of a Connection header that cheroot looks for, in its spelling (RFC 9112, section 9.3)."""
    options = {option.strip().lower() for option in value.split(b",")}
    if b"close" in options:
        return b"close"
    return b"Keep-Alive" if b"keep-alive" in options else value


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
