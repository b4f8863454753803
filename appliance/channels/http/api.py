"""The HTTP application: guard, routes, errors and documents wired around the door."""

from __future__ import annotations

import logging
import sys
import time

from apiflask import APIFlask
from flask import Response, g, request

from appliance.channels.door import Door
from appliance.channels.http.bundles import Deliveries, register_bundles
from appliance.channels.http.camera import register_camera
from appliance.channels.http.docs import register_docs
from appliance.channels.http.events import EventStream, register_events
from appliance.channels.http.guard import guard, secure
from appliance.channels.http.identify import Identified
from appliance.channels.http.limits import Uploads
from appliance.channels.http.openai import register_openai
from appliance.channels.http.openapi import document
from appliance.channels.http.page import register_page
from appliance.channels.http.problems import register_problems
from appliance.channels.http.readings import Readings
from appliance.channels.http.reply import json_response
from appliance.channels.http.shed import SHEDDING, Shedding
from appliance.channels.http.status import register_status, waiting
from appliance.channels.http.technician import register_technician
from appliance.channels.http.turns import register_turns
from appliance.channels.http.voice import register_voice
from appliance.logs import Log
from appliance.metrics import Metrics
from appliance.settings import Settings

log = logging.getLogger(__name__)

SPARE_IMAGES = 2
SPARE_RECORDINGS = 1
"""Files that may still be arriving while every job of their kind is taken."""

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE"})


def create_app(
    door: Door,
    settings: Settings,
    metrics: Metrics,
    *,
    events: EventStream | None = None,
    kept: Log | None = None,
    deliveries: Deliveries | None = None,
) -> APIFlask:
    """The WSGI application that talks to `door` alone.

    `events` are the event streams of /v1/events; give your own to end them when the server stops. `kept` is the log of
    the process, for /v1/log. `deliveries` are where bundles go that are brought; without them none is taken.
    """
    # The documents are our own (openapi.py, docs.py): they describe three kinds of body for one route and need no
    # outside asset, so APIFlask's generated ones stay off. Its JSON error form is replaced by ours.
    app = APIFlask(
        "appliance",
        enable_openapi=False,
        json_errors=False,
        static_folder=None,  # type: ignore[arg-type]  # Flask takes None, for no static route; APIFlask's hint is narrower
    )
    events = events or EventStream(door, settings.event_streams, listener=metrics.listener)
    spec = document(settings, door.vocabulary())
    check = guard(settings)

    @app.before_request
    def before() -> None:
        g.began = time.perf_counter()
        check(request)

    @app.after_request
    def after(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule is not None else "none"
        method = request.method if request.method in METHODS else "other"
        metrics.request(route, method, response.status_code, time.perf_counter() - g.began)
        if response.status_code == 429 and not route.startswith("/v1/technician"):  # a PIN is nobody's share
            metrics.shed("session")
        # Method, route and number alone: a path may name a session, and a query whatever a client puts there.
        level = logging.INFO if response.status_code >= 400 else logging.DEBUG
        if log.isEnabledFor(level):
            taken = (time.perf_counter() - g.began) * 1000
            about = f"{method} {route} {response.status_code}"
            log.log(level, "%s %.1f ms", about, taken, extra={"about": about})
        return secure(response)

    @app.get("/openapi.json")
    def get_openapi() -> Response:
        return json_response(spec)

    register_problems(app)
    uploads = Uploads(
        settings.image_jobs + SPARE_IMAGES, settings.audio_jobs + SPARE_RECORDINGS, listener=metrics.listener
    )
    readings = Readings(
        settings.ocr_streams,
        longest_s=settings.deadline_s + settings.http_timeout_s,
        ended=lambda: events.closed,
        listener=metrics.listener,
    )
    register_turns(app, door, settings, metrics, uploads, readings)
    register_openai(app, door, settings, uploads)
    register_voice(app, door, settings, metrics, events)
    register_camera(app, door, settings, metrics, events)
    register_technician(app, door, settings, events)
    register_status(app, door, metrics, events, kept or Log(settings.log_level, sys.stderr, environ={}))
    register_events(app, events)
    register_bundles(app, deliveries)
    register_docs(app)
    register_page(app)
    shedding = Shedding(app.wsgi_app, door, metrics, check, lambda: waiting(app))
    app.wsgi_app = Identified(shedding)  # type: ignore[method-assign]  # Flask's own way
    app.extensions[SHEDDING] = shedding.refuse
    return app
