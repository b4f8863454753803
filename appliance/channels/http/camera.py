"""The appliance's own camera over HTTP: its state, a look, and its view for aiming.

What shows a customer, or what they hold, goes to this machine's own screen alone, whatever the token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIFlask
from flask import Response, request

from appliance.channels.camera.showing import Showing
from appliance.channels.door import Door
from appliance.channels.http import sse
from appliance.channels.http.events import UNASKED_S, EventStream
from appliance.channels.http.limits import JSON_BYTES, read_body
from appliance.channels.http.media import kind_of
from appliance.channels.http.peer import Peer, peer_of
from appliance.channels.http.readings import waited_for
from appliance.channels.http.reply import json_response, reply_json
from appliance.channels.http.schemas import read_listen
from appliance.channels.http.screen import own_screen
from appliance.errors import NotFound, Overloaded
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.vision.watch import Watch

AIMING_RATE = 5.0
"""Pictures a second of a view for aiming."""
AIMING_S = 300.0
"""Seconds after which a view for aiming ends: one that was forgotten keeps the camera open, and warm."""
BOUNDARY = "picture"


class Previews:
    """Places for views of the camera."""

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places) if places else None

    def hold(self) -> Callable[[], None]:
        """Take a place; gives what to call, once or more often, when it is free again. Raises Overloaded."""
        places = self._places
        if places is None or not places.acquire(blocking=False):
            raise Overloaded("views of the camera: expected a free place, got all taken", retry_after=5)
        over = threading.Lock()

        def release() -> None:
            if over.acquire(blocking=False):
                places.release()

        return release


def register_camera(app: APIFlask, door: Door, settings: Settings, metrics: Metrics, events: EventStream) -> None:
    """Add the routes of the camera."""
    previews = Previews(settings.camera_previews)

    @app.get("/v1/camera")
    def get_camera() -> Response:
        return json_response(door.camera_state())

    @app.get("/v1/camera/events")
    def get_camera_events() -> Response:
        showing = _showing(door)
        seconds = None if sse.asked_for(request) else UNASKED_S
        release = events.hold()
        peer = peer_of(request.environ)
        return sse.response(sse.told(showing.feed, showing.first, peer, lambda: events.closed, seconds), release)

    @app.post("/v1/camera/attend")
    def post_attend() -> Response:
        kind_of(request, ("json",))
        asked = read_listen(read_body(request, JSON_BYTES))
        _showing(door).attend(asked.session, asked.language)
        return json_response(door.camera_state(), 202)

    @app.post("/v1/camera/look")
    def post_look() -> Response:
        kind_of(request, ("json",))
        asked = read_listen(read_body(request, JSON_BYTES))
        showing = _showing(door)

        def look(watch: Watch) -> dict[str, Any]:
            reply = showing.look(asked.session, asked.language, watch)
            metrics.reply(reply)
            return reply_json(reply)

        return json_response(waited_for(peer_of(request.environ), look))

    @app.get("/v1/camera/picture")
    def get_picture() -> Response:
        return Response(_showing(door).picture(), content_type="image/jpeg")

    @app.get("/v1/camera/view")
    def get_view() -> Response:
        showing = _showing(door)
        release = previews.hold()
        peer = peer_of(request.environ)
        made = Response(
            _view(showing, peer, lambda: events.closed), content_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        )
        made.call_on_close(release)
        return made


def _showing(door: Door) -> Showing:
    if not own_screen(request):
        raise NotFound("camera: expected the kiosk's own screen, got another machine, or what a proxy has passed on")
    if door.showing is None:
        raise NotFound(
            "camera: expected a camera, got an empty camera_device",
            remedy=(
                "请设置 APPLIANCE_CAMERA_DEVICE（名称见 `appliance camera list`），然后重新启动",
                "Set APPLIANCE_CAMERA_DEVICE to a name of `appliance camera list` and start the appliance again",
            ),
        )
    return door.showing


def _view(showing: Showing, peer: Peer, ended: Callable[[], bool]) -> Iterator[bytes]:
    """Pictures, one replacing the other; only the newest, so that a slow client falls behind in nothing."""
    began = time.monotonic()
    with showing.pictures(AIMING_RATE) as following:
        while not ended() and not peer.gone() and time.monotonic() - began < AIMING_S:
            picture = following(sse.TICK_S)
            if picture is not None:
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                yield head.encode() + picture + b"\r\n"
        yield f"--{BOUNDARY}--\r\n".encode()
