"""Schemas of what the appliance says of itself: readiness, log, status, bundles and greeting."""

from __future__ import annotations

from appliance.channels.http.openapi_device import DEVICE
from appliance.channels.http.openapi_forms import COUNT, LANGUAGE, NUMBER, TEXT, Json, array, or_null, record, ref
from appliance.logs import LEVELS

STATE: dict[str, Json] = {
    "Feature": record(
        "State of one ability",
        name=TEXT,
        state={"type": "string", "enum": ["ready", "fallback", "off", "failed"]},
        backend=TEXT,
        reason={"type": "string", "description": "Why, one statement a line: `subject: 中文 / English`"},
        required={"type": "boolean"},
        models=array(TEXT),
        languages=array(LANGUAGE),
    ),
    "Ready": record("Readiness", ready={"type": "boolean"}, features=array(ref("Feature"))),
    "LogLevel": record(
        "How loud the log is",
        level={"type": "string", "enum": list(LEVELS)},
        usual={"type": "string", "enum": list(LEVELS), "description": "What the settings say"},
        returns_in_s=or_null(NUMBER | {"description": "Seconds until the usual level is back"}),
        left_out=COUNT | {"description": "Lines that were counted and not written, because too many were alike"},
    ),
    "Log": record(
        "How loud the log is, and its last lines, oldest first; none of them holds a customer's words",
        level={"type": "string", "enum": list(LEVELS)},
        usual={"type": "string", "enum": list(LEVELS)},
        returns_in_s=or_null(NUMBER),
        left_out=COUNT,
        lines=array({"type": "object", "required": ["ts", "mono", "level", "logger", "message"]}),
    ),
    "Health": record("Liveness", status={"const": "alive"}),
    "Status": {
        "type": "object",
        "description": "Version, pack, uptime, queue depths, limits, models and features",
        "properties": {
            "ready": {"type": "boolean"},
            "features": array(ref("Feature")),
            "networks": array(
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
                    "steps": array({"type": "object", "required": ["ago_s", "before", "after", "cause", "reason"]}),
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
                    "named": {"type": "object", "additionalProperties": array(TEXT)},
                    "opened": {"type": ["array", "null"], "items": TEXT},
                    "closed": array(TEXT),
                    "stale": array(TEXT),
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
    "Bundle": record(
        "A bundle that is installed",
        id=TEXT,
        title=TEXT,
        version=COUNT,
        created=TEXT,
        models=array(TEXT),
        pack={"type": "boolean"},
    ),
    "BundleTaken": record("A bundle that will be installed", id=TEXT, version=COUNT, title=TEXT),
    "Bundles": record(
        "`current` serves, unless `trial` is trying to take over; `bad` did not serve, with why; `floor` is the newest "
        "version that has; `refused` says why the last one in the inbox was not taken",
        current=or_null(ref("Bundle")),
        previous=or_null(ref("Bundle")),
        trial=or_null(ref("Bundle")),
        attempts=COUNT,
        floor=COUNT,
        bad={"type": "object", "additionalProperties": TEXT},
        keys=array(record("A key", id=TEXT, title=TEXT, roles=array(TEXT), revoked={"type": "boolean"})),
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
            "suggestions": array({"type": "object"}),
            "asks": {
                "type": "object",
                "description": "Entity types that fill each slot that a flow asks for: which keyboard suits an answer",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": array({"type": "string"}),
                },
            },
        },
    },
}
"""Schemas of what is told of the appliance, by name."""
