"""What the service manager hears of a serving appliance, over a real socket and a real server."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from appliance.app import service as module
from appliance.app.service import Service, hung_after, status_line
from appliance.channels.http.api import create_app
from appliance.channels.http.events import EventStream
from appliance.channels.http.server import Server
from appliance.channels.http.status import SERVICE
from appliance.device.notify import Notifier
from appliance.device.openings import Filter, Opening
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.values import Feature
from tests.channels.fake_door import FakeDoor
from tests.device.supervisor import Supervisor, supervising

FREE = Filter((), None, "")


class LivingDoor(FakeDoor):
    """A fake appliance whose scheduler was last seen to work `silent` seconds ago."""

    silent = 0.0

    def silent_s(self) -> float:
        return self.silent


class Bound:
    """A server that is bound and does not serve before `serve`."""

    def __init__(self, settings: Settings) -> None:
        self.door = LivingDoor()
        metrics = Metrics(CollectorRegistry())
        events = EventStream(self.door, 1, listener=metrics.listener)
        self.app = create_app(self.door, settings, metrics, events=events)
        self.server = Server(self.app, settings, on_stop=events.close)
        self.server.start()
        self._thread = threading.Thread(target=self.server.serve_forever)

    def serve(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.server.stop()
        if self._thread.is_alive():
            self._thread.join(20)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with supervising(tmp_path) as heard:
        yield heard


@contextmanager
def bound(**over: object) -> Iterator[Bound]:
    made = Bound(Settings(http_port=0, http_threads=8, admitted=4, **over))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def speaking(supervisor: Supervisor) -> Iterator[Callable[..., tuple[Bound, Service]]]:
    with ExitStack() as stack:

        def start(shut: Filter = FREE, watchdog_s: float = 0.0) -> tuple[Bound, Service]:
            made = stack.enter_context(bound())
            notifier = Notifier(supervisor.address, watchdog_s)
            config = Path("/etc/appliance/appliance.yaml")
            service = Service(made.door, made.server, Settings(), notifier, shut, config=config)  # type: ignore[arg-type]
            made.app.extensions[SERVICE] = service.state
            stack.enter_context(service)
            return made, service

        yield start


def test_ready_is_said_when_the_server_answers_and_not_when_it_is_bound(
    speaking: Callable[..., tuple[Bound, Service]], supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.channels.http.probe.ASK_S", 0.2)
    made, _ = speaking()
    not_yet = supervisor.hear()
    assert not_yet.startswith("STATUS=尚未应答 / not answering yet: http://127.0.0.1:")
    assert supervisor.silent(0.5)  # the kernel takes connections all the while
    made.serve()
    assert f"STATUS=就绪 / ready: {made.server.url}; asr off" in supervisor.until("READY=1")
    with urllib.request.urlopen(f"{made.server.url}/healthz", timeout=5) as answer:
        assert answer.status == 200


def test_the_watchdog_is_fed_while_the_scheduler_works_and_not_before_ready(
    speaking: Callable[..., tuple[Bound, Service]], supervisor: Supervisor
) -> None:
    made, service = speaking(watchdog_s=0.4)
    assert supervisor.silent(0.3)
    made.serve()
    supervisor.until("READY=1")
    assert supervisor.hear() == "WATCHDOG_USEC=400000"  # whatever it was given for a switch ends here, and not before
    for _ in range(5):
        assert supervisor.hear() == "WATCHDOG=1"
    made.door.silent = hung_after(Settings()) + 1
    time.sleep(0.2)
    supervisor.forget()
    assert supervisor.silent(0.8)
    made.door.silent = 0.0
    assert supervisor.hear() == "WATCHDOG=1"


def test_a_run_may_take_twice_as_long_as_a_request_and_at_least_a_minute() -> None:
    assert hung_after(Settings(deadline_s=5)) == 60
    assert hung_after(Settings()) == 60
    assert hung_after(Settings(deadline_s=120)) == 240


def test_the_status_follows_the_features(
    speaking: Callable[..., tuple[Bound, Service]], supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    made, _ = speaking()
    made.serve()
    supervisor.until("READY=1")
    assert supervisor.silent(0.3)  # nothing changed: nothing is said
    made.door.is_ready = False
    assert supervisor.hear().startswith("STATUS=未就绪 / not ready: ")


def test_stopping_is_the_last_word(
    speaking: Callable[..., tuple[Bound, Service]], supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    made, service = speaking()
    made.serve()
    supervisor.until("READY=1")
    made.door.is_ready = False
    service.stopping()
    supervisor.until("STOPPING=1")
    assert supervisor.told[-1] == "STOPPING=1\nSTATUS=停止中 / stopping"
    assert supervisor.silent(0.3)


def test_a_server_that_ends_by_itself_is_told_too(supervisor: Supervisor) -> None:
    with bound() as made:
        made.serve()
        with Service(made.door, made.server, Settings(), Notifier(supervisor.address), FREE):  # type: ignore[arg-type]
            supervisor.until("READY=1")
        supervisor.until("STOPPING=1")


def test_one_that_is_told_to_stop_before_it_serves_never_says_ready(
    speaking: Callable[..., tuple[Bound, Service]], supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.channels.http.probe.ASK_S", 0.2)
    made, service = speaking()
    service.stopping()
    supervisor.until("STOPPING=1")
    made.serve()
    assert supervisor.silent(0.5)


def test_without_a_supervisor_there_are_no_threads() -> None:
    with bound() as made:
        made.serve()
        before = {thread.name for thread in threading.enumerate()}
        with Service(made.door, made.server, Settings(), Notifier(), FREE) as service:  # type: ignore[arg-type]
            assert {thread.name for thread in threading.enumerate()} == before
            assert service.state() == {
                "supervised": False,
                "watchdog_s": None,
                "named": {},
                "opened": None,
                "closed": [],
                "stale": [],
                "ok": True,
                "problem": "",
                "remedy": "",
            }


def test_the_status_route_tells_what_is_shut_and_what_to_do(
    speaking: Callable[..., tuple[Bound, Service]], supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    import json

    from tests.channels.promised import valid

    shut = Filter((Opening("192.168.1.0/24", ("lan_peers",)),), ("10.0.0.0/8",), "")
    made, _ = speaking(shut, watchdog_s=20.0)
    made.serve()
    assert "未开放 / shut: 192.168.1.0/24" in supervisor.until("READY=1")
    with urllib.request.urlopen(f"{made.server.url}/v1/status", timeout=5) as answer:
        status = json.load(answer)
    valid("Status", status)
    told = status["service"]
    assert (told["supervised"], told["watchdog_s"], told["ok"]) == (True, 20.0, False)
    assert told["named"] == {"192.168.1.0/24": ["lan_peers"]}
    assert (told["opened"], told["closed"], told["stale"]) == (["10.0.0.0/8"], ["192.168.1.0/24"], ["10.0.0.0/8"])
    # Root's shell has not the unit's environment: without the file's name the command would open nothing.
    command = "appliance service drop-in -c /etc/appliance/appliance.yaml -o /etc/systemd/system/appliance.service.d/"
    assert told["remedy"].count(command) == 2
    assert "未开放 / shut: 192.168.1.0/24" in caplog.text


def test_the_line_says_what_does_not_serve_as_it_should() -> None:
    features = (Feature("language", "ready", "onnxruntime-cpu", ""), Feature("ocr", "fallback", "tesseract", ""))
    shut = Filter((Opening("10.0.0.7/32", ("http_host", "lan_peers")),), ("10.0.0.7/32",), "")
    line = status_line("http://127.0.0.1:8080", True, features, shut, ("inference",))
    assert line == (
        "就绪 / ready: http://127.0.0.1:8080; 卡死 / hung: inference; ocr fallback; 开放 / open: 10.0.0.7/32"
    )
    broken = Filter((), (), "lan_peers: expected who may reach http_host 0.0.0.0, got nobody")
    assert status_line("u", False, (), broken) == f"未就绪 / not ready: u; {broken.problem}"
