"""Event streams: state on change, heartbeats, their own limit, and not a word of a customer."""

from __future__ import annotations

import json
import time

import pytest
import requests
from fake_door import FakeDoor

from appliance.channels.http import events
from appliance.channels.http.events import EventStream
from appliance.errors import Overloaded


class Client:
    """Reads events from a stream one by one."""

    def __init__(self, server, accept="text/event-stream"):
        headers = {"Accept": accept}
        self.response = requests.get(server.url + "/v1/events", stream=True, timeout=10, headers=headers)
        self.lines = self.response.iter_lines(chunk_size=1)

    def next(self, *names):
        name = None
        for line in self.lines:
            field, _, value = line.decode().partition(": ")
            if field == "event":
                name = value
            if field == "data" and name in names:
                return name, json.loads(value)
        raise AssertionError("the stream ended")

    def close(self):
        self.response.close()


def test_state_first_then_changes_and_heartbeats(serve):
    server = serve()
    client = Client(server)
    assert client.response.headers["Content-Type"].startswith("text/event-stream")
    assert client.response.headers["Cache-Control"] == "no-store"
    _, state = client.next("state")
    assert state["ready"] is True
    assert [feature["name"] for feature in state["features"]] == ["ocr", "asr", "language"]
    assert state["queues"] == {"image": 0}
    assert client.next("state", "heartbeat") == ("heartbeat", {"streams": 1})
    server.door.depth = 2
    server.door.ocr_state = "fallback"
    _, state = client.next("state")
    assert state["queues"] == {"image": 2}
    assert state["features"][0]["state"] == "fallback"
    client.close()


def test_nothing_of_a_customer_passes(serve):
    server = serve()
    client = Client(server)
    client.next("state")
    secret = "我的电话是13812345678"
    session = server.ask(secret).json()["session"]
    seen = json.dumps([client.next("state", "heartbeat") for _ in range(3)], ensure_ascii=False)
    assert secret not in seen
    assert session not in seen
    client.close()


def test_streams_have_their_own_limit_and_places_come_back(serve):
    server = serve(event_streams=2)
    clients = [Client(server), Client(server)]
    for client in clients:
        client.next("state")
    refused = server.get("/v1/events")
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused.headers["Retry-After"] == "5"
    assert server.ask("a").status_code == 200
    assert b'appliance_shed_total{gate="events"} 1.0' in server.get("/metrics").content
    for client in clients:
        client.close()
    deadline = time.monotonic() + 10  # the next heartbeats find the clients gone
    while server.events.open and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.events.open == 0
    again = Client(server)
    again.next("state")
    again.close()


def test_a_client_that_left_gives_its_place_back_before_any_heartbeat(serve):
    server = serve(event_streams=1, heartbeat_s=1000.0)
    client = Client(server)
    client.next("state")
    assert server.events.open == 1
    client.close()
    deadline = time.monotonic() + 10
    while server.events.open and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.events.open == 0


def test_stream_that_nobody_asked_for_by_name_ends(serve, monkeypatch):
    monkeypatch.setattr(events, "UNASKED_S", 0.3)
    client = Client(serve(), accept="*/*")
    client.next("state")
    with pytest.raises(AssertionError, match="the stream ended"):
        client.next("nothing")


def test_head_of_a_stream_gives_its_place_back(serve):
    server = serve(event_streams=1)
    for _ in range(3):
        assert requests.head(server.url + "/v1/events", timeout=5).status_code == 200
    assert server.events.open == 0


def test_no_places_and_closed():
    with pytest.raises(Overloaded):
        EventStream(FakeDoor(), 0).subscribe()
    streams = EventStream(FakeDoor(), 1, interval_s=0.01)
    stream, release = streams.subscribe()
    assert next(stream).startswith(b"retry: 5000")
    assert next(stream).startswith(b"event: state\n")
    streams.close()
    assert list(stream) == []
    release()
    release()
    assert streams.open == 0
    with pytest.raises(Overloaded):
        streams.subscribe()


def test_streams_share_one_look_at_the_door():
    class Counting(FakeDoor):
        looks = 0

        def status(self):
            self.looks += 1
            return super().status()

    door, now = Counting(), [0.0]
    streams = EventStream(door, 4, interval_s=1.0, clock=lambda: now[0])
    for _ in range(3):
        stream, _ = streams.subscribe()
        next(stream)
        next(stream)
    assert door.looks == 1
    now[0] = 1.0
    stream, _ = streams.subscribe()
    next(stream)
    next(stream)
    assert door.looks == 2
