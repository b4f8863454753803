"""The body of a request: read piece by piece, by length or by chunks, and never on trust."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.channels.http.peer import Peer

SMALL_REST = 64 * 1024
"""An unread rest of a body up to this size is read away to keep the connection."""


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
