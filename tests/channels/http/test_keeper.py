"""Connections between requests: taken, kept in order, closed for others, refused politely, never asked in a loop."""

from __future__ import annotations

import errno
import http.client
import json
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from appliance.channels.http import keeper, refused
from appliance.channels.http.keeper import Keeper

ONE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def ask(sock: socket.socket) -> int:
    sock.sendall(ONE)
    response = http.client.HTTPResponse(sock)
    response.begin()
    response.read()
    return response.status


def kept(server):
    return server.server._server.keeper.kept


def until(condition) -> None:
    """Wait for something that comes by itself."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_a_crowd_that_comes_at_once_is_taken_and_counted(serve):
    server = serve()
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(300)]
        assert [ask(sock) for sock in crowd] == [200] * 300
        until(lambda: kept(server).idle == 300)
        assert (kept(server).open, kept(server).accepted, kept(server).refused) == (300, 300, 0)
        assert [ask(sock) for sock in crowd] == [200] * 300  # all of them are still served
    until(lambda: kept(server).open == 0)


def test_the_longest_idle_goes_for_a_new_one(serve, monkeypatch):
    monkeypatch.setattr(keeper, "IDLE_S", 0.0)
    server = serve(http_connections=64)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(64)]
        for sock in crowd:
            ask(sock)
            until(lambda: kept(server).idle == 64)  # one after the other has grown idle
        assert ask(crowd[0]) == 200  # now the second one has been idle longest
        until(lambda: kept(server).idle == 64)
        assert ask(stack.enter_context(connect(server))) == 200
        assert kept(server).closed_for_others == 1
        assert crowd[1].recv(1) == b""
        assert [ask(sock) for sock in (crowd[0], crowd[2], crowd[63])] == [200] * 3
        assert kept(server).refused == 0


def test_who_finds_no_place_gets_a_503_that_can_be_read(serve, monkeypatch):
    monkeypatch.setattr(keeper, "IDLE_S", 1000.0)
    monkeypatch.setattr(refused, "FAREWELL_S", 0.3)
    server = serve(http_connections=64)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(64)]
        assert [ask(sock) for sock in crowd[:3]] == [200] * 3
        until(lambda: kept(server).open == 64)
        for body in (b"", b"x" * 50_000):
            with connect(server) as sock:
                sock.sendall(b"POST /v1/turns HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + body)
                response = http.client.HTTPResponse(sock)
                response.begin()
                problem = json.loads(response.read())
                assert (response.status, response.getheader("Retry-After")) == (503, "1")
                assert response.getheader("Connection") == "close"
                assert (problem["code"], set(problem)) == ("overloaded", {"code", "message", "remedy"})
        assert (kept(server).refused, kept(server).open) == (2, 64)
        assert 'gate="connections"} 2.0' in server.metrics.text().decode()
        assert [ask(sock) for sock in crowd[:3]] == [200] * 3  # those inside do not notice
        crowd[10].close()
        until(lambda: kept(server).open < 64)
        with connect(server) as sock:
            assert ask(sock) == 200


def test_refused_ones_hold_few_files_however_many_they_are(serve, monkeypatch):
    monkeypatch.setattr(keeper, "IDLE_S", 1000.0)
    monkeypatch.setattr(refused, "FAREWELL_S", 1000.0)
    monkeypatch.setattr(refused, "FAREWELLS", 4)
    server = serve(http_connections=64)
    with ExitStack() as stack:
        inside = [stack.enter_context(connect(server)) for _ in range(64)]
        until(lambda: kept(server).open == 64)
        outside = [stack.enter_context(connect(server)) for _ in range(20)]
        assert all(sock.recv(12) == b"HTTP/1.1 503" for sock in outside)
        until(lambda: len(server.server._server.keeper._refused._leaving) == 4)
        assert ask(inside[0]) == 200


def test_a_system_without_files_is_not_asked_in_a_loop_and_others_are_served(serve, monkeypatch):
    server = serve()
    attempts = []

    class NoFiles:
        """A listening socket of a process that has opened all its files."""

        def __init__(self, real: socket.socket) -> None:
            self.real = real

        def accept(self):
            attempts.append(time.monotonic())
            raise OSError(errno.EMFILE, "Too many open files")

    manager: Keeper = server.server._server.keeper
    with connect(server) as inside:
        assert ask(inside) == 200
        real = manager._socket
        monkeypatch.setattr(manager, "_socket", NoFiles(real))
        with connect(server) as outside:
            until(lambda: len(attempts) >= 2)
            assert [ask(inside) for _ in range(20)] == [200] * 20
            time.sleep(1.0)
            assert len(attempts) < 12  # every PAUSE_S, not as fast as the processor can
            monkeypatch.setattr(manager, "_socket", real)
            assert ask(outside) == 200


def test_idle_connections_go_after_their_time_and_a_late_request_is_still_served(serve):
    server = serve(http_timeout_s=1.0)
    with connect(server) as silent, connect(server) as busy:
        began = time.monotonic()
        while time.monotonic() - began < 2.5:
            assert ask(busy) == 200
            time.sleep(0.2)
        assert silent.recv(1) == b""
        until(lambda: kept(server).open == 1)


@pytest.mark.parametrize("jump_s", [86_400.0, -86_400.0])
def test_a_jump_of_the_wall_clock_closes_nobody_and_keeps_nobody(serve, monkeypatch, jump_s):
    real = time.time
    monkeypatch.setattr(keeper, "IDLE_S", 0.5)
    server = serve(http_connections=64, http_timeout_s=2.0)
    with ExitStack() as stack:
        crowd = [stack.enter_context(connect(server)) for _ in range(64)]
        assert [ask(sock) for sock in crowd] == [200] * 64
        until(lambda: kept(server).idle == 64)
        began = time.monotonic()
        monkeypatch.setattr(time, "time", lambda: real() + jump_s)
        # A day forward: nobody has been idle for a day. Half a second is over by itself, whatever a clock says.
        until(lambda: ask(crowd[0]) == 200 and time.monotonic() - began > 0.7)
        assert kept(server).open == 64
        assert ask(stack.enter_context(connect(server))) == 200
        assert (kept(server).closed_for_others, kept(server).refused) == (1, 0)
        # A day back: who has been silent for his time goes all the same.
        until(lambda: ask(crowd[0]) == 200 and kept(server).open == 1)
        assert time.monotonic() - began > 1.5


def test_a_request_that_comes_as_its_connection_is_about_to_go_is_served(serve):
    server = serve()
    manager: Keeper = server.server._server.keeper
    with connect(server) as sock:
        assert ask(sock) == 200
        until(lambda: kept(server).idle == 1)
        ((fd, conn),) = manager._idle.items()
        with manager._lock:
            del manager._idle[fd]  # as `_expire` does it
        sock.sendall(ONE)
        until(lambda: _readable(conn.socket))
        assert manager._end_idle(fd, conn) is False
        response = http.client.HTTPResponse(sock)
        response.begin()
        assert (response.status, response.read()) == (200, b'{"status":"alive"}')


def _readable(sock: socket.socket) -> bool:
    import select

    return bool(select.select([sock], [], [], 0)[0])


def test_status_tells_of_connections_threads_and_files(serve):
    server = serve(http_connections=100)
    state = server.get("/v1/status").json()["server"]
    connections = state["connections"]
    assert (connections["most"], connections["open"], connections["accepted"]) == (100, 1, 1)
    assert connections["slowest_pass_ms"] >= 0
    assert state["threads"]["idle"] < server.settings.http_threads  # one is answering this
    assert state["files"]["needed"] == 356
    assert state["files"]["ok"] is True


def test_nothing_is_left_of_a_connection_that_was_closed(serve):
    import gc
    import weakref

    server = serve(http_threads=8, admitted=4)
    gc.disable()
    try:
        with connect(server) as sock:
            assert ask(sock) == 200
            until(lambda: kept(server).idle == 1)
            ((_, conn),) = server.server._server.keeper._idle.items()
            gone = weakref.ref(conn)
            del conn
        with connect(server) as sock:
            # A thread lets go of its last connection when it gets the next; the collector is not needed for any.
            until(lambda: ask(sock) == 200 and gone() is None)
    finally:
        gc.enable()


@pytest.mark.parametrize("speaks", [True, False])
def test_refused(speaks):
    out = refused.Refused(speaks=speaks)
    ours, theirs = socket.socketpair()
    with theirs:
        out.take(ours)
        assert theirs.recv(65536).startswith(b"HTTP/1.1 503 ") is speaks
        out.tidy(time.monotonic())
        assert ours.fileno() >= 0
        out.tidy(time.monotonic() + refused.FAREWELL_S + 1)
        assert ours.fileno() < 0
    gone, other = socket.socketpair()
    other.close()
    out.take(gone)
    out.close()


def test_it_is_never_silent_for_long_while_it_serves(serve):
    server = serve()
    longest = 0.0
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        longest = max(longest, server.server.silent_s())
        time.sleep(0.01)
    assert 0.1 < longest < 1.0  # it waits a quarter of a second for something to happen


def test_a_pass_that_hangs_shows_as_silence(serve, monkeypatch):
    server, leave = serve(), threading.Event()
    monkeypatch.setattr(Keeper, "_wake", lambda self, fd: leave.wait(20))
    with connect(server) as sock:
        sock.sendall(ONE)
        until(lambda: server.server.silent_s() > 1.0)
        leave.set()
        until(lambda: server.server.silent_s() < 1.0)
