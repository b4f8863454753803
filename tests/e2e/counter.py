"""What happens at a counter, told by the appliance while it happens; for tests that wait for it."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.e2e.conftest import Running

PATIENCE_S = 90.0


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"expected that {what}"
        time.sleep(0.05)


class Told:
    """Everything that /v1/voice/events tells, as it comes."""

    def __init__(self, running: Running) -> None:
        self._response = requests.get(
            f"{running.url}/v1/voice/events",
            stream=True,
            timeout=PATIENCE_S,
            headers={"Accept": "text/event-stream"},
        )
        assert self._response.status_code == 200, self._response.text
        self._queue: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        self.all: list[tuple[str, dict[str, Any]]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self._response.iter_lines(chunk_size=1):
                if line.startswith(b"event: "):
                    name = line[7:].decode()
                elif line.startswith(b"data: "):
                    self._queue.put((name, json.loads(line[6:])))
        except (requests.RequestException, AttributeError, ValueError):
            pass  # closed by the test

    def until(self, wanted: str, **holding: Any) -> dict[str, Any]:
        """Wait for the next event of that name whose data hold these values."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                name, data = self._queue.get(timeout=1)
            except queue.Empty:
                continue
            self.all.append((name, data))
            assert name != "error" or wanted == "error", data
            if name == wanted and all(data.get(key) == value for key, value in holding.items()):
                return data
        raise AssertionError(f"expected {wanted} {holding}, got {[name for name, _ in self.all]}")

    def close(self) -> None:
        self._response.close()


@contextmanager
def told(running: Running) -> Iterator[Told]:
    made = Told(running)
    try:
        yield made
    finally:
        made.close()
