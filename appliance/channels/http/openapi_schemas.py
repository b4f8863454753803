"""JSON schemas of the answers, strict enough that a test can check every real answer against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from appliance.channels.http.schemas import ListenIn, LogIn, TurnIn, TypedIn
from appliance.errors import ERRORS
from appliance.logs import LEVELS

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
RATIO: Json = {"type": "number", "minimum": 0, "maximum": 1}
LANGUAGE: Json = {"type": "string", "enum": ["zh", "en"]}
TIMINGS: Json = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
REQUEST_ID: Json = {
    "type": "string",
    "description": "The request's X-Request-Id, as in the answer's header and in the log: the client's own if it is "
    "a UUID, a ULID, a traceparent, or 32 or 64 hexadecimal digits, else a new one",
}


JOULES: Json = {"$ref": "#/components/schemas/Joules"}
WATTS: Json = {"anyOf": [{"type": "number"}, {"type": "null"}]}

# What the models say in a validator of their own: no NUL; for a turn's text, something beside white space.
PRINTABLE = r"^[^\u0000]*$"
SAYING = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(description: str, optional: tuple[str, ...] = (), /, **properties: Json) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


DEVICE: Json = {
    "type": "object",
    "description": "The machine: what of it is measured, and nothing in place of what is not. `mode` and what follows "
    "are there only where it is looked at",
    "properties": {
        "board": _object(
            "What it is; `none` and empty off a Jetson", model=TEXT, family=TEXT, module=TEXT, l4t=TEXT, jetpack=TEXT
        ),
        "power": _object(
            "Power of what `source` names; `covers` says what is in it and what is not",
            measured={"type": "boolean"},
            source=TEXT,
            covers=_object("The same in words", zh=TEXT, en=TEXT),
            watts=WATTS,
            mean_10s_watts=WATTS,
            idle_watts=WATTS | {"description": "What it draws while nothing runs"},
            failures=COUNT | {"description": "Readings in a row that failed"},
            reason=TEXT,
        ),
        "energy": _object(
            "Where all energy went that was measured: the idle board, the work, and what others drew beside it",
            idle_j=NUMBER,
            shared_j=NUMBER,
            rest_j=NUMBER,
            seconds=NUMBER,
        ),
        "alarms_seen": _list(_object("Alarms since the start", kind=TEXT, name=TEXT, count=COUNT)),
        "look_age_s": WATTS
        | {"description": "Seconds since the latest look, more while a bus hangs; null without any"},
        "mode": _object("The power mode by name", now=TEXT, default=TEXT, names=_list(TEXT), reason=TEXT),
        "rails": {
            "type": "object",
            "description": "Some are parts of others: only `power` is the whole",
            "additionalProperties": _object(
                "One rail", volts=NUMBER, amperes=NUMBER, watts=NUMBER, warning_amperes=WATTS, critical_amperes=WATTS
            ),
        },
        "unread": {
            "type": "object",
            "description": "Rails that could not be read, and why",
            "additionalProperties": TEXT,
        },
        "celsius": {"type": "object", "description": "Degrees by thermal zone", "additionalProperties": NUMBER},
        "zones_off": _list(TEXT),
        "hottest_c": WATTS | {"description": "null when no zone could be read, which is no reason to be calm"},
        "gpu": _or_null(_object("The GPU; load 0 to 1", load=WATTS, megahertz=WATTS, most_megahertz=WATTS)),
        "megahertz": {"type": "object", "description": "Clock by cores", "additionalProperties": NUMBER},
        "alarms": _object(
            "What is amiss at this moment; `events` count since the board's start",
            over=_list(TEXT),
            throttled=_list(TEXT),
            events={"type": "object", "additionalProperties": COUNT},
            unread=_list(TEXT),
        ),
    },
    "required": ["board", "power", "energy", "alarms_seen", "look_age_s"],
    "additionalProperties": False,
}

SCHEMAS: dict[str, Json] = {
    "Problem": _object(
        "What went wrong and what to do, Chinese first and English beside it",
        ("error_id", "request_id"),
        code={"type": "string", "enum": sorted(ERRORS)},
        message=TEXT,
        remedy=TEXT,
        error_id={"type": "string", "description": "Names the log entry of a defect"},
        request_id=REQUEST_ID,
    ),
    "Intent": _object("What the customer wants", name=TEXT, confidence=RATIO),
    "Entity": _object(
        "A typed piece of text with its value; start and end are characters of turn.text",
        type=TEXT,
        text=TEXT,
        value=TEXT,
        start=COUNT,
        end=COUNT,
        confidence=RATIO,
        source=TEXT,
        detail={"type": "object", "additionalProperties": TEXT},
    ),
    "Parse": _object(
        "What the turn means",
        intent=_ref("Intent"),
        entities=_list(_ref("Entity")),
        alternatives=_list(_ref("Intent")),
        clean=TEXT,
        language=LANGUAGE,
        source=TEXT,
        sentiment=_or_null(_ref("Sentiment")),
        faq=_list(_ref("FaqMatch")),
        models=_list(TEXT),
        timings_ms={"type": "object", "additionalProperties": NUMBER},
    ),
    "Sentiment": _object(
        "How the customer feels; null where no network serves",
        name={"type": "string", "enum": ["neg", "neu", "pos"]},
        confidence=RATIO,
    ),
    "FaqMatch": _object(
        "A frequent question that the turn may be; `words` and `meaning` are the likenesses behind its confidence",
        id=TEXT,
        confidence=RATIO,
        way=TEXT,
        words=RATIO,
        meaning={"type": "number", "minimum": -1, "maximum": 1},
    ),
    "Suggestion": _object("Something to tap next", label=TEXT, text=TEXT, intent=_or_null(TEXT)),
    "Suggestions": _object("What may be meant, best first", suggestions=_list(_ref("Suggestion"))),
    "Answer": _object(
        "What the kiosk says",
        text=TEXT,
        language=LANGUAGE,
        suggestions=_list(_ref("Suggestion")),
        outcome={"type": "string", "enum": ["resolved", "handed_over", "abandoned", "not_understood", "pending"]},
        flow=_or_null(TEXT),
        expects=_or_null(TEXT),
        data={"type": "object"},
    ),
    "Turn": _object(
        "The turn as it entered",
        text=TEXT,
        source={"type": "string", "enum": ["text", "tap", "image", "audio", "barcode"]},
        language=LANGUAGE,
        confidence=RATIO,
        partial={"type": "boolean", "description": "True for an image of which only part was read in time"},
    ),
    "OcrLine": _object(
        "One line of text; its characters one by one only with detail=characters, none where the reader tells none",
        ("characters", "index"),
        index=COUNT | {"description": "Only in a streamed `line`: its place among the lines, from 0"},
        text=TEXT,
        confidence=RATIO,
        box={
            "type": "array",
            "description": "Four corners (x, y) in pixels of the photo after its EXIF orientation, clockwise from "
            "where the text begins: a line of a turned page begins elsewhere than at its top left",
            "items": {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2},
            "minItems": 4,
            "maxItems": 4,
        },
        characters=_list(_ref("Character")),
    ),
    "Found": _object("Streamed before the first line", lines=COUNT),
    "StreamProblem": _object(
        "Streamed in place of a result: what the plain answer would have said",
        ("error_id", "retry_after", "request_id"),
        status={"type": "integer", "minimum": 400, "maximum": 599},
        code={"type": "string", "enum": sorted(ERRORS)},
        message=TEXT,
        remedy=TEXT,
        retry_after={"type": "integer", "minimum": 1},
        error_id=TEXT,
        request_id=REQUEST_ID,
    ),
    "Joules": _object(
        "Energy above the idle board's; there only where power is measured. null where less than half of it was "
        "measured by the end of the work: the exact figure follows in the metrics",
        total=WATTS,
        stages={"type": "object", "additionalProperties": WATTS},
        net={"type": "boolean", "description": "Whether the idle board's power is taken off; not in the first seconds"},
        source=TEXT | {"description": "What is measured, such as VDD_IN: the module's input, not what the wall gives"},
    ),
    "Character": _object(
        "One character of a line and what else it may be, best first",
        text=TEXT,
        confidence=RATIO,
        alternatives=_list(_object("Another reading", text=TEXT, confidence=RATIO)),
    ),
    "OcrResult": _object(
        "Everything read in one image; width, height and boxes are in pixels of the photo as displayed: after its "
        "EXIF orientation, not turned by `angle`",
        ("joules",),
        text=TEXT,
        confidence=RATIO,
        lines=_list(_ref("OcrLine")),
        width=COUNT,
        height=COUNT,
        angle={
            "type": "integer",
            "enum": [0, 90, 180, 270],
            "description": "Degrees clockwise by which the page stands turned in the photo; boxes are not turned by it",
        },
        partial={"type": "boolean", "description": "True when the deadline came before the last line"},
        unread=COUNT | {"description": "Lines found but not read"},
        reduced={
            "type": "boolean",
            "description": "True when less detail was looked at than usual, to save power: small print may be missing",
        },
        engine=TEXT,
        timings_ms=TIMINGS,
        joules=JOULES,
    ),
    "Word": _object("One word heard", text=TEXT, start=NUMBER, end=NUMBER, confidence=RATIO),
    "Segment": _object("A stretch of speech, in seconds", start=NUMBER, end=NUMBER),
    "Transcript": _object(
        "What was heard",
        ("joules",),
        text=TEXT,
        confidence=RATIO,
        language=LANGUAGE,
        words=_list(_ref("Word")),
        segments=_list(_ref("Segment")),
        engine=TEXT,
        seconds=NUMBER,
        timings_ms=TIMINGS,
        joules=JOULES,
    ),
    "Reply": _object(
        "A finished turn",
        ("ocr", "transcript", "joules"),
        session=TEXT,
        turn=_ref("Turn"),
        parse=_ref("Parse"),
        answer=_ref("Answer"),
        timings_ms=TIMINGS,
        backends={"type": "object", "additionalProperties": TEXT},
        ocr=_ref("OcrResult"),
        transcript=_ref("Transcript"),
        joules=JOULES,
    ),
    "Feature": _object(
        "State of one ability",
        name=TEXT,
        state={"type": "string", "enum": ["ready", "fallback", "off", "failed"]},
        backend=TEXT,
        reason={"type": "string", "description": "Why, one statement a line: `subject: 中文 / English`"},
        required={"type": "boolean"},
        models=_list(TEXT),
        languages=_list(LANGUAGE),
    ),
    "Ready": _object("Readiness", ready={"type": "boolean"}, features=_list(_ref("Feature"))),
    "LogLevel": _object(
        "How loud the log is",
        level={"type": "string", "enum": list(LEVELS)},
        usual={"type": "string", "enum": list(LEVELS), "description": "What the settings say"},
        returns_in_s=_or_null(NUMBER | {"description": "Seconds until the usual level is back"}),
        left_out=COUNT | {"description": "Lines that were counted and not written, because too many were alike"},
    ),
    "Log": _object(
        "How loud the log is, and its last lines, oldest first; none of them holds a customer's words",
        level={"type": "string", "enum": list(LEVELS)},
        usual={"type": "string", "enum": list(LEVELS)},
        returns_in_s=_or_null(NUMBER),
        left_out=COUNT,
        lines=_list({"type": "object", "required": ["ts", "mono", "level", "logger", "message"]}),
    ),
    "Health": _object("Liveness", status={"const": "alive"}),
    "Status": {
        "type": "object",
        "description": "Version, pack, uptime, queue depths, limits, models and features",
        "properties": {
            "ready": {"type": "boolean"},
            "features": _list(_ref("Feature")),
            "networks": _list(
                {
                    "description": "`network` is computed by `name`; `fallback` says why by nothing better",
                    "type": "object",
                    "required": ["network", "name", "fallback"],
                }
            ),
            "device": DEVICE,
            "governor": {
                "description": "What keeps power and heat: `level` 0 is everything, `deepest` the least, one more "
                "refuses all but words and touch; `power` is null where no budget is kept, `knobs` say how each is "
                "set, and `next_up_s` how much calm is still wanted",
                "type": "object",
                "required": ["on", "watching", "level", "deepest", "refusing", "reason", "steps", "limits", "knobs"],
                "properties": {
                    "on": {"type": "boolean"},
                    "watching": {"type": "boolean"},
                    "level": COUNT,
                    "deepest": COUNT,
                    "refusing": {"type": "boolean"},
                    "cause": TEXT,
                    "reason": TEXT,
                    "problem": TEXT,
                    "since_s": NUMBER,
                    "downs": COUNT,
                    "ups": COUNT,
                    "next_up_s": {"type": ["number", "null"]},
                    "steps": _list({"type": "object", "required": ["ago_s", "before", "after", "cause", "reason"]}),
                    "limits": {"type": "object", "additionalProperties": NUMBER},
                    "power": {"type": ["object", "null"], "additionalProperties": NUMBER},
                    "knobs": {"type": "object", "additionalProperties": TEXT},
                },
            },
            "service": {
                "description": "Who supervises the process, and which networks the settings name (with the settings) "
                "against those that the systemd unit opens: `opened` is null outside of it, where nothing is shut",
                "type": "object",
                "properties": {
                    "supervised": {"type": "boolean"},
                    "watchdog_s": {"type": ["number", "null"]},
                    "named": {"type": "object", "additionalProperties": _list(TEXT)},
                    "opened": {"type": ["array", "null"], "items": TEXT},
                    "closed": _list(TEXT),
                    "stale": _list(TEXT),
                    "ok": {"type": "boolean"},
                    "problem": TEXT,
                    "remedy": TEXT,
                },
                "required": [
                    "supervised",
                    "watchdog_s",
                    "named",
                    "opened",
                    "closed",
                    "stale",
                    "ok",
                    "problem",
                    "remedy",
                ],
            },
        },
        "required": ["ready", "features"],
    },
    "Bundle": _object(
        "A bundle that is installed",
        id=TEXT,
        title=TEXT,
        version=COUNT,
        created=TEXT,
        models=_list(TEXT),
        pack={"type": "boolean"},
    ),
    "BundleTaken": _object("A bundle that will be installed", id=TEXT, version=COUNT, title=TEXT),
    "Bundles": _object(
        "`current` serves, unless `trial` is trying to take over; `bad` did not serve, with why; `floor` is the newest "
        "version that has; `refused` says why the last one in the inbox was not taken",
        current=_or_null(_ref("Bundle")),
        previous=_or_null(_ref("Bundle")),
        trial=_or_null(_ref("Bundle")),
        attempts=COUNT,
        floor=COUNT,
        bad={"type": "object", "additionalProperties": TEXT},
        keys=_list(_object("A key", id=TEXT, title=TEXT, roles=_list(TEXT), revoked={"type": "boolean"})),
        problem=TEXT,
        inbox=COUNT,
        refused=TEXT,
    ),
    "Greeting": {
        "type": "object",
        "description": "Title, welcome words and suggestions of the pack, and how long the page waits for people",
        "properties": {
            "title": {"type": "string"},
            "welcome": {"type": "string"},
            "idle_s": {"type": "number", "description": "Seconds without a touch until the page is wiped"},
            "forget_s": {"type": "number", "description": "Seconds until the process forgets an unused session itself"},
            "attract_s": {"type": "number", "description": "Seconds of nobody until the page invites; 0 never"},
            "suggestions": _list({"type": "object"}),
            "asks": {
                "type": "object",
                "description": "Entity types that fill each slot that a flow asks for: which keyboard suits an answer",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": _list({"type": "string"}),
                },
            },
        },
    },
}
"""Schemas of everything that is answered, by name."""


def request_schemas(
    max_text_chars: int, intents: Sequence[str] = (), entity_types: Sequence[str] = ()
) -> dict[str, Json]:
    """Schemas of what is asked, from the models that check it; `intents` and `entity_types` are those of the pack."""
    _, definitions = models_json_schema(
        [(TurnIn, "validation"), (TypedIn, "validation"), (ListenIn, "validation"), (LogIn, "validation")],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Json] = definitions["$defs"]
    schemas["TurnIn"]["properties"]["text"] |= {"maxLength": max_text_chars, "pattern": SAYING}
    schemas["TypedIn"]["properties"]["text"]["pattern"] = PRINTABLE
    entity = schemas["EntityIn"]["properties"]
    for text in (entity["value"], *(kind for kind in entity["text"]["anyOf"] if kind["type"] == "string")):
        text["pattern"] = PRINTABLE
    if intents:
        given = next(kind for kind in schemas["TurnIn"]["properties"]["intent"]["anyOf"] if kind["type"] == "string")
        given["enum"] = sorted(intents)
        del given["pattern"]
    if entity_types:
        entity["type"]["enum"] = sorted(entity_types)
        del entity["type"]["pattern"]
    return schemas
