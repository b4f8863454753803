"""The routes of the spoken conversation in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.channels.http.pcm import OCTETS_TYPE, PCM_TYPE, RATES
from appliance.channels.http.schemas import SESSION_PATTERN

Json = dict[str, Any]
Operation = Callable[..., Json]

TEXT: Json = {"type": "string"}
PHASES = ("idle", "listening", "thinking", "speaking")

SCHEMAS: dict[str, Json] = {
    "Voice": {
        "type": "object",
        "description": "The conversation at the kiosk's own microphone",
        "properties": {
            "mode": {"type": "string", "enum": ["off", "push", "wake"]},
            "speech": TEXT | {"description": "What speaks"},
            "phase": {"type": "string", "enum": list(PHASES)},
            "woken": {"type": "boolean", "description": "Whether it listens because the wake phrase was said"},
            "barge_in": {"type": "boolean", "description": "Whether speaking breaks off the kiosk's words"},
            "microphone": {"type": "object", "description": "State, device, level and losses of the microphone"},
            "speaker": {"type": "object", "description": "State and device of the loudspeaker"},
        },
        "required": ["mode"],
    },
    "Stream": {
        "type": "object",
        "description": "A stream of sound",
        "properties": {"stream": {"type": "string", "pattern": SESSION_PATTERN}},
        "required": ["stream"],
    },
    "StreamEvents": {
        "type": "object",
        "description": "What a piece of sound has brought",
        "properties": {"events": {"type": "array", "items": {"$ref": "#/components/schemas/StreamEvent"}}},
        "required": ["events"],
    },
    "StreamEvent": {
        "oneOf": [
            {
                "type": "object",
                "description": "The sentence in progress so far; later words may change earlier ones",
                "properties": {"type": {"const": "partial"}, "text": TEXT, "at": {"type": "number"}},
                "required": ["type", "text", "at"],
            },
            {
                "type": "object",
                "description": "A sentence that is over",
                "properties": {
                    "type": {"const": "heard"},
                    "transcript": {"$ref": "#/components/schemas/Transcript"},
                },
                "required": ["type", "transcript"],
            },
        ],
    },
}
"""Schemas of everything that these routes answer, by name."""

EVENTS = (
    "Events, each with JSON data: `state` (phase, woken, barge_in; at once and on change), `level` (peak, 0 to 1), "
    "`partial` (text, at), `reply` (`Reply`), `silence` (nobody spoke), `error` (`Problem`). They carry what a "
    "customer says: this stream is for the kiosk's own screen."
)


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str, description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def paths(op: Operation) -> Json:
    """The paths, by `op(name, summary, tag, answers, *refusals)`."""
    asked: Json = {"required": True, "content": {"application/json": {"schema": _ref("ListenIn")}}}
    name: Json = {
        "name": "stream",
        "in": "path",
        "required": True,
        "description": "Name of an open stream",
        "schema": {"type": "string", "pattern": SESSION_PATTERN},
    }
    pieces = _binary(f"Samples, 16-bit little-endian mono, {RATES[0]} to {RATES[1]} a second as `rate` says")
    now = {"202": _json("Voice", "Asked for")}
    body = (408, 413, 415, 422)

    def voice(which: str, summary: str) -> Json:
        return op(which, summary, "voice", now, 404, 503)

    listen = op("postVoiceListen", "Listen to a sentence and answer it", "voice", now, 404, *body, 503)
    events = {"200": {"description": EVENTS, "content": {"text/event-stream": {}}}}
    links = {
        which: {"operationId": which, "parameters": {"stream": "$response.body#/stream"}}
        for which in ("postPiece", "postStreamAnswer", "deleteStream")
    }
    made = {"201": _json("Stream", "Open") | {"links": links}}
    opened = op("postStream", "Open a stream of sound", "voice", made, 404, *body, 503)
    piece = op("postPiece", "Send a piece", "voice", {"200": _json("StreamEvents", "What it brought")}, 404, *body, 503)
    answer = op(
        "postStreamAnswer",
        "End a stream and answer it",
        "voice",
        {"200": _json("Reply", "The answer")},
        404,
        *body,
        429,
        503,
    )
    forget = op("deleteStream", "Forget a stream", "voice", {"204": {"description": "Forgotten"}}, 404, 422)
    return {
        "/v1/voice": {
            "get": op("getVoice", "The conversation's state", "voice", {"200": _json("Voice", "State")}, 503)
        },
        "/v1/voice/events": {"get": op("getVoiceEvents", "The conversation as it goes", "voice", events, 404, 503)},
        "/v1/voice/listen": {"post": listen | {"requestBody": asked}},
        "/v1/voice/finish": {"post": voice("postVoiceFinish", "The sentence is over")},
        "/v1/voice/cancel": {"post": voice("postVoiceCancel", "Fall silent and forget")},
        "/v1/streams": {"post": opened | {"requestBody": asked}},
        "/v1/streams/{stream}": {
            "post": piece | {"parameters": [name], "requestBody": pieces},
            "delete": forget | {"parameters": [name]},
        },
        "/v1/streams/{stream}/answer": {"post": answer | {"parameters": [name], "requestBody": asked}},
    }


def _binary(description: str) -> Json:
    schema = {"type": "string", "format": "binary", "description": description}
    return {"required": True, "content": {kind: {"schema": schema} for kind in (PCM_TYPE, OCTETS_TYPE)}}
