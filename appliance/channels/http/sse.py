"""Server-sent events on the wire (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from flask import Request, Response

MEDIA = "text/event-stream"
HEARTBEAT = b": still here\n\n"
"""A comment: clients skip it, and sending it finds out who has gone."""


def asked_for(asked: Request) -> bool:
    """True when the client names the media type in Accept; `*/*` asks for the plain answer."""
    return any(kind.lower() == MEDIA and quality > 0 for kind, quality in asked.accept_mimetypes)


def event(name: str, data: object) -> bytes:
    """One event with JSON data."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"event: {name}\ndata: {text}\n\n".encode()


def response(stream: Iterable[bytes], closed: Callable[[], None]) -> Response:
    """A response of events; `closed` is called once it has ended, however it ends."""
    made = Response(stream, content_type=f"{MEDIA}; charset=utf-8")
    made.headers["X-Accel-Buffering"] = "no"
    made.call_on_close(closed)
    return made
