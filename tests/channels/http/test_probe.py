"""Whether a server answers, asked as a browser would."""

from __future__ import annotations

import socket
import subprocess
import threading

import pytest
from fake_door import FakeDoor

from appliance.channels.http import probe
from appliance.channels.http.probe import silence


def test_a_server_that_serves_answers(serve):
    assert silence(serve().url) == ""


def test_a_token_and_features_that_are_off_do_not_matter(serve):
    server = serve(FakeDoor(is_ready=False), http_token="a-token-of-sixteen")
    assert silence(server.url) == ""


def test_its_own_certificate_is_good_enough(serve, tmp_path):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=kiosk.example"]
    subprocess.run(
        [*made, "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True
    )
    server = serve(http_tls_certificate=str(tmp_path / "cert.pem"), http_tls_key=str(tmp_path / "key.pem"))
    assert server.url.startswith("https://")
    assert silence(server.url) == ""


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refused" in silence(f"http://127.0.0.1:{port}")


def test_one_that_takes_connections_and_says_nothing(monkeypatch):
    monkeypatch.setattr(probe, "ASK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert "timed out" in silence(f"http://127.0.0.1:{mute.getsockname()[1]}")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "HTTP 503"),
        (b"220 mail.example ESMTP\r\n", "220 mail.example"),
        (b"", "closed connection"),
    ],
)
def test_another_program_on_the_port(said, why):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        assert why in silence(f"http://127.0.0.1:{other.getsockname()[1]}")
        thread.join(10)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:soon/", "nonnumeric port"),
        ("http://[::1/", "Invalid IPv6 URL"),
        ("http://.local/", "label"),
    ],
)
def test_what_is_no_address_does_not_answer_either(url, why):
    assert why in silence(url)
