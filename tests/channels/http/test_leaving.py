"""Clients of a streamed reading that leave, fetch slowly or not at all, and the few places that there are."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest
from fake_door import LINES, PNG, FakeDoor
from streamed import EVENTS, IMAGE, WIDE, places_free, raw, stream, until


def test_a_client_that_leaves_stops_the_reading_at_the_next_line(serve):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(lines=LINES * 20, step=step), ocr_streams=1)
    for path in ("/v1/ocr", "/v1/turns"):
        with raw(server, path) as sock:
            step.release()
            while b"event: line" not in sock.recv(4096):
                pass
        # The client is gone; one more line may be begun, and then none.
        done = len(server.door.read_lines)
        time.sleep(0.6)
        step.release()
        until(lambda done=done: len(server.door.read_lines) > done)
        assert server.door.read_lines[-1] == 1
    step.release(120)
    until(lambda: places_free(server, 1))


@pytest.mark.parametrize("path", ["/v1/ocr", "/v1/turns"])
def test_a_client_that_leaves_before_its_plain_answer_stops_the_reading_at_the_next_line(serve, path):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(lines=LINES * 20, step=step))
    with raw(server, path, accept="application/json"):
        step.release()
        until(lambda: server.door.acts)
    step.release()  # the line that was being read when the client left
    until(lambda: server.door.read_lines)
    assert server.door.read_lines[0] <= 2
    assert not server.door.sessions
    until(lambda: server.server.state()["threads"]["idle"] == server.settings.http_threads)
    step.release(60)
    answer = server.post(path, data=IMAGE, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200
    assert server.door.read_lines[1:] == [60]


@pytest.mark.parametrize("path", ["/v1/ocr", "/v1/turns"])
def test_a_client_that_closes_its_half_is_told_that_it_counts_as_gone(serve, path):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step))
    with raw(server, path, accept="application/json") as sock:
        until(lambda: server.door.acts)
        sock.shutdown(socket.SHUT_WR)
        step.release(3)
        answer = sock.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400")
    assert "expected to wait for its answer" in answer.decode()


def test_a_client_that_leaves_before_anything_was_found_is_noticed(serve):
    hold, step = threading.Event(), threading.Semaphore(60)
    server = serve(FakeDoor(lines=LINES * 20, hold=hold, step=step), ocr_streams=1)
    with raw(server):
        until(lambda: server.door.acts)
    until(lambda: b'status="400"' in server.metrics.text())  # nobody reads it, but the thread is free again
    assert server.post("/v1/ocr", data=IMAGE, headers={**EVENTS, "Content-Type": "image/png"}).status_code == 503
    hold.set()
    until(lambda: server.door.read_lines == [0])  # it holds its place until the networks have let go
    until(lambda: places_free(server, 1))


def test_places_are_few_and_a_full_house_reads_no_body(serve):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step), ocr_streams=2)
    opened = [stream(server) for _ in range(2)]
    assert [next(events)[0] for _, events in opened] == ["found", "found"]
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        head = "POST /v1/ocr HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: image/png\r\n"
        sock.sendall(f"{head}Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 2" in answer
    assert b'appliance_shed_total{gate="readings"} 1.0' in server.get("/metrics").content
    assert server.ask("a").status_code == 200  # those who do not stream go on
    step.release(6)
    assert [list(events)[-1][0] for _, events in opened] == ["result", "result"]
    until(lambda: step.release(6) or places_free(server, 2))


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=b"])
def test_uploads_that_drip_take_no_place_from_photos_that_are_here(serve, kind):
    server = serve()
    head = f"POST /v1/turns HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: {kind}\r\n"
    with ExitStack() as stack:
        dripping = []
        for _ in range(server.settings.ocr_streams):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            sock.sendall(f"{head}Content-Length: 500000\r\nExpect: 100-continue\r\n\r\n".encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 100")  # their bodies are being read
            sock.sendall(b"-")
            dripping.append(sock)
        for path in ("/v1/turns", "/v1/ocr"):
            response, events = stream(server, path)
            assert response.status_code == 200
            assert list(events)[-1][0] == "result"
        for sock in dripping:
            sock.sendall(b"-")


def test_a_body_is_received_while_a_place_may_become_free_and_refused_when_none_did(serve):
    """A client who fetches nothing holds its place though its image is read: that is no reason to send bodies away."""
    server = serve(FakeDoor(lines=(WIDE,) * 150), ocr_streams=1, http_timeout_s=60.0)
    head = "POST /v1/ocr HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: image/png\r\n"
    image = PNG + bytes(100_000)
    with raw(server, receive=4096) as slow:
        until(lambda: server.door.read_lines == [150])
        until(
            lambda: not any(thread.name == "reading" for thread in threading.enumerate())
        )  # it is read for the place too
        for free in (False, True):
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
                sock.sendall(f"{head}Content-Length: {len(image)}\r\nExpect: 100-continue\r\n\r\n".encode())
                assert sock.recv(4096).startswith(b"HTTP/1.1 100")
                if free:  # the other one goes while this body is on its way
                    slow.close()
                    until(lambda: server.server.state()["threads"]["idle"] == server.settings.http_threads - 1)
                sock.sendall(image)
                answer = sock.recv(4096)
                assert answer.startswith(b"HTTP/1.1 200" if free else b"HTTP/1.1 503")
                assert (b"Retry-After: 2" in answer) is not free


def test_no_places_at_all(serve):
    server = serve(ocr_streams=0)
    assert stream(server)[0].status_code == 503
    assert server.post("/v1/ocr", data=IMAGE, headers={"Content-Type": "image/png"}).status_code == 200


def test_a_client_that_fetches_nothing_holds_up_nobody(serve):
    """The reading ends at its own pace; the place is free when the client's patience is over."""
    server = serve(FakeDoor(lines=(WIDE,) * 150), ocr_streams=1, http_timeout_s=1.0)
    with raw(server, receive=4096):
        until(lambda: server.door.read_lines == [150])  # all of it was read, though none of it was fetched
        assert stream(server)[0].status_code == 503
        until(lambda: stream(server)[0].status_code == 200)


def test_a_client_that_fetches_slowly_but_steadily_is_cut_off(serve):
    """150 lines of 60 kB at 1.6 MB/s would take six seconds; the stream may take two."""
    server = serve(FakeDoor(lines=(WIDE,) * 150), ocr_streams=1, http_timeout_s=1.0, deadline_s=1.0)
    free = threading.Event()

    def ask():
        until(lambda: stream(server)[0].status_code == 200, 15)
        free.set()

    with raw(server, receive=65536) as sock:
        until(lambda: server.door.read_lines == [150])
        asking = threading.Thread(target=ask)
        asking.start()
        fetched, last = 0, b""
        while piece := sock.recv(16384):
            fetched, last = fetched + len(piece), piece
            time.sleep(0.01)
        asking.join(20)
        assert free.is_set()
        assert fetched < 150 * 60_000
        assert not last.endswith(b"0\r\n\r\n")


def test_a_stopping_server_ends_the_reading_with_what_is_known(serve):
    step = threading.Semaphore(1)
    server = serve(FakeDoor(step=step))
    _, events = stream(server)
    assert [next(events)[0] for _ in range(2)] == ["found", "line"]
    stopping = threading.Thread(target=server.server.stop)
    stopping.start()
    until(lambda: server.events.closed)
    step.release()
    name, result = next(events)
    stopping.join(20)
    assert name == "result"
    assert (result["partial"], result["unread"], len(result["lines"])) == (True, 2, 1)
