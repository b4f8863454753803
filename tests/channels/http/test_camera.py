"""The camera over a real server: state, look, events, and its view for aiming. Camera and reading are scripted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from fake_door import FakeDoor
from promised import valid

from appliance.channels.camera.showing import Showing
from appliance.channels.http import camera as routes
from appliance.channels.http.reply import reply_json
from appliance.vision.camera import Camera
from appliance.vision.frame import Patience
from tests.channels.http.test_voice import EVENTS, events_of, refused
from tests.vision.fake_camera import FakeCamera

QUICK = Patience(linger=0.1, first=0.02, most=0.05)
TOKEN = "a-token-of-sixteen-letters"


@pytest.fixture
def fake() -> FakeCamera:
    return FakeCamera(fps=60)


@pytest.fixture
def door(fake: FakeCamera) -> Iterator[FakeDoor]:
    door = FakeDoor()
    camera = Camera("fake", rate=30, open=fake.open, patience=QUICK)
    door.shown = Showing(camera, door.look, reply_json, watches=False)
    door.shown.start()
    yield door
    door.shown.close()
    assert fake.open_now == 0


def test_its_state_is_what_the_document_promises(serve: Any, door: FakeDoor) -> None:
    server = serve(door)
    end = time.monotonic() + 10
    while (state := server.get("/v1/camera").json())["state"] != "resting":
        assert time.monotonic() < end
    valid("Camera", state)
    assert (state["state"], state["watches"], state["rate"]) == ("resting", False, 30)


def test_a_look_is_read_and_answered(serve: Any, door: FakeDoor) -> None:
    server = serve(door)
    first = server.ask("你好").json()["session"]
    answered = server.post("/v1/camera/look", json={"session": first, "language": "en"})
    assert answered.status_code == 200
    valid("Reply", answered.json())
    assert answered.json()["session"] == first
    assert answered.json()["turn"]["source"] == "image"
    assert answered.json()["answer"]["language"] == "en"
    assert door.images[0][:2] == b"\xff\xd8"


def test_a_camera_that_is_lost_says_so_and_when_to_ask_again(serve: Any, door: FakeDoor, fake: FakeCamera) -> None:
    fake.node = None
    server = serve(door)
    for response in (server.post("/v1/camera/look", json={}), server.get("/v1/camera/picture")):
        refused(response, 503, "unavailable")
        assert int(response.headers["Retry-After"]) >= 1
        assert " / " in response.json()["remedy"]


@pytest.mark.parametrize(
    "body, media, status",
    [
        (b"{", "application/json", 400),
        (b'{"session": 7}', "application/json", 422),
        (b'{"picture": "x"}', "application/json", 422),
        (b"{}", "image/jpeg", 415),
    ],
)
@pytest.mark.parametrize("path", ["look", "attend"])
def test_bad_requests_are_refused(serve: Any, door: FakeDoor, body: bytes, media: str, status: int, path: str) -> None:
    response = serve(door).post(f"/v1/camera/{path}", data=body, headers={"Content-Type": media})
    assert response.status_code == status
    assert door.images == []


def test_without_a_camera_the_routes_say_what_to_set(serve: Any) -> None:
    server = serve(FakeDoor())
    assert server.get("/v1/camera").json() == {"state": "off"}
    for path in ("look", "attend"):
        response = server.post(f"/v1/camera/{path}", json={})
        refused(response, 404, "not_found")
        assert "APPLIANCE_CAMERA_DEVICE" in response.json()["remedy"]
    for path in ("events", "picture", "view"):
        refused(server.get(f"/v1/camera/{path}"), 404, "not_found")


def test_only_this_machines_own_screen_sees(serve: Any, door: FakeDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "own_screen", lambda _request: False)
    server = serve(door)
    for path in ("events", "picture", "view"):
        refused(server.get(f"/v1/camera/{path}"), 404, "not_found")
    for path in ("look", "attend"):
        refused(server.post(f"/v1/camera/{path}", json={}), 404, "not_found")


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
def test_what_a_proxy_on_this_machine_passes_on_sees_nothing(serve: Any, door: FakeDoor, header: str) -> None:
    server, passed = serve(door), {header: "for=192.168.1.20"}
    for path in ("events", "picture", "view"):
        refused(server.get(f"/v1/camera/{path}", headers=passed), 404, "not_found")
    for path in ("look", "attend"):
        refused(server.post(f"/v1/camera/{path}", json={}, headers=passed), 404, "not_found")
    assert server.get("/v1/camera", headers=passed).status_code == 200, "the state shows no customer"


def test_a_token_is_asked_for_as_everywhere(serve: Any, door: FakeDoor) -> None:
    server = serve(door, http_token=TOKEN)
    for path in ("/v1/camera", "/v1/camera/events", "/v1/camera/picture", "/v1/camera/view"):
        refused(server.get(path), 401, "unauthorized")
    refused(server.post("/v1/camera/look", json={}), 401, "unauthorized")
    assert server.get("/v1/camera/picture", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_picture_for_aiming(serve: Any, door: FakeDoor) -> None:
    response = serve(door).get("/v1/camera/picture")
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content[:2] == b"\xff\xd8"


def test_views_are_bounded_and_end_when_their_client_goes(serve: Any, door: FakeDoor, fake: FakeCamera) -> None:
    server = serve(door, camera_previews=1)
    view = requests.get(f"{server.url}/v1/camera/view", stream=True, timeout=20)
    assert view.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=picture"
    pieces = view.iter_content(2000)  # kept: when it is forgotten the connection is closed, and the place free
    chunk = next(pieces)
    assert chunk.startswith(b"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: ")
    assert b"\xff\xd8" in chunk
    refused(server.get("/v1/camera/view"), 503, "overloaded")
    view.close()
    end = time.monotonic() + 30
    while (again := requests.get(f"{server.url}/v1/camera/view", stream=True, timeout=20)).status_code == 503:
        assert time.monotonic() < end
        time.sleep(0.05)
    again.close()
    end = time.monotonic() + 30
    while door.shown is not None and door.shown.state()["state"] != "resting":
        assert time.monotonic() < end, "nobody looks any more, and the camera is open"
        time.sleep(0.05)


def test_a_view_that_was_forgotten_ends_by_itself(serve: Any, door: FakeDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "AIMING_S", 0.5)
    began = time.monotonic()
    whole = serve(door).get("/v1/camera/view").content
    assert 0.4 < time.monotonic() - began < 10
    assert whole.endswith(b"--picture--\r\n")


def test_a_server_that_stops_ends_views(serve: Any, door: FakeDoor) -> None:
    server = serve(door)
    over = threading.Event()

    def look() -> None:
        with requests.get(f"{server.url}/v1/camera/view", stream=True, timeout=20) as view:
            for _ in view.iter_content(4096):
                pass
        over.set()

    threading.Thread(target=look, daemon=True).start()
    time.sleep(0.3)
    server.events.close()
    assert over.wait(10)


def test_events_tell_the_state_and_attend_says_whose_it_is(serve: Any, door: FakeDoor) -> None:
    server = serve(door)
    with requests.get(f"{server.url}/v1/camera/events", stream=True, timeout=20, headers=EVENTS) as stream:
        told = events_of(stream.iter_lines(chunk_size=1))
        name, state = next(told)
        assert (name, state["phase"], state["light"]) == ("state", "empty", "")
        asked = server.post("/v1/camera/attend", json={"session": "s-1", "language": "en"})
        assert asked.status_code == 202
        valid("Camera", asked.json())
        assert door.shown is not None
        door.shown.feed.tell("reply", session="s-1")
        assert next(data for name, data in told if name == "reply") == {"session": "s-1"}


def test_streams_of_events_share_the_places_of_all(serve: Any, door: FakeDoor) -> None:
    server = serve(door, event_streams=1)
    with requests.get(f"{server.url}/v1/camera/events", stream=True, timeout=20, headers=EVENTS):
        refused(server.get("/v1/events"), 503, "overloaded")
