"""Heads of requests: what two readers could read differently is refused, and options have no case."""

from __future__ import annotations

import re
import socket

import pytest
from raw_client import connect, exchange, head


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 413),
        (head() + b"Content-Length: -5\r\n\r\n", 400),
        (head() + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (head() + b"Content-Length: +5\r\n\r\n", 400),
        (head() + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (head() + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (head() + b"Content-Length: 50\r\n\r\nshort", 400),
    ],
)
def test_malformed_requests_get_json(shared, sent, status):
    got, body = exchange(shared, sent)
    assert got == status
    assert set(body) == {"code", "message", "remedy", "request_id"}


def test_header_with_underscore_is_not_taken_for_another(shared):
    sent = head("/v1/turns", kind="application/json") + b"Content_Length: 3\r\nConnection: close\r\n\r\n{}x"
    status, body = exchange(shared, sent)
    assert (status, "empty body" in str(body["message"])) == (400, True)


@pytest.mark.parametrize(
    "framing",
    [
        b"HTTP/1.0\r\nConnection: Keep-Alive\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1\r\nTransfer-Encoding: chunked, chunked",
        b"HTTP/1.1\r\nTransfer-Encoding:",
        b"HTTP/1.1\r\nTransfer-Encoding: ,",
    ],
)
def test_framing_with_two_readings_is_refused_and_nothing_of_the_body_is_a_request(shared, framing):
    hidden = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(shared) as sock:
        sock.sendall(b"POST /nowhere " + framing + b"\r\nHost: 127.0.0.1\r\n\r\n" + hidden)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "head, answers",
    [
        (b"HTTP/1.1\r\nConnection: Close", 1),
        (b"HTTP/1.1\r\nConnection: keep-alive, CLOSE", 1),
        (b"HTTP/1.1\r\nConnection: upgrade", 2),
        (b"HTTP/1.0\r\nConnection: keep-alive", 2),
        (b"HTTP/1.0\r\nConnection: x", 1),
    ],
)
def test_options_of_a_connection_have_no_case(shared, head, answers):
    one = b"GET /healthz " + head + b"\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(shared) as sock:
        sock.sendall(one + one)
        sock.shutdown(socket.SHUT_WR)
        raw = b""
        while piece := sock.recv(65536):
            raw += piece
    assert re.findall(rb"HTTP/1\.1 (\d+)", raw) == [b"200"] * answers
