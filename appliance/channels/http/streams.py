"""The two directions of a connection as cheroot wants them: a buffered reader, a writer that saves a packet."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from cheroot.makefile import StreamReader, StreamWriter

from appliance.channels.http.patience import DeadlineReader, DeadlineWriter


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
