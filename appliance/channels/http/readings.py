"""Images read before the client's eyes: `found`, each `line` as it is read, then `result`, as server-sent events.

When another reader has to begin anew, `restart` takes back what was told so far.

The reading has a thread of its own and never waits for the client: a slow one holds its server thread and its place,
for a bounded time, but neither the networks nor the gate in front of them. A client that goes away stops it, and so
does one who had asked for the whole answer at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Response

from appliance.channels.http import sse
from appliance.channels.http.peer import Peer
from appliance.channels.http.problems import noted, where
from appliance.errors import BadRequest, Overloaded, Unavailable
from appliance.listener import Listener, silent
from appliance.request import carried
from appliance.values import OcrLine
from appliance.vision.watch import Watch

RETRY_S = 2
"""Seconds after which a refused stream may be asked for again."""
PENDING = 1024
"""Most events kept for a client that is slow; lines beyond come in the `result` alone."""

Json = dict[str, Any]
LineJson = Callable[[OcrLine], Json]


@dataclass(frozen=True, slots=True)
class _Event:
    name: str
    """`found`, `line`, `restart`, `result` or `error`."""
    data: Json
    error: Exception | None = None

    @property
    def last(self) -> bool:
        return self.name in ("result", "error")


class _Feed:
    """Events on their way from the thread that reads to the one that sends. Putting never waits."""

    def __init__(self) -> None:
        self._events: deque[_Event] = deque()
        self._changed = threading.Condition()

    def put(self, event: _Event) -> None:
        with self._changed:
            if event.last or len(self._events) < PENDING:
                self._events.append(event)
            self._changed.notify()

    def restart(self) -> None:
        """Take back what the reading has told since it last began; who has heard some of it has to hear of that."""
        with self._changed:
            while self._events:
                if self._events.pop().name == "found":
                    return  # nobody has heard a word of it
            self._events.append(_Event("restart", {}))
            self._changed.notify()

    def get(self, seconds: float) -> _Event | None:
        """The next event, None when there is none within `seconds`."""
        with self._changed:
            if not self._events:
                self._changed.wait(seconds)
            return self._events.popleft() if self._events else None


class Place:
    """One of the places for streams; free again when everybody who holds it has left."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free = free
        self._lock = threading.Lock()
        self._holders = 1

    def share(self) -> None:
        """One more holds it."""
        with self._lock:
            self._holders += 1

    def leave(self) -> None:
        """One less holds it."""
        with self._lock:
            self._holders -= 1
            if self._holders:
                return
        self._free()


