"""The board as status, metrics and `appliance power` show it: plain JSON, out of memory, waiting for no sensor."""

from __future__ import annotations

from dataclasses import asdict

from appliance.app.board import MEAN_S, Instruments, Seen
from appliance.device.rails import Draw


def device(board: Instruments) -> dict[str, object]:
    """Everything that is known of the machine now.

    What is not measured is null or missing, never 0: `look_age_s` is null where there are no looks, and grows while a
    bus hangs; `unread` names the rails that could not be read, and why.
    """
    health, seen, seen_alarms = board.health, board.seen, sorted(board.alarms.items())
    return {
        "board": asdict(board.machine),
        "power": {
            "measured": board.measured,
            "source": health.source,
            "covers": {"zh": health.covers[0], "en": health.covers[1]},
            "watts": _rounded(board.watts),
            f"mean_{MEAN_S:.0f}s_watts": _rounded(board.mean_watts()),
            "idle_watts": _rounded(board.idle_watts),
            "failures": health.failures,
            "reason": health.reason,
        },
        "energy": {name: round(value, 3) for name, value in asdict(board.sharing.division).items()},
        "alarms_seen": [{"kind": kind, "name": name, "count": count} for (kind, name), count in seen_alarms],
        **_looked(seen),
    }


def _looked(seen: Seen | None) -> dict[str, object]:
    if seen is None:
        return {"look_age_s": None}
    look = seen.look
    return {
        "look_age_s": round(seen.age_s, 2),
        "mode": {
            "now": look.modes.now,
            "default": look.modes.default,
            "names": list(look.modes.names.values()),
            "reason": look.modes.why,
        },
        "rails": {name: _drawn(draw) for name, draw in look.rails.items()},
        "unread": look.unread,
        "celsius": {zone: round(degrees, 2) for zone, degrees in look.heat.celsius.items()},
        "zones_off": list(look.heat.off),
        "hottest_c": _rounded(look.heat.hottest_c),
        "gpu": None if look.gpu is None else asdict(look.gpu),
        "megahertz": look.megahertz,
        "alarms": {
            "over": list(look.alarms.over),
            "throttled": list(look.alarms.throttled),
            "events": look.alarms.events,
            "unread": list(look.alarms.unread),
        },
    }


def _drawn(draw: Draw) -> dict[str, float | None]:
    return {name: _rounded(value, 3) for name, value in asdict(draw).items()}


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
