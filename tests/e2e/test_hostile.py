"""Hostile clients by the hundred at the real appliance: while they hold on, a customer is served."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import socket
import struct
import time
import wave
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from appliance.artifacts.cases import Case
from tests.e2e.conftest import Running, copy_models, serving

IMAGE = "POST /v1/ocr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
TURN = "POST /v1/turns HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
ASSET = "GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def under_fire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An appliance of its own, which gives a silent client ten seconds: the clients here are more than its threads."""
    data = tmp_path_factory.mktemp("data")
    copy_models(data)
    with serving(data, tmp_path_factory.mktemp("log") / "serve.log", APPLIANCE_HTTP_TIMEOUT_S="10") as appliance:
        yield appliance


def connect(running: Running) -> socket.socket:
    parts = urlsplit(running.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


@contextmanager
def holding(running: Running, count: int, opening: Callable[[int], bytes]) -> Iterator[list[socket.socket]]:
    """`count` clients that have said their opening and hold on."""
    with ExitStack() as stack:
        clients = []
        for number in range(count):
            sock = stack.enter_context(connect(running))
            with suppress(OSError):  # the server may have closed already, which is its good right
                sock.sendall(opening(number))
            clients.append(sock)
        yield clients


def is_served(running: Running, text: str = "厕所在哪里") -> None:
    """A customer is answered; a deliberate 503 may come first."""
    for _ in range(20):
        status, head, reply = running.ask("/v1/turns", {"text": text})
        if status == 200:
            assert reply["parse"]["intent"]["name"] == "facility_location"
            return
        assert (status, int(head["Retry-After"]) >= 1) == (503, True)
        time.sleep(0.2)
    pytest.fail("a customer was sent away twenty times")


OPENINGS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "heads that never end": (200, lambda n: b"GET /healthz HTTP/1.1\r\nX-%d: " % n),
    "connections without a word": (300, lambda n: b""),
    "uploads broken off half-way": (100, lambda n: f"{IMAGE}Content-Length: 500000\r\n\r\n".encode() + b"\x89PNG"),
    "JSON that never comes": (100, lambda n: f"{TURN}Content-Length: 500\r\n\r\n".encode() + b"{"),
    "chunks that never come": (100, lambda n: f"{IMAGE}Transfer-Encoding: chunked\r\n\r\n".encode() + b"5\r\nab"),
    "answers that nobody fetches": (60, lambda n: (ASSET * 8).encode()),
    "hundreds of requests in one piece": (20, lambda n: b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 400),
    "lengths that are too long": (50, lambda n: f"{IMAGE}Content-Length: 999999999999\r\n\r\n".encode() + b"a" * 9000),
    "heads of 40 kB": (50, lambda n: b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 40_000 + b"\r\n\r\n"),
    "a thousand headers": (30, lambda n: b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-%d: a\r\n" % n * 1000 + b"\r\n"),
    "bytes that are no HTTP": (50, lambda n: os.urandom(2000)),
    "TLS to a plain port": (30, lambda n: bytes.fromhex("16030100c8010000c40303") + bytes(189)),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_a_customer_is_served_while_they_hold(under_fire: Running, name: str) -> None:
    count, opening = OPENINGS[name]
    with holding(under_fire, count, opening):
        is_served(under_fire)
        is_served(under_fire)
        assert under_fire.ask("/healthz")[0] == 200


def test_a_byte_at_a_time_ends_at_its_deadline(under_fire: Running) -> None:
    opening = f"{TURN}Content-Length: 500\r\n\r\n{{".encode()
    with holding(under_fire, 20, lambda _: opening) as clients:
        dripped, ended = 0, set()
        deadline = time.monotonic() + 40
        while len(ended) < len(clients) and time.monotonic() < deadline:
            for number, sock in enumerate(clients):
                if number in ended:
                    continue
                sock.settimeout(0.01)
                try:
                    sock.sendall(b" ")
                    if b" 408 " in sock.recv(4096):
                        ended.add(number)
                except TimeoutError:
                    dripped += 1
                except OSError:
                    ended.add(number)
            is_served(under_fire)
            time.sleep(0.3)
    assert len(ended) == len(clients)
    assert dripped > 20


def test_plain_requests_answer_while_every_event_stream_is_taken(under_fire: Running) -> None:
    opening = b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"
    with holding(under_fire, 30, lambda _: opening) as clients:
        statuses = [sock.recv(12) for sock in clients]
        assert statuses.count(b"HTTP/1.1 200") == 8  # the setting event_streams
        assert statuses.count(b"HTTP/1.1 503") == 22
        is_served(under_fire)
    deadline = time.monotonic() + 20
    while True:  # a place comes back when the next heartbeat finds nobody
        with connect(under_fire) as sock:
            sock.sendall(opening)
            if sock.recv(12) == b"HTTP/1.1 200":
                break
        assert time.monotonic() < deadline, "no place came back"
        time.sleep(0.5)


def test_files_and_threads_come_back(under_fire: Running) -> None:
    process = psutil.Process(under_fire.pid)
    before = process.num_fds(), process.num_threads()
    for _ in range(3):
        with holding(under_fire, 200, lambda n: b"GET / HTTP/1.1\r\nX: " if n % 2 else b""):
            is_served(under_fire)
    deadline = time.monotonic() + 30
    while process.num_fds() > before[0] + 5 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert process.num_fds() <= before[0] + 5
    assert process.num_threads() <= before[1] + 2


def bomb_png(*chunks: tuple[bytes, bytes], width: int = 64, height: int = 64) -> bytes:
    """A PNG with these chunks before its pixels."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = (b"IDAT", zlib.compress(bytes(height * (width * 3 + 1) if width * height < 1e6 else 1000)))
    parts = (header, *chunks, pixels, (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


HUNDRED_MB = zlib.compress(bytes(100_000_000), 9)
BOMBS = {
    "PNG of 4 gigapixels": (bomb_png(width=65_000, height=65_000), 413),
    "PNG of 2^31 pixels a side": (bomb_png(width=2**31 - 1, height=2**31 - 1), 413),
    "zTXt of 100 MB": (bomb_png((b"zTXt", b"a\0\0" + HUNDRED_MB)), 200),
    "iTXt of 100 MB": (bomb_png((b"iTXt", b"a\0\1\0\0\0" + HUNDRED_MB)), 200),
    "iCCP of 100 MB": (bomb_png((b"iCCP", b"a\0\0" + HUNDRED_MB)), 200),
    "IDAT of 100 MB behind 64 x 64": (bomb_png((b"IDAT", HUNDRED_MB)), 200),
    "WebP of 16384 x 16384": (
        b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + struct.pack("<I", 0x3FFF | 0x3FFF << 14) + bytes(9), 413),
    "WebP canvas of 2^24 x 2^24": (b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + b"\xff" * 6 + bytes(8), 413),
    "JPEG of 65535 x 65535": (
        b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0"
        b"\xff\xda\0\x08\x01\x01\0\0\x3f\0", 413),
    "BMP of 2^31 pixels a side": (
        b"BM" + bytes(8) + struct.pack("<IIiiHHI", 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0) + bytes(60), 413),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_image_bombs_cost_no_memory(under_fire: Running, name: str) -> None:
    data, expected = BOMBS[name]
    process = psutil.Process(under_fire.pid)
    before = process.memory_info().rss
    status, _, found = under_fire.ask("/v1/ocr", data, "image/png")
    grown = process.memory_info().rss - before
    assert status == expected, found
    assert set(found) >= ({"lines"} if status == 200 else {"code", "message", "remedy"})
    assert grown < 80_000_000  # the first reading of all warms the networks' memory


def recording(rate: int, channels: int = 1, tag: int = 1, bits: int = 16, size: int | None = None) -> bytes:
    data = bytes(3200)
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * 2 & 0xFFFFFFFF, 2, bits)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data"
    body += struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "data, code",
    [
        (b"RIFF", "unsupported_media"),
        (b"OggS" + bytes(100), "unsupported_media"),
        (recording(16000, channels=0), "invalid_input"),
        (recording(0), "invalid_input"),
        (recording(2**32 - 1), "invalid_input"),
        (recording(16000, tag=0x55), "unsupported_media"),
        (recording(16000, bits=7), "invalid_input"),
        (recording(16000)[:40], "invalid_input"),
    ],
)
def test_malformed_recordings_are_refused_by_name(under_fire: Running, data: bytes, code: str) -> None:
    status, _, found = under_fire.ask("/v1/turns", data, "audio/wav")
    assert (found["code"], 400 <= status < 500) == (code, True), found


def test_a_recording_of_hours_is_refused_from_its_header(under_fire: Running) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(8000 * 61))
    assert under_fire.ask("/v1/turns", out.getvalue(), "audio/wav")[2]["code"] == "too_large"


JSON_BOMBS = {
    "60,000 brackets": (b"[" * 60_000, "bad_request"),
    "more brackets than a body may have": (b"[" * 100_000, "too_large"),
    "objects within objects": (b'{"a":' * 12_000, "bad_request"),
    "a number of 60,000 digits": (b'{"text":' + b"9" * 60_000 + b"}", "bad_request"),
    "an exponent without end": (b'{"text":1e999999999}', "invalid_input"),
    "a field twice": (b'{"text":"a","text":"b"}', "invalid_input"),
    "NaN": (b'{"text":NaN}', "bad_request"),
    "half a surrogate pair": (b'{"text":"\\ud800"}', "invalid_input"),
    "text of a megabyte": (b'{"text":"' + b"a" * 1_000_000 + b'"}', "too_large"),
    "text that is not UTF-8": (b'{"text":"\xff"}', "bad_request"),
    "gzip": (gzip.compress(b'{"text":"' + b"a" * 10_000_000 + b'"}'), "bad_request"),
}


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_json_bombs_are_refused_by_name(under_fire: Running, name: str) -> None:
    body, code = JSON_BOMBS[name]
    status, _, found = under_fire.ask("/v1/turns", body)
    assert (found["code"], 400 <= status < 500) == (code, True), found
    assert len(found["message"]) < 400  # nothing of the bomb comes back


def test_a_compressed_body_is_not_unpacked(under_fire: Running) -> None:
    parts = urlsplit(under_fire.url)
    body = gzip.compress(json.dumps({"text": "你好"}).encode())
    client = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    client.request("POST", "/v1/turns", body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    answer = client.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (400, "bad_request")
    client.close()


def test_memory_stays_within_bounds_through_all_of_it(under_fire: Running, pages: dict[str, Case]) -> None:
    for name in ("waybill-photo.jpg", "receipt.png"):
        kind = "image/jpeg" if name.endswith("jpg") else "image/png"
        assert under_fire.ask("/v1/ocr", pages[name].path.read_bytes(), kind)[0] == 200
    is_served(under_fire)
    peak = next(
        int(line.split()[1])
        for line in Path(f"/proc/{under_fire.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    assert peak / 1000 <= 600
