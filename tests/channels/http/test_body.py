"""Bodies: by length and by chunks, oversized, announced, malformed, unwanted."""

from __future__ import annotations

import http.client
import json

import pytest
from fake_door import PNG
from raw_client import chunked, connect, exchange, head, read_answer


def test_chunked_body(serve):
    server = serve()
    sent = head() + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunked(PNG, b"abc" * 9999, b"d")
    status, body = exchange(server, sent, more=True)
    assert (status, body["engine"]) == (200, "fake-reader")
    assert server.door.images == [PNG + b"abc" * 9999 + b"d"]


def test_chunked_body_over_the_limit_is_counted_while_read(serve):
    server = serve(max_image_bytes=100_000)
    status, body = exchange(server, head() + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(*[b"0" * 50_000] * 5))
    assert (status, body["code"]) == (413, "too_large")
    assert server.door.images == []


def test_chunk_that_announces_gigabytes_is_read_piece_by_piece(serve):
    server = serve(max_image_bytes=100_000)
    status, body = exchange(server, head() + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + b"0" * 300_000)
    assert (status, body["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "line", [b"zz\r\n", b"\r\n", b"-5\r\n", b"123456789\r\n", b"5\r\nabcdeXX", b"0x5\r\nabcde\r\n"]
)
def test_malformed_chunks(shared, line):
    status, body = exchange(shared, head() + b"Transfer-Encoding: chunked\r\n\r\n" + line)
    assert (status, body["code"]) == (400, "bad_request")


def test_oversized_body_gets_its_answer_and_no_reset(serve):
    server = serve(max_image_bytes=1_000_000)
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    client.request("POST", "/v1/ocr", b"0" * 20_000_000, {"Content-Type": "image/jpeg"})
    response = client.getresponse()
    assert response.status == 413
    assert "expected at most 1000000 bytes, got 20000000" in json.loads(response.read())["message"]
    assert server.door.images == []
    client.close()


def test_announced_size_is_judged_before_a_byte_arrives(serve):
    server = serve()
    with connect(server) as sock:
        sock.sendall(head() + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
        status, body = read_answer(sock)
    assert status == 413
    assert json.loads(body)["code"] == "too_large"


def test_continue_is_sent_when_the_body_is_wanted(serve):
    server = serve()
    with connect(server) as sock:
        sock.sendall(head() + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(PNG))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(PNG)
        assert read_answer(sock)[0] == 200


def test_unread_body_does_not_become_the_next_request(serve):
    server = serve()
    smuggled = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(head("/nowhere") + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"a" * 10) + smuggled)
        status, _ = read_answer(sock)
        assert status == 404
        rest = sock.recv(100)
    assert rest == b""


def test_small_unread_body_keeps_the_connection(shared):
    client = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=20)
    for _ in range(3):
        client.request("POST", "/nowhere", b"x" * 1000, {"Content-Type": "text/plain"})
        response = client.getresponse()
        assert (response.status, bool(response.read())) == (404, True)
        assert response.getheader("Connection") is None
    client.close()
