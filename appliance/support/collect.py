"""What a support bundle holds: each collector gives one file, fails alone, and says how its file was masked."""

from __future__ import annotations

import json
import os
import platform
import pwd
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from appliance import __version__
from appliance.app.programs import findings
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.imported import load_imported
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.channels.http.client import fetched
from appliance.channels.http.files import limit_of
from appliance.device.look import find_sensors
from appliance.records.ledger import verify
from appliance.settings import SETTINGS, Settings, data_dir
from appliance.support.masked import Mask, shown

UNITS = ("appliance", "appliance-engines", "appliance-power", "appliance-first-boot", "appliance-update")
"""Units whose state and journal are of interest; one that is not installed says so."""
_FACTS = "Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,StatusText,ActiveEnterTimestamp"
LINES = 4000
"""Lines of the journal that are taken, the last ones."""
_PRIORITIES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
_PROGRAM_S = 20.0
CHECK_S = 120.0
"""Seconds that a self-check may take: it loads every network."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the collectors look at."""

    settings: Settings
    """The settings in force, or the defaults where they cannot be read."""
    problem: str
    """Why the settings could not be read; empty otherwise."""
    mask: Mask
    """What masks."""
    config: Path | None = None
    """The settings file that was named."""
    root: Path = Path("/")
    """`/`; tests give a tree of files for what the kernel tells."""
    check: bool = True
    """Whether the self-check may run when the service does not answer."""


@dataclass(frozen=True, slots=True)
class Collector:
    """One file of the bundle."""

    file: str
    """Its name."""
    masked: str
    """What was taken out of it, and how."""
    collect: Callable[[Case], bytes]
    """Makes it; whatever it raises is written in its place."""


def written(value: object) -> bytes:
    """`value` as JSON for eyes."""
    return (json.dumps(value, ensure_ascii=False, indent=1, default=_plain) + "\n").encode("utf-8", "replace")


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


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


def _board(case: Case) -> bytes:
    sensors = find_sensors(case.root)
    return written(case.mask.value({"board": asdict(sensors.board), "look": json.loads(written(sensors.look()))}))


def _machine(case: Case) -> bytes:
    folder = data_dir(case.settings)
    existing = next(path for path in (folder, *folder.parents) if path.exists())

    def disk(path: Path) -> object:
        usage, inodes = shutil.disk_usage(path), os.statvfs(path)
        return {
            "total_mb": usage.total >> 20,
            "free_mb": usage.free >> 20,
            "inodes_free": inodes.f_favail,
            "read_only": bool(inodes.f_flag & os.ST_RDONLY),
        }

    return written(
        {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "monotonic_s": round(time.monotonic()),
            "disks": {"data_dir": disk(existing), "/": disk(Path("/"))},
            "data_dir": _sizes(folder),
            "memory_mb": _memory(case.root),
            "load": [round(load, 2) for load in os.getloadavg()],
        }
    )


def _memory(root: Path) -> object:
    try:
        rows = (root / "proc/meminfo").read_text("utf-8", "replace").splitlines()
    except OSError as error:
        return f"not there: {error.strerror}"
    named = [row.split() for row in rows if row.startswith(("Mem", "Swap", "Cma", "Dirty"))]
    return {cells[0].rstrip(":"): int(cells[1]) >> 10 for cells in named if len(cells) > 1 and cells[1].isdigit()}


def _sizes(folder: Path) -> dict[str, object]:
    """Files and bytes of each part of the data folder, without the names of what lies in it."""
    sizes: dict[str, object] = {}
    for part in ("models", "engines", "records", "cache", "packs"):
        files = [path for path in (folder / part).rglob("*") if path.is_file() and not path.is_symlink()]
        sizes[part] = {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
    return sizes


def _models(case: Case) -> bytes:
    folder = data_dir(case.settings)
    imported, problems = load_imported(folder / "models")
    manifests = imported | load_manifests(shipped_root())
    store = ModelStore(folder / "models", manifests)
    models = [
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
    made = {"models": models, "problems": [error.detail for error in problems], "engines": engines}
    return written(case.mask.value(json.loads(written(made))))


def _events(case: Case) -> bytes:
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


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, timeout=_PROGRAM_S, check=False)
    if done.returncode and not done.stdout:
        raise OSError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-300:]}")
    return done.stdout.decode("utf-8", "replace")


def _units(case: Case) -> bytes:
    told = _run(["systemctl", "show", "--no-pager", f"--property={_FACTS}", *(f"{name}.service" for name in UNITS)])
    rows = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in told.strip().split("\n\n")]
    return written(case.mask.value(rows))


def _journal(case: Case) -> bytes:
    command = ["journalctl", "--no-pager", "--output=json", f"--lines={LINES}", "--since=-14d"]
    told = _run([*command, *(f"--unit={name}.service" for name in UNITS)])
    rows = [line for line in map(_entry, told.splitlines()) if line is not None]
    if not rows:
        raise OSError("journalctl showed no line of the units: run it as root or as a member of systemd-journal")
    return case.mask.lines("\n".join(json.dumps(row, ensure_ascii=False) for row in rows)).encode("utf-8", "replace")


def _entry(line: str) -> Mapping[str, Any] | None:
    """One entry of the journal: our own object where it is one, else what was said, with time, level and unit."""
    try:
        row = json.loads(line)
        message = row.get("MESSAGE")
        text = message if isinstance(message, str) else bytes(message or b"").decode("utf-8", "replace")
        unit = {"unit": str(row.get("_SYSTEMD_UNIT", row.get("UNIT", "")))}
        if text.startswith("{"):
            inner = json.loads(text)
            if isinstance(inner, dict):
                return inner | unit
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(row["__REALTIME_TIMESTAMP"]) / 1e6))
        level = _PRIORITIES[min(7, int(row.get("PRIORITY", 6)))]
        return {"ts": stamp, "level": level, "message": text} | unit
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


_TEXT = "tokens, network addresses, names of host and users, mail and long numbers are masked"
COLLECTORS = (
    Collector("versions.json", "nothing in it is secret; the system's release files are masked as text", _versions),
    Collector("settings.json", "secrets hidden, addresses reduced to their kind, texts of odd form hidden", _settings),
    Collector("check.json", f"only what does not work; {_TEXT}", _check),
    Collector("readyz.json", _TEXT, _answered("/readyz")),
    Collector("status.json", _TEXT, _answered("/v1/status")),
    Collector("log.json", f"written without anybody's words; {_TEXT}", _answered("/v1/log")),
    Collector("metrics.txt", f"numbers stay; in labels {_TEXT}", _answered("/metrics")),
    Collector("units.json", _TEXT, _units),
    Collector("journal.ndjson", f"written without anybody's words; {_TEXT}", _journal),
    Collector("board.json", _TEXT, _board),
    Collector("machine.json", f"sizes and numbers of files, without names; {_TEXT}", _machine),
    Collector("models.json", f"digests stay; {_TEXT}", _models),
    Collector("events.json", "numbers alone: no session, no payload, nothing that anybody said", _events),
)
"""Every file of a bundle."""
