"""Events on the wire: a line of JSON, then as many bytes of data and of payload as it announces, within bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance import __version__
from appliance.errors import BadRequest, RequestTimeout, TooLarge

LINE_BYTES = 64 * 1024
"""Longest line, and most bytes of data behind it."""
PAYLOAD_BYTES = 1024 * 1024
"""Most bytes of sound in one event; clients send 2 kB."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of either side."""

    type: str
    """What it is: `audio-chunk`, `transcript`."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Its fields."""
    payload: bytes = b""
    """Its sound."""


async def read_event(reader: asyncio.StreamReader, *, idle_s: float, within_s: float) -> Event | None:
    """The next event; None when the client has ended, between two events, or was silent for `idle_s`.

    Raises BadRequest (no such event), TooLarge (a line or length over its bound) or RequestTimeout (its bytes did not
    come `within_s`). After any of them nothing more can be read: where the next event begins is not known.
    """
    try:
        line = await asyncio.wait_for(reader.readline(), idle_s)
    except ValueError as error:  # no end of the line within the reader's limit
        raise TooLarge(f"event: expected a line of at most {LINE_BYTES} bytes, got more") from error
    except asyncio.TimeoutError:
        return None
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise BadRequest("event: expected a whole line, got it broken off")
    head = _object(line)
    kind = head.get("type")
    if not isinstance(kind, str) or not kind:
        raise BadRequest("event: expected a type, got none")
    sizes = _length(head, "data_length", LINE_BYTES), _length(head, "payload_length", PAYLOAD_BYTES)
    try:
        more, payload = await asyncio.wait_for(_rest(reader, *sizes), within_s)
    except asyncio.TimeoutError as error:
        raise RequestTimeout(f"event: expected {sum(sizes)} bytes in time, got fewer") from error
    except asyncio.IncompleteReadError as error:
        raise BadRequest(f"event: expected {sum(sizes)} bytes behind its line, got it broken off") from error
    data = head.get("data") or {}
    if not isinstance(data, dict):
        raise BadRequest("event: expected an object as its data, got something else")
    return Event(kind, {**data, **(_object(more) if more else {})}, payload)


async def _rest(reader: asyncio.StreamReader, data: int, payload: int) -> tuple[bytes, bytes]:
    return await reader.readexactly(data), await reader.readexactly(payload)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequest("event: expected JSON, got something else") from error
    if not isinstance(found, dict):
        raise BadRequest("event: expected a JSON object, got something else")
    return found


def _length(head: Mapping[str, Any], name: str, most: int) -> int:
    length = head.get(name)
    if length is None:
        return 0
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise BadRequest(f"event: expected a whole number as {name}, got something else")
    if length > most:
        raise TooLarge(f"event: expected a {name} of at most {most}, got {length}")
    return length


def written(event: Event) -> bytes:
    """The bytes of an event."""
    head: dict[str, Any] = {"type": event.type, "version": __version__}
    data = json.dumps(dict(event.data), ensure_ascii=False).encode("utf-8") if event.data else b""
    if data:
        head["data_length"] = len(data)
    if event.payload:
        head["payload_length"] = len(event.payload)
    return json.dumps(head).encode("utf-8") + b"\n" + data + event.payload
