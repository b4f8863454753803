"""GET /v1/events: the appliance's state as server-sent events. No customer's words ever pass here.

Each stream sends the state when it opens and whenever it changes, and a heartbeat in between, so that a client that
has gone away is noticed. A stream holds a server thread, so streams have their own semaphore. State is sent, not
history: a slow reader can pile nothing up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIFlask
from flask import Response, request

from appliance.channels.door import Door
from appliance.channels.http import sse
from appliance.channels.http.peer import Peer, peer_of
from appliance.channels.http.reply import feature_json
from appliance.errors import Overloaded
from appliance.listener import Listener, silent
from appliance.metrics import depths

RETRY_S = 5
"""Seconds after which a refused or ended stream may be asked for again."""
UNASKED_S = 5.0
"""Seconds that a stream lasts for a client that did not ask for one by Accept: it may wait for an end of the answer."""


def state_of(door: Door) -> dict[str, Any]:
    """What a stream shows: readiness, features, and the depth of each queue."""
    return {
        "ready": door.ready(),
        "features": [feature_json(feature) for feature in door.features()],
        "queues": depths(door.status()),
    }


class EventStream:
    """Hands out streams of the appliance's state, at most `places` at once."""

    def __init__(
        self,
        door: Door,
        places: int,
        *,
        interval_s: float = 1.0,
        heartbeat_s: float = 10.0,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._door = door
        self._places = threading.BoundedSemaphore(places) if places else None
        self._interval_s = interval_s
        self._heartbeat_s = heartbeat_s
        self._listener = listener
        self._clock = clock
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._seen: tuple[float, dict[str, Any]] | None = None
        self._open = 0

    @property
    def open(self) -> int:
        """Streams open now."""
        return self._open

    @property
    def closed(self) -> bool:
        """True once the server stops."""
        return self._closed.is_set()

    def close(self) -> None:
        """End every stream; new ones are refused. Called when the server stops."""
        self._closed.set()

    def _state(self) -> dict[str, Any]:
        # All streams share one look at the door per interval.
        with self._lock:
            now = self._clock()
            if self._seen is None or now - self._seen[0] >= self._interval_s:
                self._seen = (now, state_of(self._door))
            return self._seen[1]

    def _count(self, change: int) -> None:
        with self._lock:
            self._open += change

    def subscribe(
        self, seconds: float | None = None, peer: Peer | None = None
    ) -> tuple[Iterator[bytes], Callable[[], None]]:
        """A stream of event bytes, of at most `seconds`, and what to call when it ends.

        It ends within an interval of `peer` having gone.
        Raises Overloaded when all places are taken.
        """
        release = self.hold()
        return self._run(seconds, peer or Peer()), release

    def hold(self) -> Callable[[], None]:
        """Take a place for a stream; gives what to call when it ends. Raises Overloaded when all places are taken."""
        if self._closed.is_set() or self._places is None or not self._places.acquire(blocking=False):
            self._listener("shed", name="events")
            raise Overloaded("event streams: expected a free place, got all taken", retry_after=RETRY_S)
        places = self._places
        self._count(+1)
        over = threading.Lock()

        def release() -> None:
            # Called by the server however the stream ends, also when its first byte was never asked for; once counts.
            if over.acquire(blocking=False):
                self._count(-1)
                places.release()

        return release

    def _run(self, seconds: float | None, peer: Peer) -> Iterator[bytes]:
        yield f"retry: {RETRY_S * 1000}\n\n".encode()
        last: dict[str, Any] | None = None
        began = sent = self._clock()
        while not self._closed.is_set() and not peer.gone() and (seconds is None or self._clock() - began < seconds):
            state = self._state()
            if state != last:
                last, sent = state, self._clock()
                yield sse.event("state", state)
            elif self._clock() - sent >= self._heartbeat_s:
                sent = self._clock()
                yield sse.event("heartbeat", {"streams": self._open})
            self._closed.wait(self._interval_s)


def register_events(app: APIFlask, events: EventStream) -> None:
    """Add GET /v1/events."""

    @app.get("/v1/events")
    def get_events() -> Response:
        seconds = None if sse.asked_for(request) else UNASKED_S
        return sse.response(*events.subscribe(seconds, peer_of(request.environ)))
