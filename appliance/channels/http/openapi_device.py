"""The schema of the machine as the status tells of it: power, heat, clocks and what is amiss."""

from __future__ import annotations

from appliance.channels.http.openapi_forms import COUNT, NUMBER, TEXT, WATTS, Json, array, or_null, record

DEVICE: Json = {
    "type": "object",
    "description": "The machine: what of it is measured, and nothing in place of what is not. `mode` and what follows "
    "are there only where it is looked at",
    "properties": {
        "board": record(
            "What it is; `none` and empty off a Jetson", model=TEXT, family=TEXT, module=TEXT, l4t=TEXT, jetpack=TEXT
        ),
        "power": record(
            "Power of what `source` names; `covers` says what is in it and what is not",
            measured={"type": "boolean"},
            source=TEXT,
            covers=record("The same in words", zh=TEXT, en=TEXT),
            watts=WATTS,
            mean_10s_watts=WATTS,
            idle_watts=WATTS | {"description": "What it draws while nothing runs"},
            failures=COUNT | {"description": "Readings in a row that failed"},
            reason=TEXT,
        ),
        "energy": record(
            "Where all energy went that was measured: the idle board, the work, and what others drew beside it",
            idle_j=NUMBER,
            shared_j=NUMBER,
            rest_j=NUMBER,
            seconds=NUMBER,
        ),
        "alarms_seen": array(record("Alarms since the start", kind=TEXT, name=TEXT, count=COUNT)),
        "look_age_s": WATTS
        | {"description": "Seconds since the latest look, more while a bus hangs; null without any"},
        "mode": record("The power mode by name", now=TEXT, default=TEXT, names=array(TEXT), reason=TEXT),
        "rails": {
            "type": "object",
            "description": "Some are parts of others: only `power` is the whole",
            "additionalProperties": record(
                "One rail", volts=NUMBER, amperes=NUMBER, watts=NUMBER, warning_amperes=WATTS, critical_amperes=WATTS
            ),
        },
        "unread": {
            "type": "object",
            "description": "Rails that could not be read, and why",
            "additionalProperties": TEXT,
        },
        "celsius": {"type": "object", "description": "Degrees by thermal zone", "additionalProperties": NUMBER},
        "zones_off": array(TEXT),
        "hottest_c": WATTS | {"description": "null when no zone could be read, which is no reason to be calm"},
        "gpu": or_null(record("The GPU; load 0 to 1", load=WATTS, megahertz=WATTS, most_megahertz=WATTS)),
        "megahertz": {"type": "object", "description": "Clock by cores", "additionalProperties": NUMBER},
        "alarms": record(
            "What is amiss at this moment; `events` count since the board's start",
            over=array(TEXT),
            throttled=array(TEXT),
            events={"type": "object", "additionalProperties": COUNT},
            unread=array(TEXT),
        ),
    },
    "required": ["board", "power", "energy", "alarms_seen", "look_age_s"],
    "additionalProperties": False,
}
