"""Every answer says which request it belongs to: in its header, in a problem's body, and in the log."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
from dataclasses import replace

import pytest
from fake_door import PNG, FakeDoor

from appliance.channels.http.client import ask
from appliance.errors import InvalidInput, Overloaded, Unavailable
from appliance.logs import Log
from appliance.request import HEADER, current

GATEWAYS, ANOTHERS = "4bf92f3577b34da6a3ce929d0e0e4736", "01ARZ3NDEKTSV4RRFFQ69G5FAV"
"""Identifiers that a system in front gave."""


def made(header: str) -> bool:
    return re.fullmatch("r[0-9a-f]{16}", header) is not None


@pytest.mark.parametrize("path", ["/healthz", "/v1/status", "/", "/docs", "/v1/nowhere"])
def test_every_answer_has_one_and_each_another(shared, path):
    headers = [shared.get(path).headers[HEADER] for _ in range(2)]
    assert all(map(made, headers))
    assert headers[0] != headers[1]


def test_a_well_formed_one_comes_back_and_another_does_not(shared):
    assert shared.get("/healthz", headers={HEADER: GATEWAYS}).headers[HEADER] == GATEWAYS
    for given in ("13812345678", "ouyang-mingyue", "gateway-0042"):
        assert made(shared.get("/healthz", headers={HEADER: given}).headers[HEADER])


def test_a_problem_names_its_request(shared):
    answer = shared.get("/v1/nowhere", headers={HEADER: GATEWAYS})
    assert answer.json()["request_id"] == answer.headers[HEADER] == GATEWAYS
    theirs = shared.post("/v1/audio/speech", json={}, headers={HEADER: ANOTHERS})
    assert theirs.json()["request_id"] == ANOTHERS


def test_what_cannot_be_read_is_named_too(shared):
    with socket.create_connection(("127.0.0.1", shared.port), 10) as client:
        client.sendall(b"NONSENSE\r\n\r\n")
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    named = re.search(rf"{HEADER}: (\S+)".encode(), head)
    assert named is not None
    assert json.loads(body)["request_id"] == named[1].decode()


class Full(FakeDoor):
    def refusal(self, waiting: int = 0) -> Overloaded | None:
        return Overloaded("turn: expected a place, got none", retry_after=2)


def test_who_is_sent_away_at_the_door_is_named_too(serve):
    server = serve(Full())
    for name in (GATEWAYS, ANOTHERS):
        answer = server.post("/v1/turns", json={"text": "a"}, headers={HEADER: name})
        assert (answer.status_code, answer.headers[HEADER], answer.json()["request_id"]) == (503, name, name)
    assert made(server.ask("a").headers[HEADER])


class Telling(FakeDoor):
    """Remembers for which request each of its threads works."""

    def __init__(self) -> None:
        super().__init__()
        self.worked_for: list[str] = []

    def _act(self) -> None:
        self.worked_for.append(current())
        super()._act()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_the_work_is_done_for_the_request_in_whatever_thread(serve, accept):
    door = Telling()
    server = serve(door)
    headers = {"Content-Type": "image/png", "Accept": accept, HEADER: GATEWAYS}
    server.post("/v1/turns", data=PNG, headers=headers)
    assert door.worked_for == [GATEWAYS]


def test_a_thread_is_free_of_it_afterwards(serve, caplog):
    server = serve(FakeDoor(), http_threads=8, admitted=4)
    server.get("/healthz", headers={HEADER: GATEWAYS})
    seen = {server.get("/healthz").headers[HEADER] for _ in range(40)}
    assert GATEWAYS not in seen


def test_requests_are_logged_by_route_alone(serve, caplog):
    server = serve()
    with caplog.at_level(logging.DEBUG, logger="appliance"):  # the test's own client logs what it asks
        server.get("/v1/status?name=ouyang")
        server.post("/v1/turns?session=%00", json={"text": "你好"})
    assert "GET /v1/status 200" in caplog.text
    assert re.search(r"POST /v1/turns 4\d\d", caplog.text)
    assert "ouyang" not in caplog.text


@pytest.fixture
def unchanged():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("unchanged")
def test_the_log_is_read_and_made_louder_from_outside(serve):
    log = Log("info", io.StringIO(), environ={})
    log.take_over()
    server = serve(kept=log)
    settings = replace(server.settings, http_port=server.port)
    found = ask(settings, "/v1/log", method="PUT", body={"level": "debug", "minutes": 5})
    assert (found["level"], found["usual"]) == ("debug", "info")
    assert 290 < found["returns_in_s"] <= 300
    server.get("/healthz", headers={HEADER: GATEWAYS})
    told = ask(settings, "/v1/log")["lines"]
    mine = [line for line in told if line.get("request_id") == GATEWAYS]
    assert [line["message"].split(" 200")[0] for line in mine] == ["GET /healthz"]
    for wrong in ({"level": "loud"}, {"level": "debug", "minutes": 0}, {"level": "debug", "minutes": 1441}):
        with pytest.raises(InvalidInput):
            ask(settings, "/v1/log", method="PUT", body=wrong)
    assert ask(settings, "/v1/log", method="PUT", body={"level": "info"})["returns_in_s"] is None
    log.close()


def test_nobody_answers_where_nobody_listens(serve):
    with pytest.raises(Unavailable, match="expected the appliance to answer"):
        ask(replace(serve().settings, http_port=1), "/v1/log")


def test_the_log_wants_the_token(serve):
    server = serve(http_token="0123456789abcdef")
    assert server.get("/v1/log").status_code == 401
