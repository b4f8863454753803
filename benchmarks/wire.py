"""One client's connection over raw sockets: a request and its whole answer, or a stream of events read one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

STREAM = "text/event-stream"


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    """Of the answer; of a stream that ended in an `error` event, the one that this names; LEFT when it was left."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""
    body: bytes = b""
    """The answer, or the data of a stream's last event."""

    @property
    def code(self) -> str:
        """The problem's code; empty for what is no problem."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return ""
        return str(found.get("code", "")) if isinstance(found, dict) else ""

    @property
    def outcome(self) -> str:
        """The status as it is tallied. `503` alone is a deliberate refusal, of a full house that says when to come
        back; any other carries its code (`503 unavailable`: what was asked for is not there) or what it lacks.
        """
        if self.status != 503:
            return str(self.status)
        if self.code != "overloaded":
            return f"503 {self.code or 'without a code'}"
        return "503" if "retry-after" in self.headers else "503 without Retry-After"


LEFT = 0
"""In the place of a status: the client hung up by its own will."""


class User:
    """One keep-alive connection that is opened again whenever the server closes it."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        self._host, self._port = host, port
        self._head = f"Host: {host}:{port}\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _ask(self, method: str, path: str, body: bytes, kind: str, accept: str = "") -> asyncio.StreamReader:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        more = (f"Content-Type: {kind}\r\n" if body else "") + (f"Accept: {accept}\r\n" if accept else "")
        head = f"{method} {path} HTTP/1.1\r\n{self._head}{more}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return reader

    async def request(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Answered:
        """One request and its answer."""
        reader = await self._ask(method, path, body, kind)
        return await self._whole(reader, *await _head(reader))

    async def stream(self, path: str, body: bytes, kind: str, leave_after: int | None = None) -> Answered:
        """Post a file and read events until the last; after `leave_after` of them hang up, whatever is under way.

        Raises EOFError when the stream ends without its `result` or `error`.
        """
        reader = await self._ask("POST", path, body, kind, STREAM)
        status, headers = await _head(reader)
        if STREAM not in headers.get("content-type", ""):
            return await self._whole(reader, status, headers)
        count, last = 0, None
        async with aclosing(_events(reader)) as events:
            async for name, data in events:
                count += 1
                if name == "result":
                    last = Answered(status, headers, data)
                elif name == "error":
                    problem = json.loads(data)
                    waits = {"retry-after": str(problem["retry_after"])} if "retry_after" in problem else {}
                    last = Answered(int(problem["status"]), waits, data)
                elif leave_after is not None and count >= leave_after:
                    self.close()
                    return Answered(LEFT)
        if last is None:
            raise EOFError("the stream ended before its result")
        return last

    async def _whole(self, reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> Answered:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return Answered(status, headers, body)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers


async def _events(reader: asyncio.StreamReader) -> AsyncGenerator[tuple[str, bytes], None]:
    """Name and data of each event of a chunked body; at the body's end nothing of it is left unread."""
    pending = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        pending += (await reader.readexactly(size + 2))[:-2]
        while b"\n\n" in pending:
            event, _, pending = pending.partition(b"\n\n")
            fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line and line[:1] != b":")
            if b"event" in fields:
                yield fields[b"event"].decode(), fields.get(b"data", b"")
    await reader.readuntil(b"\r\n")
