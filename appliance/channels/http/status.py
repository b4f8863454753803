"""GET /healthz, /readyz, /v1/status, /v1/log and /metrics: what operators and probes ask."""

from __future__ import annotations

from collections.abc import Callable

from apiflask import APIFlask
from flask import Flask, Response, current_app, request

from appliance.channels.door import Door
from appliance.channels.http.events import EventStream
from appliance.channels.http.limits import JSON_BYTES, read_body
from appliance.channels.http.media import kind_of
from appliance.channels.http.reply import feature_json, json_response
from appliance.channels.http.schemas import read_log
from appliance.logs import Log
from appliance.metrics import Metrics

SERVER = "appliance.server"
"""Name under which a server that serves the application leaves what tells its state."""
SERVICE = "appliance.service"
"""Name under which a process under a service manager leaves what tells who supervises it and what its unit opens."""
WAITING = "appliance.waiting"
"""Name under which it leaves what counts the requests that wait for a thread."""


def waiting(app: Flask) -> int:
    """Requests that have come and wait for a thread of the server; 0 without one."""
    count: Callable[[], int] | None = app.extensions.get(WAITING)
    return count() if count is not None else 0


def _surroundings() -> dict[str, object]:
    """What the server and the service say about themselves, where there are such."""
    known = {"server": current_app.extensions.get(SERVER), "service": current_app.extensions.get(SERVICE)}
    return {name: state() for name, state in known.items() if state is not None}


def status_json(door: Door) -> dict[str, object]:
    """What /v1/status answers now."""
    features = [feature_json(feature) for feature in door.features()]
    return {**door.status(), **_surroundings(), "ready": door.ready(), "features": features}


def register_status(app: APIFlask, door: Door, metrics: Metrics, events: EventStream, log: Log) -> None:
    """Add the routes of operators."""

    @app.get("/healthz")
    def get_health() -> Response:
        return json_response({"status": "alive"})

    @app.get("/readyz")
    def get_ready() -> Response:
        ready = door.ready()
        features = [feature_json(feature) for feature in door.features()]
        response = json_response({"ready": ready, "features": features}, 200 if ready else 503)
        if not ready:
            response.headers["Retry-After"] = "2"
        return response

    @app.get("/v1/status")
    def get_status() -> Response:
        return json_response(status_json(door))

    @app.get("/v1/log")
    def get_log() -> Response:
        return json_response({**log.state(), "lines": log.lines()})

    @app.put("/v1/log")
    def put_log() -> Response:
        kind_of(request, ("json",))
        asked = read_log(read_body(request, JSON_BYTES))
        log.louder(asked.level, asked.minutes * 60)
        return json_response(log.state())

    @app.get("/metrics")
    def get_metrics() -> Response:
        metrics.look(door.features(), door.status(), events.open)
        return Response(metrics.text(), content_type=metrics.CONTENT_TYPE)
