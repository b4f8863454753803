"""A listening socket that is handed to the next program: nobody who connects meanwhile is turned away unheard."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from fake_door import FakeDoor
from prometheus_client import CollectorRegistry

from appliance.channels.http.api import create_app
from appliance.channels.http.handed import VARIABLE, WaitingRoom, hand, kept, same_place, taken
from appliance.channels.http.server import Server
from appliance.metrics import Metrics
from appliance.settings import Settings


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def test_the_next_program_answers_who_has_waited(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    waiting = socket.create_connection(("127.0.0.1", port), timeout=20)
    waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    environ = dict(os.environ)
    held = kept(listening)
    listening.close()  # as the server does
    hand(held, environ)
    number = int(environ[VARIABLE])
    script = (
        "import os; from appliance.channels.http.handed import *; import time\n"
        "with WaitingRoom(taken(os.environ), 7): time.sleep(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environ, pass_fds=[number], check=False)
    os.close(number)
    assert done.returncode == 0
    answer = http.client.HTTPResponse(waiting)
    answer.begin()
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Connection"]) == (503, "7", "close")
    assert json.loads(answer.read())["code"] == "overloaded"
    waiting.close()


def test_a_slow_or_silent_client_keeps_the_others_for_a_second_only(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    with WaitingRoom(listening, 3), socket.create_connection(("127.0.0.1", port)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", "/v1/turns", b"x" * 100_000, {"Content-Type": "application/json"})
        assert connection.getresponse().status == 503
        connection.close()
    assert listening.fileno() >= 0, "the socket goes on listening"


def test_a_client_that_sends_a_byte_now_and_then_does_not_keep_the_others(listening: socket.socket) -> None:
    port, over = listening.getsockname()[1], threading.Event()

    def drip(slow: socket.socket) -> None:
        while not over.wait(0.1):
            with suppress(OSError):
                slow.sendall(b"x")

    with WaitingRoom(listening, 3), socket.create_connection(("127.0.0.1", port)) as slow:
        thread = threading.Thread(target=drip, args=(slow,))
        thread.start()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=8)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 503
            connection.close()
        finally:
            over.set()
            thread.join()


def test_without_a_socket_nothing_happens() -> None:
    before = threading.active_count()
    with WaitingRoom(None, 3):
        assert threading.active_count() == before


@pytest.mark.parametrize("value", ["", "x", "999999", "-1"])
def test_a_variable_of_somebody_else_is_passed_over(value: str) -> None:
    environ = {VARIABLE: value}
    assert taken(environ) is None
    assert VARIABLE not in environ


def test_a_file_that_does_not_listen_is_passed_over() -> None:
    with socket.socket() as other:
        assert taken({VARIABLE: str(other.fileno())}) is None


def test_it_is_used_only_where_the_settings_still_want_it(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    assert same_place(listening, "127.0.0.1", port)
    assert same_place(listening, "127.0.0.1", 0)
    assert not same_place(listening, "127.0.0.1", port + 1 if port < 65535 else 1024)
    assert not same_place(listening, "0.0.0.0", port)
    assert not same_place(listening, "no.such.host.invalid", port)


def test_one_server_after_another_on_the_same_socket_and_nobody_is_refused() -> None:
    settings = Settings(http_port=0, http_threads=16, admitted=8)
    first = Server(create_app(FakeDoor(), settings, Metrics(CollectorRegistry())), settings)
    port = first.start()
    thread = threading.Thread(target=first.serve_forever)
    thread.start()
    held = first.kept()
    first.hold()
    late = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    late.request("GET", "/healthz")  # between the two
    first.stop()
    thread.join(20)
    second = Server(create_app(FakeDoor(), settings, Metrics(CollectorRegistry())), settings, handed=held)
    assert second.start() == port
    thread = threading.Thread(target=second.serve_forever)
    thread.start()
    try:
        assert late.getresponse().status == 200
    finally:
        late.close()
        second.stop()
        thread.join(20)


def test_what_has_come_is_answered_before_the_server_leaves() -> None:
    entered, go_on = threading.Event(), threading.Event()

    class SlowDoor(FakeDoor):
        def greeting(self, language: str = "zh") -> dict[str, object]:
            entered.set()
            go_on.wait(20)
            return super().greeting(language)

    settings = Settings(http_port=0, http_threads=16, admitted=8)
    server = Server(create_app(SlowDoor(), settings, Metrics(CollectorRegistry())), settings)
    port = server.start()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asked.request("GET", "/v1/greeting")
    assert entered.wait(20)
    held = threading.Thread(target=server.hold)
    held.start()
    held.join(0.7)
    assert held.is_alive(), "it waits for the one who is inside"
    go_on.set()
    assert asked.getresponse().status == 200
    asked.close()
    held.join(20)
    server.stop()
    thread.join(20)
