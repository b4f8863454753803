"""Bodies read within bounds: length first, then bytes counted while they arrive, and few large ones at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from flask import Request

from appliance.errors import BadRequest, Overloaded, RequestTimeout, TooLarge
from appliance.listener import Listener, silent

JSON_BYTES = 64 * 1024
"""Largest JSON body: 512 characters of text and a few entities are far below it."""
FORM_BYTES = 64 * 1024
"""What the fields and boundaries of a multipart body may add to its file."""
PIECE = 256 * 1024


def declared_length(asked: Request) -> int | None:
    """Content-Length as a number; None for a chunked body, 0 when nothing was announced."""
    if asked.environ.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" in asked.environ:
        return None
    text = asked.environ.get("CONTENT_LENGTH") or "0"
    if not (text.isascii() and text.isdigit()):
        raise BadRequest("Content-Length: expected digits, got something else")
    return int(text)


def check_length(asked: Request, limit: int) -> None:
    """Raise TooLarge before a byte is read when the announced length is over `limit`."""
    length = declared_length(asked)
    if length is not None and length > limit:
        raise TooLarge(f"body: expected at most {limit} bytes, got {length}")


class Incoming:
    """A body as it arrives, of at most `limit` bytes: a stream that is read once."""

    def __init__(self, asked: Request, limit: int) -> None:
        """Raises TooLarge before a byte is read when the announced length is over `limit`."""
        check_length(asked, limit)
        self.length = declared_length(asked)
        self._limit = limit
        self._source: Any = asked.environ["wsgi.input"]
        self._received = 0

    def read(self, size: int = PIECE, *, at_once: bool = False) -> bytes:
        """At most `size` bytes, none at the end of the body; `at_once` does not wait for that many to come.

        Raises TooLarge over the limit, RequestTimeout when the client stalls, BadRequest when it breaks off or its
        chunks are malformed.
        """
        wanted = self._limit + 1 if self.length is None else self.length
        if self._received == wanted:
            return b""
        try:
            read = self._source.read1 if at_once else self._source.read
            piece: bytes = read(min(size, wanted - self._received))
        except TimeoutError as error:
            expected = f"{self.length or 'more'} bytes in time"
            raise RequestTimeout(f"body: expected {expected}, got {self._received}") from error
        except (OSError, ValueError) as error:
            raise BadRequest("body: expected whole and well-formed, got it broken off") from error
        self._received += len(piece)
        if self._received > self._limit:
            raise TooLarge(f"body: expected at most {self._limit} bytes, got more")
        if not piece and self.length is not None:
            raise BadRequest(f"body: expected {self.length} bytes, got {self._received}")
        return piece


def read_body(asked: Request, limit: int) -> bytes:
    """The whole body, at most `limit` bytes, in memory once. Raises as `Incoming` does."""
    incoming = Incoming(asked, limit)
    body = BytesIO()  # its value is handed out without a second copy
    while piece := incoming.read():
        body.write(piece)
    return body.getvalue()


class Uploads:
    """Counts the large bodies being received, so that slow clients can fill neither the memory nor the threads.

    Images and recordings have places of their own: one kind cannot keep the other out, and a recording, which may be
    larger, takes no place that was meant for an image.
    """

    def __init__(self, images: int, audio: int, *, listener: Listener = silent) -> None:
        self._listener = listener
        self._places = {"image": threading.BoundedSemaphore(images), "audio": threading.BoundedSemaphore(audio)}

    @contextmanager
    def place(self, kind: str) -> Iterator[None]:
        """Hold a place of `image` or `audio` while a body is read; raises Overloaded when all are taken."""
        places = self._places[kind]
        if not places.acquire(blocking=False):
            self._listener("shed", name="upload")
            raise Overloaded(f"uploads: expected a free place for {kind}, got all taken", retry_after=1)
        try:
            yield
        finally:
            places.release()
