"""The small listener through which lower rooms report timings, energy and events to whoever wired them."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Called with an event name and its fields; must be quick, thread-safe and never raise."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Take note of one event."""


def silent(event: str, /, **fields: object) -> None:
    """Listener that ignores everything; the default where nobody listens."""
