"""The OpenAPI 3.1 document, written by hand around the models that really check the requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from appliance import __version__
from appliance.channels.http import openai_document, openapi_camera, openapi_technician, openapi_voice
from appliance.channels.http.bundles import MEDIA
from appliance.channels.http.media import AUDIO_TYPES, IMAGE_TYPES
from appliance.channels.http.openapi_requests import request_schemas
from appliance.channels.http.openapi_schemas import SCHEMAS
from appliance.channels.http.schemas import DETAILS, SESSION_PATTERN, SHORTEST_MS
from appliance.errors import ERRORS
from appliance.settings import Settings

Json = dict[str, Any]

EVERYWHERE = (400, 403, 500)
"""What the guard and a defect may answer on every route; 401 joins them when a token is set."""
BODY = (408, 413, 415, 422)
WORK = (429, 503)


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json, description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _problem(status: int) -> Json:
    codes = sorted(code for code, error in ERRORS.items() if error.status == status)
    response = _json(_ref("Problem"), f"Refused: {', '.join(codes)}")
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    if status == 401:
        response["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return response


def _operation(
    settings: Settings,
    name: str,
    summary: str,
    tag: str,
    answers: Json,
    *refusals: int,
    open_to_all: bool = False,
    locked: bool = False,
) -> Json:
    guarded = (401,) if locked or (settings.http_token and not open_to_all) else ()
    responses = dict(answers)
    for status in sorted({*EVERYWHERE, *guarded, *refusals}):
        responses.setdefault(str(status), _problem(status))
    operation: Json = {"operationId": name, "summary": summary, "tags": [tag], "responses": responses}
    if locked:
        operation["security"] = [{"bundles": []}]
    elif settings.http_token:
        operation["security"] = [] if open_to_all else [{"token": []}]
    return operation


def _form(*files: str) -> Json:
    properties: Json = {name: {"type": "string", "format": "binary"} for name in files}
    if "audio" in files:
        properties["session"] = {"type": "string", "pattern": SESSION_PATTERN}
        properties["language"] = {"type": "string", "enum": ["zh", "en"]}
    one_of = [{"required": [name], "not": {"required": [o for o in files if o != name]}} for name in files]
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    schema |= {"oneOf": one_of} if len(files) > 1 else {"required": list(files)}
    kinds = {"image": IMAGE_TYPES, "audio": AUDIO_TYPES}
    return {"schema": schema, "encoding": {name: {"contentType": ", ".join(kinds[name])} for name in files}}


def _binary(description: str) -> Json:
    return {"schema": {"type": "string", "format": "binary", "description": description}}


def _body(settings: Settings, *kinds: str) -> Json:
    content: Json = {}
    if "json" in kinds:
        content["application/json"] = {"schema": _ref("TurnIn"), "examples": _EXAMPLES}
    size = f"{settings.max_image_bytes} bytes and {settings.max_image_pixels} pixels"
    for media in IMAGE_TYPES:
        content[media] = _binary(f"An image of at most {size}")
    if "audio" in kinds:
        for media in AUDIO_TYPES[:2]:
            content[media] = _binary(f"A WAV recording of at most {settings.max_audio_seconds:g} seconds")
    form = "TurnForm" if "audio" in kinds else "OcrForm"
    said = f"A file goes as the body itself, or in a form: `#/components/requestBodies/{form}`"
    return {"required": True, "description": said, "content": content}


# The forms stand among the components and not in the operations: JSON Schema cannot say "a file that is an image" of a
# part of a form, so a tool that makes requests from this document would count the refusal of random bytes as a defect.
FORMS: Json = {
    name: {
        "description": f"Body of {route} with one file in a form",
        "required": True,
        "content": {"multipart/form-data": _form(*files)},
    }
    for name, route, files in (
        ("TurnForm", "POST /v1/turns", ("image", "audio")),
        ("OcrForm", "POST /v1/ocr", ("image",)),
    )
}


_EXAMPLES: Json = {
    "typed": {"summary": "A typed question", "value": {"text": "洗衣液在哪个货架"}},
    "tapped": {"summary": "A tapped chip", "value": {"text": "我要退货", "source": "tap", "intent": "return_exchange"}},
    "scanned": {
        "summary": "A scanned barcode",
        "value": {
            "text": "SF1392847561002",
            "source": "barcode",
            "entities": [{"type": "tracking_no", "value": "SF1392847561002"}],
        },
    },
}

LANGUAGE: Json = {
    "name": "language",
    "in": "query",
    "description": "Language to answer in, unless the body names one",
    "schema": {"type": "string", "enum": ["zh", "en"], "default": "zh"},
}
SESSION: Json = {
    "name": "session",
    "in": "query",
    "description": "Session of an earlier answer, unless the body names one",
    "schema": {"type": "string", "pattern": SESSION_PATTERN},
}

DETAIL: Json = {
    "name": "detail",
    "in": "query",
    "description": "`characters` adds each character's confidence and what else it may be to every line",
    "schema": {"type": "string", "enum": list(DETAILS), "default": DETAILS[0]},
}


def _deadline(settings: Settings) -> Json:
    most = int(settings.deadline_s * 1000)
    return {
        "name": "deadline_ms",
        "in": "query",
        "description": "Milliseconds after which the reading of an image ends with what is known so far (`partial`); "
        "text and recordings take no notice of it. When not one line was read by then, the answer is 503 "
        "`deadline_exceeded` without Retry-After: waiting does not help, allowing more milliseconds does",
        "schema": {"type": "integer", "minimum": SHORTEST_MS, "maximum": most},
    }


def _streamed(answer: Json, result: str) -> Json:
    """`answer` also as events, for an image and `Accept: text/event-stream`."""
    said = (
        "For an image and `Accept: text/event-stream`. Events in this order, each with JSON data: `found` (`Found`), "
        f"`line` (`OcrLine` with its `index`) for each line as soon as it is read, `result` (`{result}`) or `error` "
        "(`StreamProblem`); comments in between keep the connection alive. `restart` (an empty object) takes back what "
        "was told so far: the reader failed and another begins anew, with its own `found` and lines from index 0. "
        "What goes wrong before anything was found is answered with its plain status. Closing the connection, or only "
        "its sending half, stops the reading; so it does for an answer in one piece."
    )
    content = answer["200"]["content"] | {"text/event-stream": {"schema": {"type": "string", "description": said}}}
    return {"200": answer["200"] | {"content": content}}


def _paths(settings: Settings) -> Json:
    def op(name: str, summary: str, tag: str, answers: Json, *refusals: int, **who: bool) -> Json:
        return _operation(settings, name, summary, tag, answers, *refusals, **who)

    def ok(schema: str, description: str) -> Json:
        return {"200": _json(_ref(schema), description)}

    state = {"200": _json(_ref("Ready"), "Every required feature serves"), "503": _json(_ref("Ready"), "Not ready yet")}
    stream = {
        "200": {
            "description": "Events `state` (at once and on change) and `heartbeat`; never a customer's words. Without "
            "`Accept: text/event-stream` the stream ends after some seconds.",
            "content": {"text/event-stream": {}},
        }
    }
    text = {"200": {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    turns = op(
        "postTurn",
        "Answer a text, image or audio turn",
        "turns",
        _streamed(ok("Reply", "The answer"), "Reply"),
        *BODY,
        *WORK,
    )
    turns |= {"parameters": [SESSION, LANGUAGE, _deadline(settings)], "requestBody": _body(settings, "json", "audio")}
    ocr = op(
        "postOcr", "Read an image", "turns", _streamed(ok("OcrResult", "What was read"), "OcrResult"), *BODY, *WORK
    )
    greeting = op("getGreeting", "What a page shows first", "turns", ok("Greeting", "Words and chips"), 422)
    suggestions = op(
        "postSuggestions", "Complete what is being typed", "turns", ok("Suggestions", "Best first; may be none"), *BODY
    )
    suggestions["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref("TypedIn")}}}
    end = op("deleteSession", "Forget a session", "turns", {"204": {"description": "Forgotten"}}, 404, 422)
    session = SESSION | {"in": "path", "required": True, "description": "Session of an earlier answer"}
    status = op("getStatus", "Version, queues, limits, features", "operators", ok("Status", "Status"))
    log = op("getLog", "The log's level and last lines", "operators", ok("Log", "The log"))
    louder = op("putLog", "Log more, or less, for a while", "operators", ok("LogLevel", "In force"), *BODY)
    louder["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref("LogIn")}}}
    health = op("getHealth", "Alive", "operators", ok("Health", "Alive"), open_to_all=True)
    bundles = op(
        "getBundles", "Which bundle serves, and which keys count", "operators", ok("Bundles", "Now"), 503, locked=True
    )
    taken = {"202": _json(_ref("BundleTaken"), "Whole, trusted and suitable; it is installed by and by")}
    bring = op("postBundle", "Bring an update", "operators", taken, *BODY, 409, 503, locked=True)
    bring["requestBody"] = {
        "required": True,
        "content": {MEDIA: _binary(f"A bundle, of at most {settings.bundle_max_mb} MB of files")},
    }
    return {
        "/v1/bundles": {"get": bundles, "post": bring},
        "/v1/turns": {"post": turns},
        "/v1/ocr": {"post": ocr | {"parameters": [_deadline(settings), DETAIL], "requestBody": _body(settings)}},
        "/v1/sessions/{session}": {"delete": end | {"parameters": [session]}},
        "/v1/suggestions": {"post": suggestions},
        "/v1/greeting": {"get": greeting | {"parameters": [LANGUAGE]}},
        **openapi_voice.paths(op),
        **openapi_camera.paths(op),
        **openapi_technician.paths(op),
        **openai_document.paths(settings, op),
        "/v1/status": {"get": status},
        "/v1/log": {"get": log, "put": louder},
        "/v1/events": {"get": op("getEvents", "State as server-sent events", "operators", stream, 503)},
        "/healthz": {"get": health},
        "/readyz": {"get": op("getReady", "Each feature's state, backend and reason", "operators", state)},
        "/metrics": {"get": op("getMetrics", "Metrics", "operators", text)},
        "/openapi.json": {
            "get": op("getOpenapi", "This document", "operators", {"200": _json({"type": "object"}, "OpenAPI 3.1")})
        },
    }


def document(settings: Settings, vocabulary: tuple[Sequence[str], Sequence[str]] = ((), ())) -> Json:
    """The whole document for these settings and the pack's `vocabulary` (intents, entity types)."""
    asked = request_schemas(settings.max_text_chars, *vocabulary)
    components: Json = {
        "schemas": asked
        | SCHEMAS
        | openapi_voice.SCHEMAS
        | openapi_camera.SCHEMAS
        | openapi_technician.SCHEMAS
        | openai_document.schemas(settings),
        "requestBodies": FORMS,
    }
    bearer = {"type": "http", "scheme": "bearer"}
    components["securitySchemes"] = {
        "bundles": bearer | {"description": "The setting bundle_token, or http_token where that is empty"},
        **({"token": bearer} if settings.http_token else {}),
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Edge inference appliance",
            "version": __version__,
            "description": "Hears, reads, understands and answers on a kiosk, offline, Chinese first.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "turns", "description": "What customers do"},
            {"name": "voice", "description": "What customers say, while they say it"},
            {"name": "camera", "description": "What customers show to the appliance's own camera"},
            {"name": "openai", "description": "The same for clients of OpenAI's audio interface"},
            {"name": "technician", "description": "The service page at the kiosk's screen, behind a PIN"},
            {"name": "operators", "description": "What operators and probes ask"},
        ],
        "paths": _paths(settings),
        "components": components,
    }
