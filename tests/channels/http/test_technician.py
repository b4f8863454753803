"""The service page's routes over a real server: nothing without the PIN, all of it with."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
import requests
from fake_door import FakeDoor
from prometheus_client import CollectorRegistry
from promised import valid

from appliance.channels.http import technician
from appliance.channels.http.api import create_app
from appliance.channels.http.technician import HEADER
from appliance.channels.technician.pin import hashed
from appliance.errors import Unavailable
from appliance.metrics import Metrics
from appliance.settings import Settings
from tests.device.fake_printer import OKAY, FakePrinter

PIN = "493817"
KEPT = hashed(PIN)
EVENTS = {"Accept": "text/event-stream"}
INSIDE = [
    ("DELETE", "/v1/technician/visit", None),
    ("POST", "/v1/technician/touch", None),
    ("GET", "/v1/technician/summary", None),
    ("GET", "/v1/technician/microphone", None),
    ("POST", "/v1/technician/sound", {"sound": "left"}),
    ("GET", "/v1/technician/printer", None),
    ("POST", "/v1/technician/printer", None),
    ("POST", "/v1/technician/report", {"results": {}}),
]


class Hearing(FakeDoor):
    """Has a microphone of its own, whose level rises as it is looked at; `looks` is how often."""

    looks = 0

    def voice_state(self) -> dict[str, object]:
        self.looks += 1
        state = {"state": "listening", "device": "fake mic", "rate": 48_000, "level_db": self.looks - 60.0}
        return {"mode": "push", "microphone": state}


def asked(server: Any, method: str, path: str, body: object = None, visit: str = "") -> requests.Response:
    headers = {HEADER: visit} if visit else {}
    return requests.request(method, server.url + path, json=body, headers=headers, timeout=20)


def refused(response: requests.Response, status: int, code: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    valid("Problem", body)


def enter(server: Any, pin: str = PIN, **more: object) -> requests.Response:
    return asked(server, "POST", "/v1/technician/visits", {"pin": pin, **more})


def entered(server: Any) -> str:
    response = enter(server)
    assert response.status_code == 201, response.text
    valid("TechnicianVisit", response.json())
    return str(response.json()["visit"])


def unnamed(response: requests.Response) -> dict[str, object]:
    """What it says, but for the name of the request."""
    return {name: value for name, value in response.json().items() if name != "request_id"}


def test_without_a_pin_in_the_settings_there_is_nothing(serve) -> None:
    server = serve()
    nowhere = unnamed(server.get("/v1/nowhere"))
    for method, path, body in [("GET", "/v1/technician", None), *INSIDE]:
        response = asked(server, method, path, body, visit="x")
        refused(response, 404, "not_found")
        assert unnamed(response) == nowhere, "it is not told from a path that does not exist"
    assert unnamed(enter(server)) == nowhere


@pytest.mark.parametrize(
    "peer, status",
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),  # the same screen, where the appliance listens on ::
        ("192.168.1.20", 404),
        ("::ffff:192.168.1.20", 404),
        ("fe80::1%eth0", 404),
        ("", 404),
    ],
)
def test_other_machines_find_nothing_either(peer: str, status: int) -> None:
    app = create_app(FakeDoor(), Settings(service_pin=KEPT), Metrics(CollectorRegistry()))
    client, there = app.test_client(), {"REMOTE_ADDR": peer}
    assert client.get("/v1/technician", environ_base=there).status_code == status
    entered = client.post("/v1/technician/visits", json={"pin": PIN}, environ_base=there)
    assert entered.status_code == {200: 201, 404: 404}[status]
    visit = {HEADER: (entered.get_json() or {}).get("visit", "")}
    assert client.get("/v1/technician/summary", headers=visit, environ_base=there).status_code == status


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_what_a_proxy_on_this_machine_passes_on_finds_nothing_either(serve, header: str) -> None:
    server = serve(service_pin=KEPT)
    headers = {header: "for=192.168.1.20"}
    response = server.post("/v1/technician/visits", json={"pin": PIN}, headers=headers)
    assert (response.status_code, unnamed(response)) == (404, unnamed(server.get("/v1/nowhere")))
    seen = {**headers, HEADER: entered(server)}
    refused(server.get("/v1/technician/summary", headers=seen), 404, "not_found")


def test_a_customer_without_the_pin_reaches_none_of_it(serve) -> None:
    server = serve(Hearing(), service_pin=KEPT)
    for method, path, body in INSIDE:
        refused(asked(server, method, path, body), 403, "visit_over")
        refused(asked(server, method, path, body, visit="a-guess"), 403, "visit_over")
    assert server.door.sounds == []
    assert server.door.looks == 0


def test_the_token_guards_it_too(serve) -> None:
    server = serve(service_pin=KEPT, http_token="a-token-of-enough-length")
    refused(asked(server, "GET", "/v1/technician"), 401, "unauthorized")
    refused(enter(server), 401, "unauthorized")


def test_another_site_cannot_enter(serve) -> None:
    server = serve(service_pin=KEPT)
    foreign = server.post("/v1/technician/visits", json={"pin": PIN}, headers={"Origin": "http://evil.example"})
    refused(foreign, 403, "foreign_origin")


def test_wrong_pins_shut_it_and_are_counted_nowhere_else(serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(service_pin=KEPT)
    for _ in range(3):
        refused(enter(server, "271828"), 403, "pin_wrong")
    shut = enter(server)
    refused(shut, 429, "too_many_requests")
    assert 1 <= int(shut.headers["Retry-After"]) <= 30
    offered = asked(server, "GET", "/v1/technician").json()
    valid("Entrance", offered)
    assert 1 <= offered["wait_s"] <= 30
    assert "271828" not in caplog.text
    assert PIN not in caplog.text
    assert 'shed_total{gate="session"}' not in server.metrics.text().decode()


@pytest.mark.parametrize("pin", ["", "12345", "abcdef", "1" * 13, "４９３８１７", 493817, None])
def test_what_cannot_be_a_pin_is_refused_unheard_and_costs_nothing(serve, pin) -> None:
    server = serve(service_pin=KEPT)
    for _ in range(4):
        response = enter(server, pin)
        refused(response, 422, "invalid_input")
        assert "493817" not in response.text
    assert enter(server).status_code == 201


def test_the_customer_is_gone_before_the_page_opens(serve) -> None:
    class Talk:
        """Notes that it was told to fall silent."""

        cancelled = 0

        def cancel(self) -> None:
            self.cancelled += 1

        def state(self) -> dict[str, object]:
            return {"phase": "idle"}

    class Sight:
        """Notes who it was told stands there."""

        watched: list[str | None] = []

        def attend(self, session: str | None, language: str) -> None:
            self.watched.append(session)

    talk, sight = Talk(), Sight()
    server = serve(FakeDoor(conversation=talk, shown=sight), service_pin=KEPT)  # type: ignore[arg-type]
    mine, other = server.ask("你好").json()["session"], server.ask("你好").json()["session"]
    refused(enter(server, "271828", session=mine), 403, "pin_wrong")
    assert server.door.sessions == {mine, other}
    assert (talk.cancelled, sight.watched) == (0, [])
    assert enter(server, session=mine).status_code == 201
    assert server.door.sessions == {other}
    assert (talk.cancelled, sight.watched) == (1, [None])


def test_a_visit_lasts_until_it_is_left(serve) -> None:
    server = serve(service_pin=KEPT)
    visit = entered(server)
    left = asked(server, "POST", "/v1/technician/touch", visit=visit)
    valid("VisitLeft", left.json())
    assert left.json()["left_s"] == 300
    assert asked(server, "DELETE", "/v1/technician/visit", visit=visit).status_code == 204
    refused(asked(server, "GET", "/v1/technician/summary", visit=visit), 403, "visit_over")


def test_the_summary_has_all_there_is(serve) -> None:
    server = serve(Hearing(), service_pin=KEPT)
    found = asked(server, "GET", "/v1/technician/summary", visit=entered(server)).json()
    valid("TechnicianSummary", found)
    status = server.get("/v1/status").json()
    assert set(found["status"]) == set(status)
    assert [feature["name"] for feature in found["status"]["features"]] == ["ocr", "asr", "language"]
    assert found["voice"]["microphone"]["device"] == "fake mic"
    assert found["machine"]["disk_mb"]["total"] > 0


def test_an_appliance_without_a_spoken_side_is_shown_all_the_same(serve) -> None:
    class Mute(FakeDoor):
        def voice_state(self) -> dict[str, object]:
            raise Unavailable("voice: expected a spoken side, got none")

    server = serve(Mute(), service_pin=KEPT)
    found = asked(server, "GET", "/v1/technician/summary", visit=entered(server)).json()
    assert found["voice"]["mode"] == "off"
    assert found["voice"]["problem"]["code"] == "unavailable"


def told(response: requests.Response) -> Any:
    name = ""
    for line in response.iter_lines(chunk_size=1):
        if line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def test_the_level_comes_several_times_a_second_and_ends_with_the_visit(serve) -> None:
    server = serve(Hearing(), service_pin=KEPT)
    visit = entered(server)
    stream = server.get("/v1/technician/microphone", headers={**EVENTS, HEADER: visit}, stream=True)
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    events = told(stream)
    levels = [next(events)[1]["level_db"] for _ in range(4)]
    assert levels == sorted(set(levels))
    assert server.events.open == 1
    asked(server, "DELETE", "/v1/technician/visit", visit=visit)
    rest = list(events)
    assert rest[-1] == ("over", {})
    assert server.events.open == 0


def test_a_level_that_nobody_asked_for_as_events_ends_by_itself(serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(technician, "UNASKED_S", 0.5)
    server = serve(Hearing(), service_pin=KEPT)
    whole = server.get("/v1/technician/microphone", headers={HEADER: entered(server)})
    assert 2 <= whole.text.count("event: level") <= 5


def test_no_microphone_of_its_own_says_who_has_one(serve) -> None:
    server = serve(service_pin=KEPT)
    response = asked(server, "GET", "/v1/technician/microphone", visit=entered(server))
    refused(response, 503, "unavailable")
    assert "APPLIANCE_VOICE=push" in response.json()["remedy"]


def test_the_loudspeaker_is_tried(serve) -> None:
    server = serve(service_pin=KEPT)
    visit = entered(server)
    response = asked(server, "POST", "/v1/technician/sound", {"sound": "left"}, visit)
    valid("SoundPlayed", response.json())
    asked(server, "POST", "/v1/technician/sound", {"sound": "voice", "language": "en"}, visit)
    assert server.door.sounds == [("left", "zh"), ("voice", "en")]
    refused(asked(server, "POST", "/v1/technician/sound", {"sound": "front"}, visit), 422, "invalid_input")
    server.door.error = Unavailable("speech: expected a loudspeaker, got none in use")
    refused(asked(server, "POST", "/v1/technician/sound", {"sound": "both"}, visit), 503, "unavailable")


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_what_was_found_goes_into_the_log_at_any_level(serve, caplog: pytest.LogCaptureFixture, level: int) -> None:
    caplog.set_level(level)
    server = serve(service_pin=KEPT)
    visit = entered(server)
    found = {"results": {"touch": "fail", "microphone": "pass"}}
    assert asked(server, "POST", "/v1/technician/report", found, visit).status_code == 204
    said = "microphone pass, speaker not run, camera not run, touch fail, scanner not run, printer not run"
    assert f"the technician's report: {said}" in caplog.text
    for wrong in ({"touch": "maybe"}, {"smell": "pass"}, {"touch": "pass\nforged"}):
        refused(asked(server, "POST", "/v1/technician/report", {"results": wrong}, visit), 422, "invalid_input")


PRINTER = "/v1/technician/printer"


def test_without_a_printer_the_page_says_how_to_set_one(serve) -> None:
    server = serve(service_pin=KEPT)
    visit = entered(server)
    found = asked(server, "GET", PRINTER, visit=visit)
    valid("TechnicianPrinter", found.json())
    assert (found.json()["state"], found.json()["device"]) == ("off", "")
    assert " / no printer is configured" in found.json()["reason"]
    refused(asked(server, "POST", PRINTER, visit=visit), 503, "unavailable")


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        (OKAY, "ready", "正常 / ready"),
        (OKAY | {4: 0x1E}, "ready", "nearly used up"),
        (OKAY | {2: 0x16}, "failed", "its cover is open"),
        (None, "silent", "answers no status"),
    ],
)
def test_the_printer_is_asked_and_prints(serve, status: dict[int, int] | None, state: str, says: str) -> None:
    fake = FakePrinter(status)
    try:
        server = serve(service_pin=KEPT, printer=fake.path)
        visit = entered(server)
        found = asked(server, "GET", PRINTER, visit=visit)
        valid("TechnicianPrinter", found.json())
        assert (found.json()["state"], found.json()["device"]) == (state, fake.path)
        assert says in found.json()["reason"]
        assert fake.printed == b""
        done = asked(server, "POST", PRINTER, visit=visit)
        if state == "failed":
            refused(done, 503, "unavailable")
            assert fake.printed == b""
        else:
            assert done.json() == found.json()
            until = time.monotonic() + 10
            while not fake.printed.endswith(b"\x1dVB\x00") and time.monotonic() < until:
                time.sleep(0.01)
            assert "永和九年".encode("gb18030") in fake.printed
    finally:
        fake.close()


def test_a_printer_that_is_not_there_is_a_verdict_and_not_an_error(serve) -> None:
    server = serve(service_pin=KEPT, printer="/dev/usb/lp93")
    found = asked(server, "GET", PRINTER, visit=entered(server))
    assert (found.status_code, found.json()["state"]) == (200, "failed")
    assert "/dev/usb/lp93, got No such file" in found.json()["reason"]
