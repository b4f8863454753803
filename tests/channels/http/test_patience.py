"""Clients that are slow or silent: how long one may keep a thread, and who has to give it up."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress

import pytest
from fake_door import PNG
from raw_client import connect, head, read_answer

from appliance.channels.http import connection, patience
from appliance.channels.http.patience import Patience


def test_silent_upload_times_out(serve):
    server = serve(http_timeout_s=1.0)
    with connect(server) as sock:
        sock.sendall(head() + b"Content-Length: 5000\r\n\r\n" + PNG)
        status, body = read_answer(sock)
    assert (status, json.loads(body)["code"]) == (408, "request_timeout")
    assert server.door.images == []


def test_dripping_head_and_body_have_a_deadline(serve, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    server = serve(http_timeout_s=1.0)
    for opening in (b"GET / HTTP/1.1\r\nX: ", head() + b"Content-Length: 5000\r\n\r\n"):
        with connect(server) as sock:
            sock.sendall(opening)
            sock.settimeout(0.1)
            answer = b""
            for _ in range(100):  # a byte every tenth of a second never lets the socket fall silent
                try:
                    sock.sendall(b"x")
                    answer += sock.recv(4096)
                except TimeoutError:
                    continue
                except OSError:
                    break
                if answer:
                    break
        assert b" 408 " in answer.split(b"\r\n")[0]


def test_silent_connections_hold_no_thread(serve):
    server = serve(http_threads=8, admitted=4)
    silent = [connect(server) for _ in range(40)]
    assert server.ask("a").status_code == 200
    for sock in silent:
        sock.close()


def test_slow_uploads_cannot_take_all_threads(serve):
    server = serve(image_jobs=1, audio_jobs=1, http_timeout_s=3.0)  # three places for images
    slow = [connect(server) for _ in range(3)]
    for sock in slow:
        sock.sendall(head() + b"Content-Length: 5000\r\n\r\n" + PNG)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        response = server.post("/v1/ocr", data=PNG, headers={"Content-Type": "image/png"})
        if response.status_code == 503:
            break
    assert response.json()["code"] == "overloaded"
    assert int(response.headers["Retry-After"]) >= 1
    assert server.ask("a").status_code == 200
    heard = server.post("/v1/turns", data=b"RIFF", headers={"Content-Type": "audio/wav"})
    assert heard.json()["message"].endswith("none installed")  # recordings have their own places
    form = server.post("/v1/ocr", files={"image": ("a.png", PNG, "image/png")})
    assert form.json()["code"] == "overloaded"
    assert b'appliance_shed_total{gate="upload"}' in server.metrics.text()
    for sock in slow:
        sock.close()


def test_slow_clients_give_their_threads_up_when_others_wait(serve, monkeypatch):
    monkeypatch.setattr(patience, "GRACE_S", 0.2)
    monkeypatch.setattr(patience, "LOOK_S", 0.05)
    server = serve(http_threads=8, admitted=4, http_timeout_s=300.0)
    openings = (b"GET / HTTP/1.1\r\nX: ", head("/v1/turns", kind="application/json") + b"Content-Length: 500\r\n\r\n{")
    slow = [connect(server) for _ in range(24)]
    for number, sock in enumerate(slow):
        sock.sendall(openings[number % 2])
    assert server.ask("a").status_code == 200  # within requests' 20 s: their own time would be 10 s and more, thrice
    refused = 0
    for sock in slow:
        sock.setblocking(False)
        with suppress(BlockingIOError):  # the last ones still have their threads: nobody waits for these any more
            refused += b" 408 " in sock.recv(4096)
        sock.close()
    assert refused >= 16


def test_slow_client_keeps_its_thread_while_nobody_waits(serve, monkeypatch):
    monkeypatch.setattr(patience, "GRACE_S", 0.01)
    monkeypatch.setattr(patience, "LOOK_S", 0.01)
    server = serve()
    with connect(server) as sock:
        sock.sendall(head() + b"Content-Length: %d\r\n\r\n" % len(PNG) + PNG[:20])
        time.sleep(0.5)
        sock.sendall(PNG[20:])
        assert read_answer(sock)[0] == 200


def test_answer_that_is_not_fetched_frees_its_thread_when_others_wait(serve, monkeypatch):
    monkeypatch.setattr(patience, "GRACE_S", 0.2)
    monkeypatch.setattr(patience, "LOOK_S", 0.05)
    server = serve(http_threads=8, admitted=4, http_timeout_s=300.0)
    slow, pool = [], server.server._server.requests
    for _ in range(8):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        # Answers of over a megabyte each, more than the kernel buffers on the way.
        sock.sendall((head("/docs/assets/swagger-ui-bundle.js", "GET") + b"\r\n") * 8)
        slow.append(sock)
    while pool.idle or pool.qsize:  # until each of them holds a thread
        time.sleep(0.05)
    time.sleep(0.3)
    assert pool.idle == 0
    assert server.ask("a").status_code == 200
    for sock in slow:
        sock.close()


def test_patience_ends_with_silence_and_with_the_deadline():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for silence, deadline in ((0.05, None), (60.0, 0.05)):
            patient = Patience(ours, silence, lambda: False)
            patient.renew(deadline)
            with pytest.raises(TimeoutError):
                patient.call(lambda: ours.recv_into(bytearray(8)))
        theirs.sendall(b"abc")
        assert Patience(ours, 60.0, lambda: True).call(lambda: ours.recv_into(bytearray(8))) == 3
