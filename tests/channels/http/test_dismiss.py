"""Plain requests are refused where they lie; everything else stays untouched in the socket's buffer."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from fake_door import FakeDoor

from appliance.channels.http.dismiss import MOST, Outcome, dismiss, plain

BODY = b'{"text":"a"}'
HEAD = b"POST /v1/turns HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
PLAIN = HEAD + LENGTH + b"\r\n" + BODY
SAID = ((("Content-Type", "application/json"), ("Content-Length", "2"), ("Retry-After", "3")), b"{}")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's socket and the server's end of it."""
    client, own = socket.socketpair()
    client.settimeout(5)
    with client, own:
        yield client, own


def test_a_plain_request_is_taken_out_and_refused(pair):
    client, own = pair
    asked: list[dict[str, Any]] = []

    def refuse(environ: dict[str, Any]) -> Any:
        asked.append(environ)
        return SAID

    client.sendall(PLAIN)
    assert dismiss(own, refuse) is Outcome.SAID
    head, _, body = client.recv(65536).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 503 SERVICE UNAVAILABLE"
    assert {"Content-Length: 2", "Retry-After: 3", "Server: appliance"} <= set(lines)
    assert any(line.startswith("Date: ") and line.endswith(" GMT") for line in lines)
    assert body == b"{}"
    assert asked[0]["PATH_INFO"] == "/v1/turns"
    assert asked[0]["HTTP_HOST"] == "127.0.0.1:8080"
    with pytest.raises(BlockingIOError):
        own.recv(1, socket.MSG_DONTWAIT)


def test_one_that_is_not_refused_stays_for_a_thread(pair):
    client, own = pair
    client.sendall(PLAIN)
    assert dismiss(own, lambda _: None) is Outcome.LEFT
    assert own.recv(65536) == PLAIN


@pytest.mark.parametrize("path", ["/v1/ocr", "/v1/turns?session=abc&detail=characters", "/v1/ocr?deadline_ms=500"])
def test_query_and_photos(path):
    environ = plain(PLAIN.replace(b"/v1/turns", path.encode()))
    assert environ is not None
    assert environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ["QUERY_STRING"] else "") == path


def test_a_connection_that_says_that_it_stays_is_plain():
    assert plain(HEAD + LENGTH + b"Connection: Keep-Alive\r\n\r\n" + BODY) is not None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HEAD + LENGTH, id="half a head"),
        pytest.param(PLAIN[:-1], id="half a body"),
        pytest.param(PLAIN + PLAIN, id="two at once"),
        pytest.param(PLAIN + b"\r\n", id="something behind it"),
        pytest.param(HEAD + b"\r\n", id="no length"),
        pytest.param(HEAD + LENGTH + LENGTH + b"\r\n" + BODY, id="two lengths"),
        pytest.param(HEAD + LENGTH + b"Host: other\r\n\r\n" + BODY, id="two hosts"),
        pytest.param(HEAD + b"Content-Length: +12\r\n\r\n" + BODY, id="signed length"),
        pytest.param(HEAD + b"Content-Length: \xc2\xb2\r\n\r\n12", id="length in other digits"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="chunked"),
        pytest.param(HEAD + LENGTH + b"Transfer-Encoding: identity\r\n\r\n" + BODY, id="two framings"),
        pytest.param(HEAD + LENGTH + b"Expect: 100-continue\r\n\r\n" + BODY, id="expects"),
        pytest.param(HEAD + LENGTH + b"Connection: close\r\n\r\n" + BODY, id="closes"),
        pytest.param(HEAD + LENGTH + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" + BODY, id="upgrade"),
        pytest.param(HEAD + LENGTH + b"Content_Length: 3\r\n\r\n" + BODY, id="underscore"),
        pytest.param(HEAD + LENGTH + b"Folded: a\r\n b\r\n\r\n" + BODY, id="folded"),
        pytest.param(HEAD + LENGTH + b"Spaced : a\r\n\r\n" + BODY, id="space before the colon"),
        pytest.param(HEAD + LENGTH + b"Bare: a\nX: b\r\n\r\n" + BODY, id="bare line feed"),
        pytest.param(HEAD + LENGTH + b"Zero: \0\r\n\r\n" + BODY, id="zero byte"),
        pytest.param(PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), id="older"),
        pytest.param(PLAIN.replace(b"POST", b"PUT"), id="other method"),
        pytest.param(PLAIN.replace(b"/v1/turns", b"/v1/turns/"), id="other path"),
        pytest.param(PLAIN.replace(b"/v1/turns", b"/v1/suggestions"), id="no gate there"),
        pytest.param(PLAIN.replace(b"/v1/turns", b"/v1%2Fturns"), id="escaped path"),
        pytest.param(PLAIN.replace(b"/v1/turns", b"http://127.0.0.1/v1/turns"), id="whole address"),
        pytest.param(HEAD + b"Content-Length: %d\r\n\r\n" % MOST + b"0" * MOST, id="large"),
        pytest.param(HEAD + LENGTH + b"Blank: " + b" " * 60_000 + b"\0\r\n\r\n" + BODY, id="long head"),
        pytest.param(HEAD + LENGTH + b"Blank: " + b" " * 7_000 + b"\0\r\n\r\n" + BODY, id="blanks that end in nothing"),
    ],
)
def test_whatever_is_not_plain_is_left_alone(pair, sent):
    client, own = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST)
    client.sendall(sent)

    def refuse(environ: dict[str, Any]) -> Any:
        raise AssertionError(f"asked about {environ}")

    assert dismiss(own, refuse) is Outcome.LEFT
    left = b""
    while len(left) < len(sent):
        left += own.recv(1 << 20)
    assert left == sent


