"""Fixtures of the channels: a fake door, an application around it, and a real server on a free port."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client import CollectorRegistry

from appliance.channels.http.api import create_app
from appliance.channels.http.events import EventStream
from appliance.channels.http.server import Server
from appliance.logs import Log
from appliance.metrics import Metrics
from appliance.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this is how they share fake_door

from fake_door import FakeDoor  # noqa: E402 - only to be found after the line above


@dataclass
class Running:
    """A server that serves."""

    door: FakeDoor
    settings: Settings
    metrics: Metrics
    events: EventStream
    server: Server
    port: int
    url: str

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=20, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return requests.post(self.url + path, timeout=20, **more)

    def ask(self, text: str, **more: Any) -> requests.Response:
        return self.post("/v1/turns", json={"text": text, **more})


Serve = Callable[..., Running]


@contextmanager
def running(door: FakeDoor, heartbeat_s: float = 0.2, kept: Log | None = None, **over: Any) -> Iterator[Running]:
    """A real server around `door` on a free port of the loopback."""
    settings = replace(Settings(), **{"http_port": 0, "http_threads": 16, "admitted": 8, "http_timeout_s": 5.0, **over})
    metrics = Metrics(CollectorRegistry())
    events = EventStream(
        door, settings.event_streams, interval_s=0.05, heartbeat_s=heartbeat_s, listener=metrics.listener
    )
    app = create_app(door, settings, metrics, events=events, kept=kept)
    server = Server(app, settings, on_stop=events.close, listener=metrics.listener)
    port = server.start()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Running(door, settings, metrics, events, server, port, server.url)
    finally:
        if door.hold is not None:
            door.hold.set()
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers: `serve(door=..., setting=value)`; they are stopped after the test."""
    with ExitStack() as stack:

        def start(door: FakeDoor | None = None, **over: Any) -> Running:
            return stack.enter_context(running(door or FakeDoor(), **over))

        yield start


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One server for tests that leave it as it was."""
    with running(FakeDoor()) as server:
        yield server
