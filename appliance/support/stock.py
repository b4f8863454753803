"""For a support bundle: models and engines with their hashes, and the numbers of the event log."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict

from appliance.artifacts.engines import EngineStore
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.records.ledger import verify
from appliance.settings import data_dir
from appliance.support.case import Case, written


def models(case: Case) -> bytes:
    """Every model and engine with its hashes and state. Raises ManifestInvalid."""
    folder = data_dir(case.settings)
    imported, problems = load_imported(folder / "models")
    manifests = imported | load_manifests(shipped_root())
    store = ModelStore(folder / "models", manifests)
    listed = [
        {
            "name": name,
            "imported": name in imported,
            "digest": manifest.digest,
            "files": [{"path": entry.path, "size": entry.size, "sha256": entry.sha256} for entry in manifest.files],
            **asdict(store.state(name)),
        }
        for name, manifest in manifests.items()
    ]
    engines: object
    try:
        engines = [
            {"engine": "/".join(one.path.parts[-3:]), "bytes": one.bytes, "problem": one.problem, "record": one.record}
            for one in EngineStore(folder / "engines").entries()
        ]
    except Exception as error:  # noqa: BLE001 - sealed for another user: the models are worth their lines all the same
        engines = f"not known: {type(error).__name__}"
    made = {"models": listed, "problems": [error.detail for error in problems], "engines": engines}
    return written(case.mask.value(json.loads(written(made))))


def events(case: Case) -> bytes:
    """Numbers of the event log: how many of which kind, since when; nothing of what is in them."""
    path = data_dir(case.settings) / "records" / "events.sqlite"
    size = path.stat().st_size
    # mode=ro: a bundle changes nothing; a WAL that the service holds is read along with it.
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2)) as log:
        kinds = dict(log.execute("SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind").fetchall())
        first, last, sequence, sessions = log.execute(
            "SELECT min(time), max(time), max(sequence), count(DISTINCT session) FROM events"
        ).fetchone()
        broken = verify(log)
    made = {
        "bytes": size,
        "kinds": kinds,
        "sessions": sessions,
        "first": first,
        "last": last,
        "sequence": sequence,
        "chain": "whole" if broken is None else f"broken at {broken}",
    }
    return written(made)
