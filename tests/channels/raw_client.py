"""A client that sends raw bytes, as no library would."""

from __future__ import annotations

import http.client
import json
import socket

HEAD = "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {type}\r\n"


def head(path="/v1/ocr", method="POST", kind="image/png"):
    return HEAD.format(method=method, path=path, type=kind).encode()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def exchange(server, sent: bytes, *, more: bool = False) -> tuple[int, dict[str, object]]:
    """Send raw bytes, read until the server closes; the status and the JSON body.

    With `more` the client keeps its sending half open, as whoever waits for a reading has to.
    """
    with connect(server) as sock:
        sock.sendall(sent)
        if not more:
            sock.shutdown(socket.SHUT_WR)
        raw = b""
        while piece := sock.recv(65536):
            raw += piece
    assert raw, "no answer"
    first, body = raw.split(b"\r\n\r\n", 1)
    return int(first.split()[1]), json.loads(body)


def read_answer(sock) -> tuple[int, bytes]:
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status, response.read()


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
