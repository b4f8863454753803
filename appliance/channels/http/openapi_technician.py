"""The routes of the service page in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic.json_schema import models_json_schema

from appliance.channels.http.technician_schemas import EntryIn, ReportIn, SoundIn

Json = dict[str, Any]
Operation = Callable[..., Json]

SECONDS: Json = {"type": "integer", "minimum": 0}


def _object(description: str, **properties: Json) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS: dict[str, Json] = {
    **models_json_schema(
        [(model, "validation") for model in (EntryIn, SoundIn, ReportIn)],
        ref_template="#/components/schemas/{model}",
    )[1]["$defs"],
    "Entrance": _object(
        "How the service page is entered",
        wait_s=SECONDS | {"description": "Seconds until a PIN is looked at, after several wrong ones"},
        digits={"type": "array", "items": {"type": "integer"}, "description": "Least and most digits of a PIN"},
    ),
    "TechnicianVisit": _object(
        "An open visit to the service page",
        visit={"type": "string", "description": "Its name, for the header Technician-Visit"},
        left_s=SECONDS,
    ),
    "VisitLeft": _object("How long a visit goes on untouched", left_s=SECONDS),
    "TechnicianSummary": _object(
        "What the service page shows",
        status={"$ref": "#/components/schemas/Status"},
        voice={"$ref": "#/components/schemas/Voice"},
        machine={"type": "object", "description": "Clock, disk, memory and load; null what cannot be read"},
    ),
    "TechnicianPrinter": _object(
        "The printer as it says itself; `silent`: it is there and answers no status",
        state={"type": "string", "enum": ["off", "ready", "silent", "failed"]},
        device={"type": "string", "description": "The setting `printer`"},
        reason={"type": "string", "description": "Chinese / English"},
    ),
    "SoundPlayed": _object(
        "A test that was heard to its end",
        played_s={"type": "number", "minimum": 0},
        speaker={"type": "object", "description": "State and device of the loudspeaker"},
    ),
}
"""Schemas of what these routes take and answer, by name."""

LEVELS = (
    "Events `level` five times a second: device, rate, channels, root mean square (`level_db`) and peak (`peak_db`) in "
    "dB of full scale, losses. `over` when the visit has ended, `error` (`Problem`) when the microphone is not in use "
    "any more. The sound itself goes nowhere. Without `Accept: text/event-stream` it ends after some seconds."
)
VISIT: Json = {
    "name": "Technician-Visit",
    "in": "header",
    "description": "Name of an open visit; without it, or when it is over, the answer is 403 `visit_over`",
    "schema": {"type": "string"},
}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(name: str, description: str) -> Json:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _body(name: str) -> Json:
    return {"required": True, "content": {"application/json": {"schema": _ref(name)}}}


def paths(op: Operation) -> Json:
    """The paths, by `op(name, summary, tag, answers, *refusals)`; all are 404 without a PIN and to other machines."""
    body = (408, 413, 415, 422)

    def inside(name: str, summary: str, answers: Json, *refusals: int) -> Json:
        return op(name, summary, "technician", answers, 404, *refusals) | {"parameters": [VISIT]}

    done = {"204": {"description": "Done"}}
    entrance = {"200": _json("Entrance", "A PIN may be typed")}
    opened = {"201": _json("TechnicianVisit", "Open; the one before it is over, and so is the customer's session")}
    enter = op("postTechnicianVisit", "Enter the service page with the PIN", "technician", opened, 404, *body, 429)
    levels = {"200": {"description": LEVELS, "content": {"text/event-stream": {}}}}
    sound = inside("postTechnicianSound", "Try the loudspeaker", {"200": _json("SoundPlayed", "Heard")}, *body, 503)
    told = {"200": _json("TechnicianPrinter", "As it was before anything was printed")}
    report = inside("postTechnicianReport", "Write what was found into the log", done, *body)
    return {
        "/v1/technician": {
            "get": op("getTechnician", "Whether the service page can be entered", "technician", entrance, 404)
        },
        "/v1/technician/visits": {"post": enter | {"requestBody": _body("EntryIn")}},
        "/v1/technician/visit": {"delete": inside("deleteTechnicianVisit", "Leave the service page", done)},
        "/v1/technician/touch": {
            "post": inside("postTechnicianTouch", "Somebody is there", {"200": _json("VisitLeft", "Noted")})
        },
        "/v1/technician/summary": {
            "get": inside(
                "getTechnicianSummary", "Everything to look at", {"200": _json("TechnicianSummary", "Now")}, 503
            )
        },
        "/v1/technician/microphone": {
            "get": inside("getTechnicianMicrophone", "Level of the kiosk's microphone", levels, 503)
        },
        "/v1/technician/sound": {"post": sound | {"requestBody": _body("SoundIn")}},
        "/v1/technician/printer": {
            "get": inside("getTechnicianPrinter", "State of the printer", told),
            "post": inside("postTechnicianPrinter", "Print a slip that tests the printer", told, 503),
        },
        "/v1/technician/report": {"post": report | {"requestBody": _body("ReportIn")}},
    }
