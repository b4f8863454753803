"""One connection: many requests, their order, and what stays of them."""

from __future__ import annotations

import http.client
import json
import re
import socket

from fake_door import PNG
from raw_client import connect, head


def test_client_that_leaves_in_the_middle(shared):
    for _ in range(5):
        with connect(shared) as sock:
            sock.sendall(head() + b"Content-Length: 5000\r\n\r\n" + PNG)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
    assert shared.ask("a").status_code == 200


def test_keep_alive_serves_many_requests_on_one_connection(shared):
    client = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=20)
    for _ in range(20):
        client.request("POST", "/v1/turns", json.dumps({"text": "a"}), {"Content-Type": "application/json"})
        response = client.getresponse()
        assert (response.status, response.getheader("Connection")) == (200, None)
        response.read()
    client.close()


def test_pipelined_requests_are_answered_in_order(shared):
    one = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with connect(shared) as sock:
        sock.sendall(one + one + last)
        raw = b""
        while piece := sock.recv(65536):
            raw += piece
    assert re.findall(rb"HTTP/1\.1 (\d+)", raw) == [b"200", b"200", b"404"]