def test_whoever_does_not_fetch_his_answers_loses_the_connection(pair):
    client, own = pair
    own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for _ in range(10_000):
        client.sendall(PLAIN)
        outcome = dismiss(own, lambda _: SAID)
        if outcome is not Outcome.SAID:
            break
    assert outcome is Outcome.BROKEN


def test_a_client_that_is_gone_is_left_to_a_thread(pair):
    client, own = pair
    client.close()
    assert dismiss(own, lambda _: SAID) is Outcome.LEFT


def waiting(server: Any) -> int:
    """Requests that wait for a thread."""
    count: int = server.server.state()["threads"]["waiting"]
    return count


def eventually(true: Callable[[], bool]) -> None:
    """Wait until it is, for at most nine seconds: customers of the fake door are held for ten."""
    for _ in range(900):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


class Crowd:
    """Customers who hold every thread of a server, and more who wait for one."""

    def __init__(self, server: Any, threads: int) -> None:
        self._server = server
        self._people = [threading.Thread(target=self._ask) for _ in range(threads + 2)]
        self.statuses: list[int] = []
        for person in self._people:
            person.start()
        # Every thread is in the door, and not only about to take one of those that wait.
        eventually(lambda: server.door.acts == threads and waiting(server) == 2)

    def _ask(self) -> None:
        self.statuses.append(requests.post(self._server.url + "/v1/turns", json={"text": "a"}, timeout=60).status_code)

    def leave(self) -> None:
        for person in self._people:
            person.join()


def post(sock: socket.socket, path: str = "/v1/turns", body: bytes = BODY) -> tuple[int, dict[str, str], Any]:
    """Send a request in one piece, as browsers do; status, headers and JSON of its answer."""
    sock.sendall(
        PLAIN.replace(b"/v1/turns", path.encode()).replace(LENGTH, b"Content-Length: %d\r\n" % len(body))[: -len(BODY)]
        + body
    )
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.status, dict(response.getheaders()), json.loads(response.read())


def test_a_full_house_refuses_though_no_thread_is_free(serve):
    hold = threading.Event()
    door = FakeDoor(hold=hold)
    server = serve(door, http_threads=8, admitted=4)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        crowd = Crowd(server, 8)
        try:
            door.is_full = True
            answers = [
                post(sock),
                post(sock),
                post(sock, body=b'{"text":"GET / HTTP/1.1"}'),
                post(sock, "/v1/ocr", b"x"),
            ]
        finally:
            door.is_full = False
            hold.set()
            crowd.leave()
        assert [status for status, _, _ in answers] == [503] * 4
        assert crowd.statuses == [200] * 10, "who came before is served"
        # From a thread it is the same, and it was the same connection all the time.
        eventually(lambda: waiting(server) == 0)
        door.is_full = True
        _, headers, problem = post(sock)
        its_own = {"Date": "", "X-Request-Id": ""}
        assert headers["X-Request-Id"] != answers[0][1]["X-Request-Id"]
        assert {**headers, **its_own} == {**answers[0][1], **its_own}
        assert {**problem, "request_id": ""} == {**answers[0][2], "request_id": ""}
    assert server.server._server.keeper.kept.accepted == 11
    text = server.metrics.text().decode()
    assert 'appliance_requests_total{method="POST",route="/v1/turns",status="503"} 4.0' in text
    assert 'appliance_requests_total{method="POST",route="/v1/ocr",status="503"} 1.0' in text
    assert [turn.text for turn in door.turns] == ["a"] * 10


def test_strangers_wait_for_a_thread_that_tells_them(serve):
    hold = threading.Event()
    door = FakeDoor(hold=hold)
    server = serve(door, http_threads=8, admitted=4)
    crowd = Crowd(server, 8)
    said: list[Any] = []
    stranger = threading.Thread(
        target=lambda: said.append(
            requests.post(server.url + "/v1/turns", json={"text": "a"}, headers={"Host": "evil.example"}, timeout=60)
        )
    )
    try:
        door.is_full = True
        stranger.start()
        eventually(lambda: waiting(server) == 3)
    finally:
        hold.set()
        door.is_full = False
        crowd.leave()
        stranger.join()
    assert said[0].json()["code"] == "foreign_host"
