"""Large bodies: in memory once, and a place of their kind while they arrive."""

from __future__ import annotations

import itertools
import tracemalloc
from io import BytesIO
from typing import Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from appliance.channels.http.limits import FORM_BYTES, Uploads, read_body
from appliance.channels.http.media import read_upload
from appliance.errors import BadRequest, Overloaded
from appliance.settings import Settings

MIB = 1 << 20


class Pieces:
    """A body that is made while it is read, so that only its reader's memory counts."""

    def __init__(self, length: int) -> None:
        self._left = length

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return b"0" * size


def asked(body: Any, length: int, kind: str = "image/png") -> Request:
    environ = EnvironBuilder(method="POST").get_environ()
    return Request(environ | {"wsgi.input": body, "CONTENT_LENGTH": str(length), "CONTENT_TYPE": kind})


def form(name: str, length: int) -> Request:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode()
    body = head + b"0" * length + b"\r\n--b--\r\n"
    return asked(BytesIO(body), len(body), "multipart/form-data; boundary=b")


def test_body_is_in_memory_once():
    request = asked(Pieces(16 * MIB), 16 * MIB)
    tracemalloc.start()
    try:
        body = read_body(request, 16 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (type(body), len(body)) == (bytes, 16 * MIB)
    assert peak < 24 * MIB


def test_file_of_a_form_is_in_memory_once():
    """As it comes from a socket, piece by piece: the whole form is nowhere."""
    head, tail = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n', b"\r\n--b--\r\n"

    class Form:
        """A form whose file is made while it is read."""

        def __init__(self):
            self.pieces = itertools.chain([head], itertools.repeat(b"0" * (MIB // 16), 8 * 16), [tail])

        def read(self, size):
            return next(self.pieces, b"")

    request = asked(Form(), len(head) + 8 * MIB + len(tail), "multipart/form-data; boundary=b")
    tracemalloc.start()
    try:
        upload = read_upload(request, "form", Settings(), Uploads(1, 1), ("image",))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert upload.data == b"0" * 8 * MIB
    assert peak < 13 * MIB


@pytest.mark.parametrize("missing, error", [(1, BadRequest), (100, BadRequest)])
def test_a_form_that_breaks_off_is_refused_by_its_length(missing, error):
    whole = form("image", 1000)
    sent = whole.environ["wsgi.input"].read()
    request = asked(BytesIO(sent[:-missing]), len(sent), "multipart/form-data; boundary=b")
    with pytest.raises(error, match=f"body: expected {len(sent)} bytes, got {len(sent) - missing}"):
        read_upload(request, "form", Settings(), Uploads(1, 1), ("image",))


@pytest.mark.parametrize(
    "taken, kind, length, free",
    [
        ("image", "image", 10, False),
        ("image", "audio", 10, True),
        ("audio", "audio", 10, False),
        ("audio", "image", 10, True),
        ("image", "form", 10, False),
        ("audio", "form", 10, True),
        ("image", "form", 2000 + FORM_BYTES, True),  # too large for an image: a recording, by its length
        ("audio", "form", 2000 + FORM_BYTES, False),
    ],
)
def test_each_kind_has_its_own_places(taken, kind, length, free):
    settings = Settings(max_image_bytes=2000, max_audio_bytes=1 << 18)
    told: list[str] = []
    uploads = Uploads(1, 1, listener=lambda event, /, **fields: told.append(f"{event} {fields['name']}"))
    request = form("audio", length) if kind == "form" else asked(BytesIO(b"0" * length), length)

    def receive() -> bytes:
        return read_upload(request, kind, settings, uploads, ("image", "audio")).data

    with uploads.place(taken):
        if free:
            assert receive() == b"0" * length
        else:
            with pytest.raises(Overloaded):
                receive()
    assert told == ([] if free else ["shed upload"])
    if not free:
        assert receive() == b"0" * length
