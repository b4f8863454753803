"""Everything of an appliance that cannot be fetched or built again, in one sealed file: for a board that is swapped.

Settings with their secrets, packs, records, trusted keys and imported models go in; models that are fetched by their
hash are only listed, and engines, which belong to a board, as well. The service may go on serving meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from appliance import __version__
from appliance.artifacts.digest import CHUNK
from appliance.artifacts.disk import storage, sync
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.imported import FILE, load_imported
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.bundles.state import CURRENT, linked
from appliance.errors import ApplianceError, InvalidInput, StorageFailed
from appliance.records.database import VERSION
from appliance.records.ledger import head, verify
from appliance.settings import Settings, data_dir
from appliance.support.scratch import beside, place, swept
from appliance.support.sealed import seal

MANIFEST = "manifest.json"
LAYOUT = 2
"""How the content is laid out, 2: with the name of the bundle; a higher number is of a newer appliance."""
SETTINGS, RECORDS, PACK = "settings/appliance.yaml", "records/events.sqlite", "pack"
TREES = ("packs", "bundles/keys")
"""Folders of the data folder that are taken as they are."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a backup holds, as its own manifest says it."""

    layout: int
    """LAYOUT of the version that wrote it."""
    appliance: str
    """That version."""
    made: str
    """When, UTC."""
    files: dict[str, dict[str, Any]]
    """Size and sha256 by path."""
    schema: int
    """Version of the event log's schema; 0 without one."""
    head: tuple[int, str]
    """Sequence and hash of the last event."""
    models: list[str] = field(default_factory=list)
    """Models that were installed and can be fetched again, as NAME@DIGEST."""
    engines: list[str] = field(default_factory=list)
    """Engines that were built, as NETWORK precision."""
    pack: str = ""
    """Name of a pack that lay outside of the data folder; empty when there was none."""
    apart: list[str] = field(default_factory=list)
    """What the settings name and the backup does not hold."""
    bundle: str = ""
    """Id of the bundle that serves: its file is not in it; empty when what came with the appliance serves."""


class _Writer:
    """A zip that hashes what goes into it."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, source: IO[bytes]) -> None:
        state, size = hashlib.sha256(), 0
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(info, "w", force_zip64=True) as target:
            while chunk := source.read(CHUNK):
                state.update(chunk)
                size += len(chunk)
                target.write(chunk)
        self.files[name] = {"size": size, "sha256": state.hexdigest()}

    def tree(self, folder: Path, name: str) -> None:
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).as_posix()
            if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in inside.split("/")):
                continue
            with path.open("rb") as source:
                self.add(f"{name}/{inside}", source)


def back_up(settings: Settings, config: Path | None, target: Path, passphrase: str, *, models: bool = True) -> Kept:
    """Write the backup to `target`, whole or not at all; `models` takes imported ones along. Raises StorageFailed."""
    folder = data_dir(settings)
    swept(folder)
    # Not beside the target: that may be a stick, where what was deleted can be read by whoever finds it.
    with storage(folder), tempfile.TemporaryFile(dir=place(folder)) as plain:
        kept = _collect(settings, config, plain, models=models)
        plain.seek(0)
        with storage(target, _ELSEWHERE):
            _sealed(plain, target, passphrase)
    return kept


_ELSEWHERE = (
    "请用 -o 换一个可写且空间足够的位置",
    "Name another place with -o, which can be written and has room",
)


def _sealed(plain: IO[bytes], target: Path, passphrase: str) -> None:
    stage = target.with_name(f".{target.name}.part")
    stage.unlink(missing_ok=True)
    try:
        with open(os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:  # noqa: PTH123 - its mode
            seal(plain, out, passphrase)
            out.flush()
            os.fsync(out.fileno())
        stage.replace(target)
    finally:
        stage.unlink(missing_ok=True)
    sync(target.parent)


def _collect(settings: Settings, config: Path | None, out: IO[bytes], *, models: bool) -> Kept:
    folder = data_dir(settings)
    with zipfile.ZipFile(out, "w") as archive:
        writer = _Writer(archive)
        if config is not None:
            with config.open("rb") as source:
                writer.add(SETTINGS, source)
        for tree in TREES:
            writer.tree(folder / tree, tree)
        pack = _pack_outside(settings, folder)
        if pack is not None:
            writer.tree(pack, f"{PACK}/{pack.name}")
        schema, last = _records(folder, writer)
        if models:
            _imported(folder / "models", writer)
        kept = Kept(
            LAYOUT,
            __version__,
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            writer.files,
            schema,
            last,
            list(_fetched(folder / "models")),
            list(_engines(folder / "engines")),
            pack.name if pack is not None else "",
            [path for path in (settings.http_tls_certificate, settings.http_tls_key, settings.speech_voice) if path],
            linked(folder / "bundles", CURRENT) or "",
        )
        archive.writestr(MANIFEST, json.dumps(asdict(kept)))
    return kept


def _pack_outside(settings: Settings, folder: Path) -> Path | None:
    path = Path(settings.pack)
    inside = folder.resolve() in path.resolve().parents
    return path.resolve() if "/" in settings.pack and path.is_dir() and not inside else None


def _records(folder: Path, writer: _Writer) -> tuple[int, tuple[int, str]]:
    """Copy the event log as it is at one moment, whoever writes to it, and see that its chain holds."""
    path = folder / "records" / "events.sqlite"
    if not path.is_file():
        return 0, (0, "")
    with beside(folder) as there:
        return _copied(path, there / "events.sqlite", writer)


def _copied(path: Path, copy: Path, writer: _Writer) -> tuple[int, tuple[int, str]]:
    try:
        source_of = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(source_of, uri=True, timeout=10)) as log, closing(sqlite3.connect(copy)) as target:
            log.backup(target)
            # Without a WAL beside it: it is one file from here on.
            target.execute("PRAGMA journal_mode=DELETE")
        with closing(sqlite3.connect(copy)) as target:
            broken, last = verify(target), head(target)
    except sqlite3.Error as error:
        raise StorageFailed(f"{path}: expected an event log that can be read, got {error}") from error
    if broken is not None:
        raise InvalidInput(
            f"{path}: expected a whole event log, got a chain that breaks at event {broken}",
            remedy=(
                "请把该文件移开后再备份，并把它交给维护人员",
                "Move the file away before the backup, and hand it to the maintainers",
            ),
        )
    with copy.open("rb") as source:
        writer.add(RECORDS, source)
    return VERSION, last


def _imported(root: Path, writer: _Writer) -> None:
    """Models that somebody carried in: nobody can fetch them again."""
    for name, manifest in load_imported(root)[0].items():
        home = root / name
        with (home / FILE).open("rb") as source:
            writer.add(f"models/{name}/{FILE}", source)
        writer.tree(home / manifest.digest, f"models/{name}/{manifest.digest}")


def _fetched(root: Path) -> Iterator[str]:
    manifests = load_manifests(shipped_root())
    store = ModelStore(root, manifests)
    for name, manifest in manifests.items():
        if store.home(name).is_dir():
            yield f"{name}@{manifest.digest}"


def _engines(root: Path) -> Iterator[str]:
    try:
        entries = EngineStore(root).entries()
    except ApplianceError:  # sealed for another user; they are built again in any case
        return
    for entry in entries:
        if entry.record is not None:
            yield f"{entry.record.key.network} {entry.record.key.precision}"
