"""What happens in a spoken conversation, told to whoever shows it: each listener has a short queue of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

PENDING = 256
"""Most events kept for a listener that is slow; the oldest go first, for what is said now matters more."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    name: str
    """`state`, `level`, `partial`, `heard`, `reply`, `silence` or `error`."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Plain JSON values."""


class Queue:
    """The events of one listener. Putting never waits."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=PENDING)
        self._changed = threading.Condition()

    def put(self, event: Event) -> None:
        """Add an event; a level or a partial takes the place of one of its kind that nobody has fetched yet."""
        with self._changed:
            if event.name in ("level", "partial") and self._events and self._events[-1].name == event.name:
                self._events.pop()
            self._events.append(event)
            self._changed.notify()

    def get(self, seconds: float) -> Event | None:
        """The next event, None when there is none within `seconds`."""
        with self._changed:
            if not self._events:
                self._changed.wait(seconds)
            return self._events.popleft() if self._events else None


class Feed:
    """Hands every event to everybody who listens. Thread-safe."""

    def __init__(self) -> None:
        self._queues: set[Queue] = set()
        self._lock = threading.Lock()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        with self._lock:
            return len(self._queues)

    def tell(self, name: str, **data: object) -> None:
        """Tell everybody who listens."""
        event = Event(name, data)
        with self._lock:
            queues = tuple(self._queues)
        for queue in queues:
            queue.put(event)

    @contextmanager
    def listening(self, first: Callable[[], Event] | None = None) -> Iterator[Queue]:
        """A queue that gets every event from now on, and `first`, which is asked for when nothing can be missed."""
        queue = Queue()
        with self._lock:
            self._queues.add(queue)
        if first is not None:
            queue.put(first())
        try:
            yield queue
        finally:
            with self._lock:
                self._queues.discard(queue)
