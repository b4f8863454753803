"""The two directions of a connection: lines out of a buffer, heads that go with their bodies."""

from __future__ import annotations

import gc
import json
import re
import socket

from raw_client import connect

from appliance.channels.http.patience import DeadlineReader
from appliance.channels.http.streams import ConnectionReader


def test_head_and_body_leave_together(shared):
    with connect(shared) as sock:
        for method, path in (("GET", "/healthz"), ("HEAD", "/healthz"), ("GET", "/nowhere"), ("HEAD", "/")):
            sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            first, _, body = sock.recv(1 << 20).partition(b"\r\n\r\n")
            length = int(re.search(rb"Content-Length: (\d+)", first)[1])
            assert len(body) == (length if method == "GET" else 0)


def test_lines_are_cut_out_of_the_buffer():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        raw = DeadlineReader(ours, 5.0, lambda: False)
        reader = ConnectionReader(raw, ours, 8)  # a buffer shorter than the lines
        theirs.sendall(b"a\r\nlonger than the buffer\r\n\r\nrest")
        theirs.shutdown(socket.SHUT_WR)
        assert [reader.readline(), reader.readline(4), reader.readline(256)] == [
            b"a\r\n",
            b"long",
            b"er than the buffer\r\n",
        ]
        assert [reader.readline(), reader.readline(), reader.readline()] == [b"\r\n", b"rest", b""]
        assert reader.bytes_read == 3 + 24 + 2 + 4


def test_between_two_requests_a_connection_keeps_nobodys_words(shared):
    """A browser keeps six connections open; each would hold the last words that came by it until the next ones do."""
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as sock:
        body = json.dumps({"text": "wo jiao " + "mingyue"}).encode()
        head = "POST /v1/turns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        gc.collect()
        readers = [thing for thing in gc.get_objects() if isinstance(thing, ConnectionReader)]
        assert readers
        assert not any(b"mingyue" in reader._read_buf for reader in readers)
