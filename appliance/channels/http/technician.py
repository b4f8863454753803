"""The service page's routes: for a technician at the kiosk's own screen who has typed the PIN, and for nobody else.

Without a PIN in the settings, and to every other machine, they answer like a path that does not exist.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from apiflask import APIFlask
from flask import Response, request

from appliance.channels.door import Door
from appliance.channels.http import sse
from appliance.channels.http.events import UNASKED_S, EventStream
from appliance.channels.http.limits import JSON_BYTES, read_body
from appliance.channels.http.media import kind_of
from appliance.channels.http.peer import Peer, peer_of
from appliance.channels.http.problems import problem_json
from appliance.channels.http.reply import json_response
from appliance.channels.http.screen import own_screen
from appliance.channels.http.status import status_json
from appliance.channels.http.technician_schemas import CHECKS, read_entry, read_report, read_sound
from appliance.channels.technician.entrance import Entrance
from appliance.channels.technician.machine import machine
from appliance.channels.technician.pin import LEAST, MOST
from appliance.channels.technician.slip import print_slip, printer_json
from appliance.errors import ApplianceError, NotFound, Unavailable
from appliance.settings import Settings, data_dir

log = logging.getLogger(__name__)

HEADER = "Technician-Visit"
"""Header that names the visit; a page of another site cannot send it."""
LEVEL_S = 0.2
"""Seconds between two looks at the microphone's level."""
NO_MICROPHONE = (
    "一体机自己的麦克风未启用，顾客使用浏览器的麦克风；设置 APPLIANCE_VOICE=push 或 wake 后启用",
    "Customers use the browser's microphone; APPLIANCE_VOICE=push or wake puts the kiosk's own to use",
)


def register_technician(
    app: APIFlask,
    door: Door,
    settings: Settings,
    events: EventStream,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Add the routes of the service page."""
    entrance = Entrance(settings.service_pin, clock=clock)

    def here() -> Entrance:
        if not entrance.offered or not own_screen(request):
            raise NotFound("expected a route of this appliance, got another path")
        return entrance

    def visit() -> str:
        name = request.headers.get(HEADER, "")
        here().left_s(name)
        return name

    @app.get("/v1/technician")
    def get_technician() -> Response:
        return json_response({"wait_s": here().wait_s, "digits": [LEAST, MOST]})

    @app.post("/v1/technician/visits")
    def post_visit() -> Response:
        here()
        kind_of(request, ("json",))
        asked = read_entry(read_body(request, JSON_BYTES))
        name = entrance.enter(asked.pin)
        # Whoever stood here before is gone: nothing of him is shown, and nothing he said is answered any more.
        if asked.session is not None:
            door.end(asked.session)
        if door.conversation is not None:
            door.conversation.cancel()
        if door.showing is not None:
            door.showing.attend(None, "zh")
        return json_response({"visit": name, "left_s": round(entrance.left_s(name))}, 201)

    @app.delete("/v1/technician/visit")
    def delete_visit() -> Response:
        entrance.leave(visit())
        return Response(status=204)

    @app.post("/v1/technician/touch")
    def post_touch() -> Response:
        return json_response({"left_s": round(entrance.touch(visit()))})

    @app.get("/v1/technician/summary")
    def get_summary() -> Response:
        visit()
        return json_response(
            {
                "status": status_json(door),
                "voice": _voice(door),
                "machine": machine(data_dir(settings)),
            }
        )

    @app.get("/v1/technician/microphone")
    def get_microphone() -> Response:
        name = visit()
        _microphone(door)
        seconds = None if sse.asked_for(request) else UNASKED_S
        release = events.hold()  # one of the places for event streams: what holds a thread is counted together

        def ended() -> bool:
            return events.closed or not entrance.open(name)

        return sse.response(_levels(door, peer_of(request.environ), ended, seconds), release)

    @app.post("/v1/technician/sound")
    def post_sound() -> Response:
        name = visit()
        kind_of(request, ("json",))
        asked = read_sound(read_body(request, JSON_BYTES))
        entrance.touch(name)
        return json_response(door.sound(asked.sound, asked.language))

    @app.get("/v1/technician/printer")
    def get_printer() -> Response:
        visit()
        return json_response(printer_json(settings.printer))

    @app.post("/v1/technician/printer")
    def post_printer() -> Response:
        name = visit()
        found = print_slip(settings.printer)
        entrance.touch(name)
        return json_response(found)

    @app.post("/v1/technician/report")
    def post_report() -> Response:
        visit()
        kind_of(request, ("json",))
        found = read_report(read_body(request, JSON_BYTES)).results
        said = [f"{check} {found.get(check, 'not run')}" for check in CHECKS]
        # Asked for by hand, and the page says that it is written: no level of the log leaves it out.
        log.log(max(logging.INFO, log.getEffectiveLevel()), "the technician's report: %s", ", ".join(said))
        return Response(status=204)


def _voice(door: Door) -> dict[str, object]:
    try:
        return door.voice_state()
    except ApplianceError as error:
        return {"mode": "off", "problem": problem_json(error)}


def _microphone(door: Door) -> dict[str, object]:
    """State of the kiosk's own microphone; raises Unavailable where it uses none."""
    found = _voice(door).get("microphone")
    if not isinstance(found, dict):
        raise Unavailable("microphone: expected the kiosk's own, got none in use", remedy=NO_MICROPHONE, retry_after=60)
    return found


def _levels(door: Door, peer: Peer, ended: Callable[[], bool], seconds: float | None) -> Iterator[bytes]:
    """The microphone's state five times a second: levels alone, and nothing of the sound."""
    began = time.monotonic()
    while not ended() and not peer.gone() and (seconds is None or time.monotonic() - began < seconds):
        try:
            yield sse.event("level", _microphone(door))
        except ApplianceError as error:
            yield sse.event("error", problem_json(error))
            return
        time.sleep(LEVEL_S)
    if ended():
        yield sse.event("over", {})
