"""Stages of a long training: each is done once for its inputs, and one that was killed goes on where it was.

A stage's key is a hash of its source files, its parameters and the keys of the stages that it needs. A folder with the
key of a finished stage is taken as it is; one with the key of an unfinished stage is handed to it again, for what it
left there to go on with; any other is emptied first.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGUN, DONE = "begun.json", "done.json"


@dataclass(frozen=True)
class Stage:
    """One step with a folder of its own."""

    name: str
    """Its name, and that of its folder."""
    make: Callable[[Path, Mapping[str, Path]], None]
    """Fills its folder, given the folders of the stages that it needs."""
    needs: tuple[str, ...] = ()
    """Stages that come before it."""
    sources: tuple[Path, ...] = ()
    """Files and folders that it depends on: code and data."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Whatever else it depends on; plain JSON."""


@dataclass(frozen=True)
class Outcome:
    """What became of a stage."""

    name: str
    """Its name."""
    seconds: float
    """How long it took; what an earlier run of it took where it was `cached`."""
    cached: bool
    """True when it was finished already."""


def files_of(source: Path) -> list[Path]:
    """The files of a source, sorted; compiled Python does not count."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f"{source}: expected a file or folder that a stage depends on, found none")
    return sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def key_of(stage: Stage, before: Mapping[str, str]) -> str:
    """The stage's key, given those of the stages before."""
    state = hashlib.sha256(json.dumps([stage.name, dict(stage.parameters)], sort_keys=True, default=str).encode())
    for need in stage.needs:
        state.update(before[need].encode())
    for source in stage.sources:
        for path in files_of(source):
            state.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()


def run(stages: Sequence[Stage], root: Path, say: Callable[[str], None] = print) -> list[Outcome]:
    """Run `stages` in their order, each in its folder under `root`; what is finished already is not run again."""
    keys: dict[str, str] = {}
    folders: dict[str, Path] = {}
    outcomes = []
    for number, stage in enumerate(stages, 1):
        keys[stage.name] = key = key_of(stage, keys)
        folders[stage.name] = folder = root / stage.name
        done = _read(folder / DONE)
        if done.get("key") == key:
            outcomes.append(Outcome(stage.name, float(str(done["seconds"])), True))
            say(f"[{number}/{len(stages)}] {stage.name}: done before, in {outcomes[-1].seconds:.0f} s")
            continue
        begun = _read(folder / BEGUN)
        if begun.get("key") != key:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            begun = {"key": key}
        say(f"[{number}/{len(stages)}] {stage.name}" + (": goes on" if "at" in begun else ""))
        # A run that is killed leaves the time of its beginning, and the stage's files that of its last sign of life.
        spent = _spent(folder, begun)
        _write(folder / BEGUN, {"key": key, "spent": spent, "at": time.time()})
        began = time.monotonic()
        stage.make(folder, {need: folders[need] for need in stage.needs})
        seconds = round(spent + time.monotonic() - began, 1)
        _write(folder / DONE, {"key": key, "seconds": seconds})
        outcomes.append(Outcome(stage.name, seconds, False))
        say(f"[{number}/{len(stages)}] {stage.name}: {seconds:.0f} s")
    return outcomes


def _spent(folder: Path, begun: Mapping[str, object]) -> float:
    """Seconds that runs before this one spent on the stage, as far as its files tell."""
    if "at" not in begun:
        return 0.0
    last = max((path.stat().st_mtime for path in files_of(folder)), default=0.0)
    return float(str(begun.get("spent", 0.0))) + max(0.0, last - float(str(begun["at"])))


def _read(path: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write(path: Path, content: Mapping[str, object]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(dict(content)) + "\n", "utf-8")
    part.replace(path)
