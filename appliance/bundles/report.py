"""What there is to say of the bundles: for operators, on the command line and over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.bundles.contents import read, read_manifest
from appliance.bundles.keys import Trust
from appliance.bundles.moments import stamp
from appliance.bundles.state import CURRENT, PREVIOUS, State, linked, read_state
from appliance.errors import ApplianceError, StorageFailed


def report(root: Path) -> dict[str, Any]:
    """Bundles by their places, what is remembered, and keys; JSON types only. Reads a few small files."""
    problem = ""
    try:
        state = read_state(root)
    except StorageFailed as error:
        state, problem = State(), error.message
    trust = Trust(root)
    return {
        "current": _described(root, linked(root, CURRENT)),
        "previous": _described(root, linked(root, PREVIOUS)),
        "trial": _described(root, state.trial),
        "attempts": state.attempts,
        "floor": state.floor,
        "bad": dict(state.bad),
        "keys": [
            {"id": key.id, "title": key.title, "roles": list(key.roles), "revoked": key.revoked}
            for key in trust.keys().values()
        ],
        "problem": problem,
    }


def _described(root: Path, name: str | None) -> dict[str, Any] | None:
    if name is None:
        return None
    try:
        found = read(read_manifest(root / name))
    except (OSError, ApplianceError):
        return {"id": name, "title": "?", "version": 0, "created": "", "models": [], "pack": False}
    return {
        "id": name,
        "title": found.title,
        "version": found.version,
        "created": stamp(found.created),
        "models": list(found.models),
        "pack": found.has_pack,
    }
