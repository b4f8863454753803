"""What a support bundle holds: each collector gives one file, fails alone, and says how its file was masked."""

from __future__ import annotations

import json
import os
import platform
import pwd
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.app.programs import findings
from appliance.channels.http.client import fetched
from appliance.channels.http.files import limit_of
from appliance.settings import SETTINGS, Settings, data_dir
from appliance.support.case import Case, Collector, written
from appliance.support.journal import journal, units
from appliance.support.machine import board, machine
from appliance.support.masked import shown
from appliance.support.stock import events, models

CHECK_S = 120.0
"""Seconds that a self-check may take: it loads every network."""


def _versions(case: Case) -> bytes:
    from importlib.metadata import distributions

    def words(path: str) -> str:
        try:
            return case.mask.text((case.root / path).read_text("utf-8", "replace")[:2000])
        except OSError as error:
            return f"not there: {error.strerror}"

    packages = {str(one.metadata["Name"]): one.version for one in distributions() if one.metadata["Name"]}
    made: dict[str, object] = {
        "appliance": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "os": words("etc/os-release"),
        "l4t": words("etc/nv_tegra_release"),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }
    return written(made)


def _settings(case: Case) -> bytes:
    usual = shown(Settings())
    now = shown(case.settings)
    changed = sorted(name for name in SETTINGS if getattr(case.settings, name) != getattr(Settings(), name))
    # Of one that is hidden it is said that it was set, and neither to what nor what it would be.
    return written(
        {"problem": case.problem, "changed": changed, "settings": now, "defaults": {n: usual[n] for n in changed}}
    )


def _answered(path: str) -> Callable[[Case], bytes]:
    def collect(case: Case) -> bytes:
        status, said = fetched(case.settings, path)
        if path == "/metrics":
            if status != 200:
                raise OSError(f"expected metrics, got HTTP {status}")
            return case.mask.measured(said.decode("utf-8", "replace")).encode()
        return written({"http": status, "answer": case.mask.value(json.loads(said))})

    return collect


def _check(case: Case) -> bytes:
    """What does not work, as `appliance check` says it: of the service where it answers, else by a check of our own."""
    found = [
        asdict(one) | {"detail": case.mask.text(one.detail), "remedy": case.mask.text(one.remedy)}
        for one in findings(data_dir(case.settings), limit_of(case.settings))
        if not one.ok
    ]
    try:
        status, said = fetched(case.settings, "/readyz")
        features, by = json.loads(said)["features"], f"the service (HTTP {status})"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the service, the machine is looked at all the same
        if not case.check:
            return written({"machine": found, "features": f"not known: {type(error).__name__}"})
        named = ["-c", str(case.config)] if case.config is not None else []
        command = [sys.executable, "-m", "appliance.cli", "check", "--json", *named]
        done = subprocess.run(
            command, capture_output=True, timeout=CHECK_S, check=False, **_as_owner(data_dir(case.settings))
        )
        try:
            features, by = json.loads(done.stdout)["features"], "appliance check"
        except (ValueError, KeyError):
            features, by = [], f"appliance check ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')}"
    wrong = [feature for feature in features if feature.get("state") != "ready"]
    return written({"machine": found, "features": case.mask.value(wrong), "asked": case.mask.text(by)})


def _as_owner(folder: Path) -> dict[str, Any]:
    """Have a process run as the user whose data folder it is: what root makes there the service cannot write to."""
    try:
        owner = folder.stat()
        if os.geteuid() != 0 or owner.st_uid == 0:
            return {}
        name = pwd.getpwuid(owner.st_uid).pw_name
    except (OSError, KeyError):
        return {}
    groups = os.getgrouplist(name, owner.st_gid)
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": groups}


_TEXT = "tokens, network addresses, names of host and users, mail and long numbers are masked"
COLLECTORS = (
    Collector("versions.json", "nothing in it is secret; the system's release files are masked as text", _versions),
    Collector("settings.json", "secrets hidden, addresses reduced to their kind, texts of odd form hidden", _settings),
    Collector("check.json", f"only what does not work; {_TEXT}", _check),
    Collector("readyz.json", _TEXT, _answered("/readyz")),
    Collector("status.json", _TEXT, _answered("/v1/status")),
    Collector("log.json", f"written without anybody's words; {_TEXT}", _answered("/v1/log")),
    Collector("metrics.txt", f"numbers stay; in labels {_TEXT}", _answered("/metrics")),
    Collector("units.json", _TEXT, units),
    Collector("journal.ndjson", f"written without anybody's words; {_TEXT}", journal),
    Collector("board.json", _TEXT, board),
    Collector("machine.json", f"sizes and numbers of files, without names; {_TEXT}", machine),
    Collector("models.json", f"digests stay; {_TEXT}", models),
    Collector("events.json", "numbers alone: no session, no payload, nothing that anybody said", events),
)
"""Every file of a bundle."""
