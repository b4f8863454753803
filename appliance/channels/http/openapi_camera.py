"""The routes of the appliance's own camera in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Operation = Callable[..., Json]

TEXT: Json = {"type": "string"}
STATES = ("off", "resting", "paused", "opening", "watching", "covered", "absent", "busy", "refused", "lost")
PHASES = ("empty", "moving", "holding", "read", "reading")

SCHEMAS: dict[str, Json] = {
    "Camera": {
        "type": "object",
        "description": "The appliance's own camera",
        "properties": {
            "state": {"type": "string", "enum": list(STATES)},
            "device": TEXT | {"description": "What it calls itself"},
            "node": TEXT | {"description": "Where it is plugged in now"},
            "format": TEXT | {"description": "Four characters, as it says"},
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "fps": {"type": "number", "description": "Pictures a second that it makes, as it says"},
            "reason": TEXT | {"description": "What is wrong and what to do"},
            "retries": {"type": "integer", "description": "Attempts to open it since it worked last"},
            "frames": {"type": "integer", "description": "Pictures looked at since the start"},
            "rate": {"type": "number", "description": "Pictures a second that are looked at, at most"},
            "watches": {"type": "boolean", "description": "Whether a document is read without being asked for"},
            "phase": {"type": "string", "enum": list(PHASES), "description": "What is with a document in view"},
            "light": {"type": "string", "enum": ["", "good", "dark", "bright", "flat"]},
        },
        "required": ["state"],
    }
}
"""Schemas of everything that these routes answer, by name."""

EVENTS = (
    "Events, each with JSON data: `state` (state, phase, light; at once and on change), `reply` (`Reply`) for a "
    "document that was shown, unless the conversation at the microphone tells it, `error` (`Problem`). They carry what "
    "a customer shows: this stream is for the kiosk's own screen."
)


def _json(name: str, description: str) -> Json:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"description": description, "content": content}


def _media(kind: str, description: str) -> Json:
    return {"200": {"description": description, "content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


def paths(op: Operation) -> Json:
    """The paths, by `op(name, summary, tag, answers, *refusals)`."""
    asked: Json = {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ListenIn"}}},
    }
    body = (408, 413, 415, 422)
    state = {"200": _json("Camera", "State")}
    events = {"200": {"description": EVENTS, "content": {"text/event-stream": {}}}}
    attend = op("postCameraAttend", "Whose is what is shown", "camera", {"202": _json("Camera", "Noted")}, 404, *body)
    look = op(
        "postCameraLook",
        "Answer the sharpest picture of the next second",
        "camera",
        {"200": _json("Reply", "The answer")},
        404,
        *body,
        429,
        503,
    )
    picture = op("getCameraPicture", "What it sees", "camera", _media("image/jpeg", "A small JPEG"), 404, 503)
    view = op(
        "getCameraView",
        "What it sees, for aiming; ends after some minutes",
        "camera",
        _media("multipart/x-mixed-replace", "JPEG pictures, each replacing the one before"),
        404,
        503,
    )
    return {
        "/v1/camera": {"get": op("getCamera", "The camera's state", "camera", state)},
        "/v1/camera/events": {"get": op("getCameraEvents", "What it sees as it goes", "camera", events, 404, 503)},
        "/v1/camera/attend": {"post": attend | {"requestBody": asked}},
        "/v1/camera/look": {"post": look | {"requestBody": asked}},
        "/v1/camera/picture": {"get": picture},
        "/v1/camera/view": {"get": view},
    }
