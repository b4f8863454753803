"""The server: where it listens, with TLS and without, and how it ends."""

from __future__ import annotations

import http.client
import logging
import ssl
import subprocess
import threading
import time
from dataclasses import replace

import pytest
from fake_door import PNG, FakeDoor
from prometheus_client import CollectorRegistry
from raw_client import connect

from appliance.channels.http import patience
from appliance.channels.http.api import create_app
from appliance.channels.http.server import Server
from appliance.errors import SettingInvalid
from appliance.metrics import Metrics
from appliance.settings import Settings


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
    monkeypatch.setattr(patience, "LOOK_S", 0.02)
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
