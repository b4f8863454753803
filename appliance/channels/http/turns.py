"""Turns, images to read, suggestions, the greeting and the end of a session: what customers do."""

from __future__ import annotations

from apiflask import APIFlask
from flask import Response, request

from appliance.channels.door import Door
from appliance.channels.http.limits import JSON_BYTES, Uploads, read_body
from appliance.channels.http.media import kind_of, read_upload
from appliance.channels.http.reply import json_response, ocr_json, reply_json, suggestion_json
from appliance.channels.http.schemas import (
    SUGGESTIONS,
    check_count,
    check_language,
    check_session,
    check_typed,
    read_turn,
)
from appliance.errors import InvalidInput, NotFound
from appliance.language.suggest import MOST
from appliance.metrics import Metrics
from appliance.settings import Settings
from appliance.values import Reply


def _queried(name: str) -> str | None:
    """A field of the query, where it may stand once."""
    given = request.args.getlist(name)
    if len(given) > 1:
        raise InvalidInput(f"{name}: expected once, got {len(given)} times")
    return given[0] if given else None


def register_turns(app: APIFlask, door: Door, settings: Settings, metrics: Metrics, uploads: Uploads) -> None:
    """Add the routes that customers use."""

    def text_turn(session: str | None, language: str) -> Reply:
        asked = read_turn(read_body(request, JSON_BYTES), settings.max_text_chars)
        return door.turn(asked.turn(language), asked.session or session)

    def file_turn(kind: str, session: str | None, language: str) -> Reply:
        upload = read_upload(request, kind, settings, uploads, ("image", "audio"), ("session", "language"))
        session = check_session(upload.fields.get("session", session))
        language = check_language(upload.fields.get("language", language))
        act = door.look if upload.kind == "image" else door.hear
        return act(upload.data, session, language)

    @app.post("/v1/turns")
    def post_turn() -> Response:
        kind = kind_of(request, ("json", "image", "audio", "form"))
        # What the body says goes before the query; the query has to be right all the same.
        session, language = check_session(_queried("session")), check_language(_queried("language"))
        reply = text_turn(session, language) if kind == "json" else file_turn(kind, session, language)
        metrics.reply(reply)
        return json_response(reply_json(reply))

    @app.post("/v1/ocr")
    def post_ocr() -> Response:
        kind = kind_of(request, ("image", "form"))
        upload = read_upload(request, kind, settings, uploads, ("image",))
        result = door.read(upload.data)
        metrics.read(result)
        return json_response(ocr_json(result))

    @app.get("/v1/suggestions")
    def get_suggestions() -> Response:
        text = check_typed(_queried("text"))
        language = check_language(_queried("language"))
        limit = check_count("limit", _queried("limit"), SUGGESTIONS, 1, MOST)
        found = door.suggest(text, language, limit)
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
