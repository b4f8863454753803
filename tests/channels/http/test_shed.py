"""A full house: sent away before the framework, in the same words as behind the gate."""

from __future__ import annotations

import pytest
from fake_door import PNG, FakeDoor

from appliance.channels.http import shed
from appliance.errors import Overloaded


def full() -> FakeDoor:
    return FakeDoor(is_full=True)


def test_a_full_house_sends_turns_and_photos_away_with_all_that_a_refusal_has(serve, monkeypatch):
    server = serve(full())
    turn = server.ask("厕所在哪里")
    photo = server.post("/v1/ocr", data=PNG, headers={"Content-Type": "image/png"})
    # The same refusal, as the framework writes it.
    monkeypatch.setattr(shed, "ROUTES", frozenset())
    server.door.error = Overloaded("turn: full", retry_after=2.0)
    slow = server.ask("厕所在哪里")
    for fast in (turn, photo):
        assert (fast.status_code, fast.headers["Retry-After"]) == (503, "2")
        assert {**fast.json(), "request_id": ""} == {**slow.json(), "request_id": ""}
        differing = {"Date", "Connection", "X-Request-Id"}
        assert {n: v for n, v in fast.headers.items() if n not in differing} == {
            n: v for n, v in slow.headers.items() if n not in differing
        }
    assert server.door.turns == server.door.images == []
    text = server.metrics.text().decode()
    assert 'appliance_requests_total{method="POST",route="/v1/turns",status="503"} 2.0' in text
    assert 'appliance_requests_total{method="POST",route="/v1/ocr",status="503"} 1.0' in text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/status", "/metrics", "/", "/v1/greeting"])
def test_everything_that_passes_no_gate_answers_in_a_full_house(serve, path):
    assert serve(full()).get(path).status_code == 200


def test_what_else_is_wrong_is_said_first(serve):
    server = serve(full(), http_token="a-token-of-16-characters")
    assert server.ask("a").status_code == 401
    token = {"Authorization": "Bearer a-token-of-16-characters"}
    assert server.post("/v1/turns", json={"text": "a"}, headers=token).status_code == 503
    foreign = server.post("/v1/turns", json={"text": "a"}, headers={**token, "Host": "evil.example"})
    assert foreign.json()["code"] == "foreign_host"
    crossed = server.post("/v1/turns", json={"text": "a"}, headers={**token, "Origin": "http://evil.example"})
    assert crossed.json()["code"] == "foreign_origin"
    assert server.get("/v1/turns", headers=token).status_code == 405


def test_the_connection_stays_and_the_unread_body_is_no_request(serve):
    import requests

    server = serve(full())
    with requests.Session() as session:
        for _ in range(5):
            answer = session.post(server.url + "/v1/turns", json={"text": "GET /healthz HTTP/1.1"}, timeout=20)
            assert (answer.status_code, answer.headers.get("Connection")) == (503, None)
        server.door.is_full = False
        assert session.post(server.url + "/v1/turns", json={"text": "a"}, timeout=20).status_code == 200
    assert server.server._server.keeper.kept.accepted == 1
