"""Bundles over HTTP: never without a token, whole or not at all, and what is kept is only what may come in."""

from __future__ import annotations

import http.client
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from fake_door import FakeDoor
from prometheus_client import CollectorRegistry

from appliance.bundles.install import SPARE
from appliance.channels.http.api import create_app
from appliance.channels.http.bundles import Deliveries
from appliance.channels.http.server import Server
from appliance.metrics import Metrics
from appliance.settings import Settings
from tests.bundles.conftest import HERE, Board, Desk

TOKEN = "0123456789abcdef"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}


@dataclass
class Taking:
    """A server that takes bundles."""

    board: Board
    inbox: Path
    url: str
    port: int
    arrived: list[bool] = field(default_factory=list)

    def post(self, content: Any, **more: Any) -> requests.Response:
        return requests.post(f"{self.url}/v1/bundles", data=content, timeout=20, headers=HEADERS | more)

    def get(self) -> Any:
        return requests.get(f"{self.url}/v1/bundles", timeout=20, headers=HEADERS).json()

    def left(self) -> list[str]:
        return sorted(path.name for path in self.inbox.iterdir()) if self.inbox.is_dir() else []


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[Taking]:
    desk = Desk()
    board = Board(tmp_path / "bundles", desk)
    board.trust(desk.public())
    settings = replace(Settings(), http_port=0, http_threads=16, admitted=8, http_timeout_s=2.0, bundle_token=TOKEN)
    made = Taking(board, tmp_path / "inbox", "", 0)
    deliveries = Deliveries(board.root, made.inbox, HERE, 1_000_000, lambda: made.arrived.append(True))
    server = Server(create_app(FakeDoor(), settings, Metrics(CollectorRegistry()), deliveries=deliveries), settings)
    made.port = server.start()
    made.url = server.url
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.stop()
    thread.join()


def test_a_good_one_is_laid_down_and_told_of(taking: Taking) -> None:
    content = taking.board.desk.bundle(1)
    taken = taking.post(content)
    assert taken.status_code == 202, taken.text
    name = taken.json()["id"]
    assert taken.json() == {"id": name, "version": 1, "title": "Menu 1"}
    assert taking.left() == [f"{name}.bundle"]
    assert (taking.inbox / f"{name}.bundle").read_bytes() == content
    assert taking.arrived == [True]
    assert taking.get()["inbox"] == 1


def test_a_chunked_body_is_taken_too(taking: Taking) -> None:
    content = taking.board.desk.bundle(1)
    assert taking.post(content[place : place + 700] for place in range(0, len(content), 700)).status_code == 202


def test_what_serves_is_told(taking: Taking) -> None:
    name = taking.board.serve(taking.board.desk.bundle(1))
    found = taking.get()
    assert found["current"]["id"] == name
    assert (found["trial"], found["floor"], found["inbox"]) == (None, 1, 0)
    assert [key["roles"] for key in found["keys"]] == [["bundle", "keys"]]
    assert "token" not in str(found)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": "Basic eA=="}]
)
def test_nothing_is_open_without_the_token(taking: Taking, method: str, headers: dict[str, str]) -> None:
    refused = requests.request(method, f"{taking.url}/v1/bundles", data=b"x", headers=headers, timeout=20)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert taking.left() == []


def test_where_no_token_is_set_it_is_closed_on_loopback_too() -> None:
    client = create_app(FakeDoor(), Settings(), Metrics(CollectorRegistry())).test_client()
    for answer in (client.get("/v1/bundles"), client.post("/v1/bundles", data=b"x")):
        assert answer.status_code == 401
        assert "APPLIANCE_BUNDLE_TOKEN" in answer.json["remedy"]


def test_the_token_of_bundles_opens_nothing_else_and_the_other_one_no_bundles() -> None:
    settings = Settings(http_token="f" * 16, bundle_token=TOKEN)
    client = create_app(FakeDoor(), settings, Metrics(CollectorRegistry())).test_client()
    other = {"Authorization": f"Bearer {'f' * 16}"}
    assert client.get("/v1/bundles", headers=other).status_code == 401
    assert client.get("/v1/bundles", headers=HEADERS).status_code == 503  # let in: this process takes none
    assert client.get("/v1/status", headers=HEADERS).status_code == 401
    assert client.get("/v1/status", headers=other).status_code == 200
    alone = create_app(FakeDoor(), Settings(http_token=TOKEN), Metrics(CollectorRegistry())).test_client()
    assert alone.get("/v1/bundles", headers=HEADERS).status_code == 503


def test_what_may_not_come_in_leaves_nothing(taking: Taking) -> None:
    desk = taking.board.desk
    taking.board.serve(desk.bundle(5))
    for content, status, code in (
        (b"", 422, "bundle_refused"),
        (desk.bundle(6)[:-600], 422, "bundle_refused"),
        (desk.bundle(6) + b"x", 422, "bundle_refused"),
        (desk.bundle(6, desk.other), 403, "bundle_untrusted"),
        (desk.bundle(4), 409, "bundle_unsuitable"),
        (desk.bundle(6, boards=("pc",)), 409, "bundle_unsuitable"),
    ):
        refused = taking.post(content)
        assert (refused.status_code, refused.json()["code"]) == (status, code), refused.text
        assert refused.json()["remedy"]
        assert taking.left() == []
    assert taking.post(desk.bundle(6), **{"Content-Type": "text/plain"}).status_code == 415
    assert taking.arrived == []


def test_one_that_is_too_large_is_refused_before_it_is_read(taking: Taking) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", taking.port, timeout=20)
    connection.putrequest("POST", "/v1/bundles")
    for name, value in (HEADERS | {"Content-Length": str(1 << 40)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 413
    assert taking.left() == []


def test_a_client_that_goes_away_leaves_nothing(taking: Taking) -> None:
    content = taking.board.desk.bundle(1)
    connection = http.client.HTTPConnection("127.0.0.1", taking.port, timeout=20)
    connection.putrequest("POST", "/v1/bundles")
    for name, value in (HEADERS | {"Content-Length": str(len(content))}).items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(content[:2000])
    connection.close()
    for _ in range(200):
        if taking.inbox.is_dir() and taking.left() == []:
            break
        threading.Event().wait(0.05)
    assert taking.left() == []
    assert taking.post(content).status_code == 202, "the place is free again"


def test_a_full_disk_is_told(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(taking.board.root)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    refused = taking.post(taking.board.desk.bundle(1))
    assert (refused.status_code, refused.json()["code"]) == (500, "storage_failed")
    assert taking.left() == []


@pytest.mark.parametrize("chunked", [False, True])
def test_a_disk_that_fills_meanwhile_keeps_its_reserve(
    taking: Taking, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    usage, looks = shutil.disk_usage(taking.board.root), []

    def shrinking(_: object) -> object:
        looks.append(None)
        return usage._replace(free=(10**12 if len(looks) < 3 else SPARE))

    monkeypatch.setattr(shutil, "disk_usage", shrinking)
    content = b"x" * 1_000_000
    sent = (content[place : place + 9000] for place in range(0, len(content), 9000)) if chunked else content
    refused = taking.post(sent)
    assert (refused.status_code, refused.json()["code"]) == (500, "storage_failed")
    assert len(looks) == 3
    assert taking.left() == []
