"""JSON schemas of the answers, strict enough that a test can check every real answer against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from appliance.channels.http.schemas import ListenIn, TurnIn, TypedIn
from appliance.errors import ERRORS

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}
RATIO: Json = {"type": "number", "minimum": 0, "maximum": 1}
LANGUAGE: Json = {"type": "string", "enum": ["zh", "en"]}
TIMINGS: Json = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}


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


SCHEMAS: dict[str, Json] = {
    "Problem": _object(
        "What went wrong and what to do, Chinese first and English beside it",
        ("error_id",),
        code={"type": "string", "enum": sorted(ERRORS)},
        message=TEXT,
        remedy=TEXT,
        error_id={"type": "string", "description": "Names the log entry of a defect"},
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
        ("error_id", "retry_after"),
        status={"type": "integer", "minimum": 400, "maximum": 599},
        code={"type": "string", "enum": sorted(ERRORS)},
        message=TEXT,
        remedy=TEXT,
        retry_after={"type": "integer", "minimum": 1},
        error_id=TEXT,
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
        engine=TEXT,
        timings_ms=TIMINGS,
    ),
    "Word": _object("One word heard", text=TEXT, start=NUMBER, end=NUMBER, confidence=RATIO),
    "Segment": _object("A stretch of speech, in seconds", start=NUMBER, end=NUMBER),
    "Transcript": _object(
        "What was heard",
        text=TEXT,
        confidence=RATIO,
        language=LANGUAGE,
        words=_list(_ref("Word")),
        segments=_list(_ref("Segment")),
        engine=TEXT,
        seconds=NUMBER,
        timings_ms=TIMINGS,
    ),
    "Reply": _object(
        "A finished turn",
        ("ocr", "transcript"),
        session=TEXT,
        turn=_ref("Turn"),
        parse=_ref("Parse"),
        answer=_ref("Answer"),
        timings_ms=TIMINGS,
        backends={"type": "object", "additionalProperties": TEXT},
        ocr=_ref("OcrResult"),
        transcript=_ref("Transcript"),
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
        [(TurnIn, "validation"), (TypedIn, "validation"), (ListenIn, "validation")],
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
