"""Readings as a client gets them: asked for, parsed, over a bare socket."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager

import requests
from fake_door import PNG

from appliance.values import OcrLine

EVENTS = {"Accept": "text/event-stream"}
IMAGE = PNG + b"\0" * 64
WIDE = OcrLine("长" * 20_000, 0.9, ((0, 0), (9, 0), (9, 9), (0, 9)))
"""A line that no socket's buffers take a hundred times."""


def parsed(lines):
    """(name, data) of each event of an iterable of lines."""
    name = None
    for line in lines:
        text = line.decode() if isinstance(line, bytes) else line
        field, _, value = text.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def stream(server, path="/v1/ocr", kind="image/png", body=IMAGE):
    response = requests.post(
        server.url + path, data=body, headers={**EVENTS, "Content-Type": kind}, stream=True, timeout=10
    )
    return response, parsed(response.iter_lines(chunk_size=1))


def until(said, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def places_free(server, places):
    """True when so many streams can be open at once; leaves none open."""
    opened = []
    try:
        for _ in range(places):
            response, events = stream(server)
            if response.status_code != 200:
                return False
            opened.append(response)
        return True
    finally:
        for response in opened:
            response.close()


@contextmanager
def raw(server, path="/v1/ocr", receive=None, accept="text/event-stream"):
    """A bare socket that has asked for a stream and reads nothing by itself."""
    with socket.socket() as sock:
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.settimeout(10)
        sock.connect(("127.0.0.1", server.port))
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nContent-Type: image/png\r\n"
        sock.sendall(f"{head}Content-Length: {len(IMAGE)}\r\n\r\n".encode() + IMAGE)
        yield sock
