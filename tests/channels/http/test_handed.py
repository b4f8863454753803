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

import pytest

from appliance.channels.http.handed import VARIABLE, WaitingRoom, hand, kept, same_place, taken


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
    assert listening.fileno() >= 0, "the socket goes on listening"


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