class Readings:
    """Streams of readings, at most `places` at once."""

    def __init__(
        self,
        places: int,
        *,
        longest_s: float,
        ended: Callable[[], bool] = lambda: False,
        tick_s: float = 0.25,
        heartbeat_s: float = 2.0,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`longest_s` bounds a stream from its first event on; `ended` is asked whether the server stops.

        Every `tick_s` without an event it is looked whether the client is still there; every `heartbeat_s` it hears so.
        """
        self._most = places
        self._places = threading.BoundedSemaphore(places) if places else None
        self._working, self._lock = 0, threading.Lock()
        self._longest_s, self._ended = longest_s, ended
        self._tick_s, self._heartbeat_s = tick_s, heartbeat_s
        self._listener = listener
        self._clock = clock

    def check(self) -> None:
        """Raise Overloaded when no body should be received in vain: in every place an image is being read right now.

        A place that is taken by a client who is merely slow to fetch may be free by the time the body is here.
        """
        with self._lock:
            busy = self._working >= self._most
        if busy or self._ended():
            raise self._full()

    def _full(self) -> Overloaded:
        self._listener("shed", name="readings")
        return Overloaded("reading streams: expected a free place, got all taken", retry_after=RETRY_S)

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Hold a place, until the end of the block and of what is streamed from it; Overloaded when all are taken.

        For images that are here: a place held while a body drips in would be one that nobody reads in.
        """
        if self._places is None or self._ended() or not self._places.acquire(blocking=False):
            raise self._full()
        place = Place(self._places.release)
        try:
            yield place
        finally:
            place.leave()

    def stream(self, place: Place, peer: Peer, work: Callable[[Watch], Json], line_json: LineJson) -> Response:
        """Do `work` in a thread and stream what it tells its watch, then what it returns.

        What it raises before anything was found is raised here, and so becomes a plain answer; later it is an `error`.
        """
        reading = _Reading(work, line_json, self._ended)
        place.share()
        self._count(1)

        def done() -> None:
            self._count(-1)
            place.leave()

        try:
            reading.start(done)
        except RuntimeError as error:  # the system gives no more threads
            done()
            raise Overloaded(f"reading streams: expected a thread, got {error}", retry_after=RETRY_S) from error
        first = self._first(reading, peer)
        place.share()

        def closed() -> None:
            reading.stop()
            place.leave()

        return sse.response(self._events(reading, first, peer, where()), closed)

    def _count(self, more: int) -> None:
        with self._lock:
            self._working += more

    def _first(self, reading: _Reading, peer: Peer) -> _Event:
        while (event := reading.feed.get(self._tick_s)) is None:
            if peer.gone():
                reading.stop()
                raise _left()
        if event.error is not None:
            raise event.error
        return event

    def _events(self, reading: _Reading, first: _Event, peer: Peer, place: str) -> Iterator[bytes]:
        last, sent = first, self._clock()
        yield sse.event(first.name, first.data)
        peer.within(self._longest_s)
        while not last.last:
            event = reading.feed.get(self._tick_s)
            if event is not None:
                last, sent = event, self._clock()
                yield sse.event(event.name, event.data if event.error is None else _problem(event.error, place))
            elif peer.gone():
                return
            elif self._clock() - sent >= self._heartbeat_s:
                sent = self._clock()
                yield sse.HEARTBEAT


def waited_for(peer: Peer, work: Callable[[Watch], Json]) -> Json:
    """Do `work` for a client who waits for all of it at once; BadRequest when the work had to end because they left."""
    left = False

    def gone() -> bool:
        nonlocal left
        left = left or peer.gone()
        return left

    try:
        made = work(Watch(stopped=gone))
    except Unavailable as error:  # what the door says to a turn that was stopped
        if left:
            raise _left() from error
        raise
    if left:
        raise _left()
    return made


def _left() -> BadRequest:
    return BadRequest("client: expected to wait for its answer, got its connection closed")


def _problem(error: Exception, place: str) -> Json:
    """What a plain answer would have said, with the status and Retry-After that it would have had."""
    typed, body = noted(error, place)
    waiting = {} if typed.wait_s is None else {"retry_after": typed.wait_s}
    return {"status": typed.status, **body, **waiting}


class _Reading:
    """One reading in its thread."""

    def __init__(self, work: Callable[[Watch], Json], line_json: LineJson, ended: Callable[[], bool]) -> None:
        self.feed = _Feed()
        self._work, self._line_json, self._ended = work, line_json, ended
        self._stopped = threading.Event()
        self._lines = 0

    def start(self, done: Callable[[], None]) -> None:
        def run() -> None:
            try:
                self.feed.put(self._outcome())
            finally:
                done()

        threading.Thread(target=carried(run), name="reading", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _outcome(self) -> _Event:
        watch = Watch(self._found, self._line, lambda: self._stopped.is_set() or self._ended(), self._again)
        try:
            return _Event("result", self._work(watch))
        except Exception as error:  # noqa: BLE001 - handed to the thread that answers, which says and logs it as any other
            return _Event("error", {}, error)

    def _found(self, lines: int) -> None:
        self.feed.put(_Event("found", {"lines": lines}))

    def _again(self) -> None:
        self.feed.restart()
        self._lines = 0

    def _line(self, line: OcrLine) -> None:
        self.feed.put(_Event("line", self._line_json(line) | {"index": self._lines}))
        self._lines += 1
