"""The server against clients that are slow, broken, oversized, silent or many."""

from __future__ import annotations

import gc
import http.client
import json
import logging
import re
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from fake_door import PNG, FakeDoor
from prometheus_client import CollectorRegistry

from appliance.channels.http import connection
from appliance.channels.http.api import create_app
from appliance.channels.http.server import Server
from appliance.errors import SettingInvalid
from appliance.metrics import Metrics
from appliance.settings import Settings

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
    monkeypatch.setattr(connection, "GRACE_S", 0.2)
    monkeypatch.setattr(connection, "LOOK_S", 0.05)
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
    monkeypatch.setattr(connection, "GRACE_S", 0.01)
    monkeypatch.setattr(connection, "LOOK_S", 0.01)
    server = serve()
    with connect(server) as sock:
        sock.sendall(head() + b"Content-Length: %d\r\n\r\n" % len(PNG) + PNG[:20])
        time.sleep(0.5)
        sock.sendall(PNG[20:])
        assert read_answer(sock)[0] == 200


def test_answer_that_is_not_fetched_frees_its_thread_when_others_wait(serve, monkeypatch):
    monkeypatch.setattr(connection, "GRACE_S", 0.2)
    monkeypatch.setattr(connection, "LOOK_S", 0.05)
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
            patience = connection.Patience(ours, silence, lambda: False)
            patience.renew(deadline)
            with pytest.raises(TimeoutError):
                patience.call(lambda: ours.recv_into(bytearray(8)))
        theirs.sendall(b"abc")
        assert connection.Patience(ours, 60.0, lambda: True).call(lambda: ours.recv_into(bytearray(8))) == 3


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


def test_pipelined_requests_are_answered_in_order(shared):
    one = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with connect(shared) as sock:
        sock.sendall(one + one + last)
        raw = b""
        while piece := sock.recv(65536):
            raw += piece
    assert re.findall(rb"HTTP/1\.1 (\d+)", raw) == [b"200", b"200", b"404"]


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
        raw = connection.DeadlineReader(ours, 5.0, lambda: False)
        reader = connection.ConnectionReader(raw, ours, 8)  # a buffer shorter than the lines
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
        readers = [thing for thing in gc.get_objects() if isinstance(thing, connection.ConnectionReader)]
        assert readers
        assert not any(b"mingyue" in reader._read_buf for reader in readers)


def test_running_request_is_finished_when_the_server_stops(serve):
    door = FakeDoor(hold=threading.Event())
    server = serve(door)
    answers = []
    client = threading.Thread(target=lambda: answers.append(server.ask("a").status_code))
    client.start()
    while b'route="/v1/turns"' not in server.metrics.text() and not door.turns and not _working(server):
        time.sleep(0.01)
    stopping = threading.Thread(target=server.server.stop)
    stopping.start()
    door.hold.set()
    stopping.join(15)
    client.join(15)
    assert answers == [200]
    server.server.stop()  # a second time does nothing


def _working(server):
    return server.server._server.requests.idle < server.settings.http_threads


def app_and(settings):
    return Server(create_app(FakeDoor(), settings, Metrics(CollectorRegistry())), settings)


def test_port_in_use_names_the_setting(shared):
    with pytest.raises(
        SettingInvalid, match=f"http_port: expected a free port on 127.0.0.1, got {shared.port}"
    ) as caught:
        app_and(replace(Settings(), http_port=shared.port)).start()
    assert "APPLIANCE_HTTP_PORT" in caught.value.remedy


def test_address_of_another_machine_names_the_setting():
    with pytest.raises(SettingInvalid, match=r"http_host: expected an address of this machine, got 192\.0\.2\.1"):
        app_and(replace(Settings(), http_port=0, http_host="192.0.2.1")).start()


def test_ipv6_loopback(serve):
    server = serve(http_host="::1")
    assert server.url.startswith("http://[::1]:")
    assert server.get("/healthz").json() == {"status": "alive"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return {"http_tls_certificate": str(folder / "cert.pem"), "http_tls_key": str(folder / "key.pem")}


def test_tls(serve, certificate):
    server = serve(**certificate)
    trust = certificate["http_tls_certificate"]
    assert server.url.startswith("https://127.0.0.1:")
    assert server.post("/v1/turns", json={"text": "a"}, verify=trust).status_code == 200
    silent = [connect(server) for _ in range(40)]  # nobody shakes hands in the thread that accepts
    large = server.post("/v1/ocr", data=PNG + b"0" * 3_000_000, headers={"Content-Type": "image/png"}, verify=trust)
    assert large.status_code == 200
    context = ssl.create_default_context(cafile=trust)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)
    for _ in range(3):
        client.request("GET", "/healthz")
        assert client.getresponse().read() == b'{"status":"alive"}'
    client.close()
    for sock in silent:
        sock.close()


def test_tls_survives_looks_in_the_middle_of_its_records(serve, certificate, monkeypatch):
    monkeypatch.setattr(connection, "LOOK_S", 0.02)
    server = serve(**certificate)
    context = ssl.create_default_context(cafile=certificate["http_tls_certificate"])
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(coming, going, server_hostname="127.0.0.1")
    with connect(server) as sock:

        def done(act):
            while True:
                try:
                    result = act()
                except ssl.SSLWantReadError:
                    result = None
                sent = going.read()
                for part in (sent[: len(sent) // 2], sent[len(sent) // 2 :]):
                    sock.sendall(part)
                    time.sleep(0.1)
                if result is not None:
                    return result
                coming.write(sock.recv(65536))

        done(lambda: tls.do_handshake() or True)
        done(lambda: tls.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
        assert done(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 ")


def test_plain_http_to_a_tls_port_does_no_harm(serve, certificate):
    server = serve(**certificate)
    with connect(server) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not sock.recv(1000).startswith(b"HTTP/1.1 200")
    assert server.get("/healthz", verify=certificate["http_tls_certificate"]).status_code == 200


def test_unusable_certificate_names_the_settings(tmp_path, certificate):
    (tmp_path / "junk.pem").write_text("junk")
    for files in (
        {"http_tls_certificate": str(tmp_path / "none.pem"), "http_tls_key": str(tmp_path / "none.pem")},
        {**certificate, "http_tls_certificate": str(tmp_path / "junk.pem")},
    ):
        with pytest.raises(SettingInvalid, match="http_tls_certificate and http_tls_key: expected a PEM certificate"):
            app_and(replace(Settings(), http_port=0, **files))


def test_what_cheroot_logs_repeats_no_words_of_an_error(serve, caplog):
    said = serve().server._server.error_log
    try:
        int("13812345678x")
    except ValueError as error:
        said(f"Unhandled error while processing an incoming connection {error!r}", logging.ERROR, traceback=True)
    said("socket.error 104", logging.WARNING)
    first, second = [
        record.getMessage() for record in caplog.records if record.name == "appliance.channels.http.server"
    ]
    assert first.startswith("Unhandled error while processing an incoming connection ValueError: ValueError\n")
    assert "test_server.py" in first
    assert "13812345678" not in first
    assert second == "socket.error 104"
