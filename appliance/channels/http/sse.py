"""Server-sent events on the wire (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator

from flask import Request, Response

from appliance.channels.http.peer import Peer
from appliance.channels.voice.feed import Event, Feed

TICK_S = 0.25
"""Seconds between two looks at whether anybody is still there."""
HEARTBEAT_S = 5.0
"""Seconds without an event after which a comment is sent."""
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


def told(
    feed: Feed, first: Callable[[], Event], peer: Peer, ended: Callable[[], bool], seconds: float | None
) -> Iterator[bytes]:
    """What a feed tells, after `first`, until the client goes, the server stops, or for `seconds`."""
    quiet, began = 0.0, time.monotonic()
    with feed.listening(first) as queue:
        while not ended() and not peer.gone() and (seconds is None or time.monotonic() - began < seconds):
            found = queue.get(TICK_S)
            if found is not None:
                quiet = 0.0
                yield event(found.name, dict(found.data))
                continue
            quiet += TICK_S
            if quiet >= HEARTBEAT_S:
                quiet = 0.0
                yield HEARTBEAT
