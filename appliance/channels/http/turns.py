"""Turns, images to read, suggestions, the greeting and the end of a session: what customers do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from apiflask import APIFlask
from flask import Response, request

from appliance.channels.door import Door
from appliance.channels.http import sse
from appliance.channels.http.limits import JSON_BYTES, Uploads, read_body
from appliance.channels.http.media import kind_of, read_upload
from appliance.channels.http.pcm import is_pcm
from appliance.channels.http.peer import peer_of
from appliance.channels.http.readings import LineJson, Readings, waited_for
from appliance.channels.http.reply import json_response, line_json, ocr_json, reply_json, suggestion_json
from appliance.channels.http.schemas import (
    check_deadline,
    check_detail,
    check_language,
    check_session,
    read_turn,
    read_typed,
)
from appliance.channels.http.voice import streamed_turn
from appliance.errors import InvalidInput, NotFound
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.values import Reply
from appliance.vision.watch import Watch


def _queried(name: str) -> str | None:
    """A field of the query, where it may stand once."""
    given = request.args.getlist(name)
    if len(given) > 1:
        raise InvalidInput(f"{name}: expected once, got {len(given)} times")
    return given[0] if given else None


def register_turns(
    app: APIFlask, door: Door, settings: Settings, metrics: Metrics, uploads: Uploads, readings: Readings
) -> None:
    """Add the routes that customers use."""

    def streamed(kind: str) -> bool:
        """Whether an image is to be read before the client's eyes; Overloaded when its body would come in vain."""
        wanted = kind in ("image", "form") and sse.asked_for(request)
        if wanted:
            readings.check()
        return wanted

    def stream(work: Callable[[Watch], dict[str, Any]], show: LineJson) -> Response:
        with readings.place() as place:
            return readings.stream(place, peer_of(request.environ), work, show)

    def whole(work: Callable[[Watch], dict[str, Any]]) -> Response:
        return json_response(waited_for(peer_of(request.environ), work))

    def deadline() -> float | None:
        return check_deadline(_queried("deadline_ms"), settings.deadline_s)

    def told(reply: Reply) -> dict[str, Any]:
        metrics.reply(reply)
        return reply_json(reply)

    def text_turn(session: str | None, language: str) -> Reply:
        asked = read_turn(read_body(request, JSON_BYTES), settings.max_text_chars)
        return door.turn(asked.turn(language), asked.session or session)

    def file_turn(kind: str, session: str | None, language: str, deadline_s: float | None) -> Response:
        live = streamed(kind)
        upload = read_upload(request, kind, settings, uploads, ("image", "audio"), ("session", "language"))
        session = check_session(upload.fields.get("session", session))
        language = check_language(upload.fields.get("language", language))
        if upload.kind == "audio":
            return json_response(told(door.hear(upload.data, session, language)))

        def look(watch: Watch) -> dict[str, Any]:
            return told(door.look(upload.data, session, language, deadline_s=deadline_s, watch=watch))

        return stream(look, line_json) if live else whole(look)

    @app.post("/v1/turns")
    def post_turn() -> Response:
        if is_pcm(request):
            session, language = check_session(_queried("session")), check_language(_queried("language"))
            return streamed_turn(door, settings, session, language, told)
        kind = kind_of(request, ("json", "image", "audio", "form"))
        # What the body says goes before the query; the query has to be right all the same.
        session, language = check_session(_queried("session")), check_language(_queried("language"))
        deadline_s = deadline()
        if kind == "json":
            return json_response(told(text_turn(session, language)))
        return file_turn(kind, session, language, deadline_s)

    @app.post("/v1/ocr")
    def post_ocr() -> Response:
        kind = kind_of(request, ("image", "form"))
        deadline_s, characters = deadline(), check_detail(_queried("detail"))
        live = streamed(kind)
        upload = read_upload(request, kind, settings, uploads, ("image",))

        def read(watch: Watch) -> dict[str, Any]:
            result = door.read(upload.data, deadline_s=deadline_s, watch=watch)
            metrics.read(result)
            return ocr_json(result, characters)

        return stream(read, partial(line_json, characters=characters)) if live else whole(read)

    @app.post("/v1/suggestions")
    def post_suggestions() -> Response:
        kind_of(request, ("json",))
        typed = read_typed(read_body(request, JSON_BYTES))
        found = door.suggest(typed.text, typed.language, typed.limit)
        return json_response({"suggestions": [suggestion_json(suggestion) for suggestion in found]})

    @app.get("/v1/greeting")
    def get_greeting() -> Response:
        return json_response(door.greeting(check_language(_queried("language"))))

    @app.delete("/v1/sessions/<session>")
    def delete_session(session: str) -> Response:
        check_session(session)
        if not door.end(session):
            raise NotFound("session: expected one that is alive, got one that is unknown or forgotten")
        return Response(status=204)
