"""Puts back what a backup holds: all of it is unpacked beside and verified before anything is replaced.

Replacing is written down first (`change`), so that a power cut leaves the old state, or the new one at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from appliance.artifacts.digest import CHUNK
from appliance.artifacts.disk import room, storage, sync, sync_tree
from appliance.artifacts.imported import FILE
from appliance.artifacts.inuse import alone
from appliance.artifacts.manifest import load_manifest, load_manifests, shipped_root
from appliance.artifacts.schema import is_safe
from appliance.artifacts.store import ModelStore
from appliance.bundles.contents import ID
from appliance.bundles.state import CURRENT, linked
from appliance.errors import InvalidInput, SettingInvalid
from appliance.records.database import APPLICATION, VERSION
from appliance.records.ledger import head, verify
from appliance.settings import data_dir, load_settings
from appliance.support.backup import LAYOUT, MANIFEST, PACK, RECORDS, SETTINGS, TREES, Kept
from appliance.support.change import Step, abandon, commit, finish, give, pending, prepare
from appliance.support.scratch import place, swept
from appliance.support.sealed import AGAIN, unseal

MOST_FILES = 100_000
MOST_MANIFEST = 64 << 20
MOST_SETTINGS = 1 << 20
_SPARE = 64 << 20


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and what is left to do."""

    kept: Kept
    """What the backup holds."""
    pull: tuple[str, ...]
    """Models that have to be fetched."""
    elsewhere: tuple[str, ...]
    """Models that this version knows in another state than the backup's, and fetches in its own."""
    bundle: str
    """Id of the bundle that served there and does not here; empty when there is none to bring."""


def restore(file: Path, root: Path | None, config: Path | None, passphrase: str) -> Restored:
    """Put the backup in `file` into the data folder `root`, and its settings to `config` (None leaves them out).

    Without a `root` it is the one that the settings will name afterwards. Nothing is replaced when this raises
    InvalidInput (a file that is damaged, foreign or of a newer appliance, another passphrase, an appliance that serves)
    or SettingInvalid.
    """
    there = _place(root, config)
    with storage(there or Path(tempfile.gettempdir())), tempfile.TemporaryFile(dir=there) as plain:
        with _opened(file) as source:
            unseal(source, plain, passphrase)
        root = root or _root(plain, config)
        with stopped(root):
            swept(root)
            finish(root, config)  # of another one, which was broken off
            kept = _replaced(plain, root, config)
    return _left(kept, root)


def _opened(file: Path) -> IO[bytes]:
    try:
        return file.open("rb")
    except OSError as error:
        raise InvalidInput(
            f"{file}: expected a backup, got {error.strerror}",
            remedy=("请核对路径，并确认 U 盘已挂载", "Check the path, and that the stick is mounted"),
        ) from error


def _place(root: Path | None, config: Path | None) -> Path | None:
    """Where the content lies meanwhile: with the data that is there now; imported models may be gigabytes."""
    with suppress(SettingInvalid):  # what is there is about to be replaced
        root = root or folder_of(config)
    return None if root is None else place(root)


def _replaced(plain: IO[bytes], root: Path, config: Path | None) -> Kept:
    """Unpack, judge, decide and do it."""
    new = prepare(root)
    try:
        kept = _unpacked(plain, new, root)
        steps = _judged(kept, new, root, config)
        with storage(root):
            give(root, new, new.parent, *new.rglob("*"))
            sync_tree(new)
        commit(root, "restore", steps)
    except BaseException:
        abandon(root)
        if config is not None and not pending(root):
            place_of(config).unlink(missing_ok=True)
        raise
    finish(root, config)
    return kept


def _root(plain: IO[bytes], config: Path | None) -> Path:
    """The data folder by the settings in the backup; by those that are there where it holds none."""
    with _reading(), zipfile.ZipFile(plain) as archive, tempfile.TemporaryDirectory() as folder:
        kept = _manifest(archive)
        if SETTINGS not in kept.files or config is None:
            return data_dir(load_settings(config if config is not None and config.exists() else None))
        path = Path(folder) / "appliance.yaml"
        if archive.getinfo(SETTINGS).file_size > MOST_SETTINGS:
            raise _refused("settings of some kilobytes", "larger ones")
        path.write_bytes(archive.read(SETTINGS))
        return data_dir(load_settings(path))


_MALFORMED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    *(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError),
)


@contextmanager
def _reading() -> Iterator[None]:
    """Turn whatever a zip of another form makes the standard library raise into InvalidInput."""
    try:
        yield
    except _MALFORMED as error:
        raise _refused("what `appliance backup` writes", type(error).__name__) from error


@contextmanager
def stopped(root: Path) -> Iterator[None]:
    """Keep the appliance from serving from `root`. Raises InvalidInput while one does: it would go on with the old."""
    with alone(root) as free:
        if not free:
            raise InvalidInput(
                f"{root}: expected the appliance to be stopped, got one that serves",
                remedy=(
                    "请先运行 `sudo systemctl stop appliance appliance-engines`",
                    "Run `sudo systemctl stop appliance appliance-engines` first",
                ),
            )
        yield


def _refused(expected: str, got: object) -> InvalidInput:
    return InvalidInput(f"backup: expected {expected}, got {got}", remedy=AGAIN)


def _unpacked(plain: IO[bytes], new: Path, root: Path) -> Kept:
    with _reading(), zipfile.ZipFile(plain) as archive:
        kept = _manifest(archive)
        names = [name for name in archive.namelist() if name != MANIFEST]
        if sorted(names) != sorted(kept.files) or len(names) > MOST_FILES:
            raise _refused("the files of its manifest", "others")
        room(root, sum(int(row["size"]) for row in kept.files.values()) + _SPARE)
        for name, row in kept.files.items():
            if not is_safe(name) or not name.startswith((*(f"{tree}/" for tree in (*TREES, PACK, "models")), *_SINGLE)):
                raise _refused("names that a backup has", repr(name[:80]))
            with archive.open(name) as source, storage(root):
                _write(source, new / name, int(row["size"]), str(row["sha256"]))
    return kept


_SINGLE = (SETTINGS, RECORDS)


def _manifest(archive: zipfile.ZipFile) -> Kept:
    if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST:
        raise _refused("a manifest of some megabytes", "a larger one")
    said: dict[str, Any] = json.loads(archive.read(MANIFEST))
    if int(said["layout"]) > LAYOUT or int(said["schema"]) > VERSION:
        raise InvalidInput(
            f"backup: expected layout {LAYOUT} and event log {VERSION}, got {said['layout']} and {said['schema']} "
            f"of appliance {said['appliance']}",
            remedy=("请先升级本机的 appliance", "Bring the appliance here up to that version first"),
        )
    kept = Kept(**{**said, "head": (int(said["head"][0]), str(said["head"][1]))})
    # It becomes the name of a folder below packs, and no way out of it.
    if kept.pack and (not is_safe(kept.pack) or "/" in kept.pack):
        raise _refused("a pack's name", repr(kept.pack)[:80])
    if kept.bundle and not ID.fullmatch(kept.bundle):
        raise _refused("a bundle's name", repr(kept.bundle)[:80])
    return kept


def _write(source: IO[bytes], target: Path, size: int, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    state, left = hashlib.sha256(), size
    with target.open("xb") as out:
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                break
            state.update(chunk)
            out.write(chunk)
    if left or state.hexdigest() != sha256:
        raise _refused("files with the sizes and hashes of its manifest", "another")


def _judged(kept: Kept, new: Path, root: Path, config: Path | None) -> list[Step]:
    """What is to be done, once everything has been looked at. Settings go first: only root may write them."""
    steps = []
    if SETTINGS in kept.files and config is not None:
        load_settings(new / SETTINGS, {})  # SettingInvalid names what this version does not know
        steps.append(Step(config, beside(new / SETTINGS, config)))
    if RECORDS in kept.files:
        _check_records(new / RECORDS, kept)
        steps.append(Step(root / "records", new / "records"))
    steps += [Step(root / tree, new / tree) for tree in TREES if (new / tree).is_dir()]
    if kept.pack and (new / PACK / kept.pack).is_dir():
        steps.append(Step(root / "packs" / kept.pack, new / PACK / kept.pack))
    for model in sorted((new / "models").glob("*")):
        manifest = load_manifest(model / FILE)
        for entry in manifest.files:
            found = kept.files.get(f"models/{model.name}/{manifest.digest}/{entry.path}")
            if not entry.archive and (found is None or found["sha256"] != entry.sha256):
                raise _refused(f"the files of model {model.name}", "others")
        steps.append(Step(root / "models" / model.name, model))
    return steps


def _check_records(path: Path, kept: Kept) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as log:
            application = log.execute("PRAGMA application_id").fetchone()[0]
            version = log.execute("PRAGMA user_version").fetchone()[0]
            if (application, version) != (APPLICATION, VERSION):
                raise _refused(f"an event log of version {VERSION}", f"another, or version {version}")
            broken, last = verify(log), head(log)
    except sqlite3.Error as error:
        raise _refused("an event log", error) from error
    if broken is not None or last != kept.head:
        raise _refused("a whole event log", f"a chain that breaks at event {broken or last[0]}")


def beside(staged: Path, config: Path) -> Path:
    """The settings next to where they go, with the owner and mode of what is there: another disk, perhaps."""
    waiting = place_of(config)
    with storage(config):
        config.parent.mkdir(parents=True, exist_ok=True)
        waiting.unlink(missing_ok=True)
        shutil.copyfile(staged, waiting)
        there = config.stat() if config.exists() else None
        waiting.chmod(there.st_mode & 0o777 if there else 0o640)
        owner = there or config.parent.stat()
        if os.geteuid() == 0:
            os.chown(waiting, owner.st_uid, owner.st_gid)
        sync(waiting)
        sync(config.parent)
    return waiting


def place_of(config: Path) -> Path:
    """Where settings wait to take the place of `config`."""
    return config.with_name(f".{config.name}.restore")


def _left(kept: Kept, root: Path) -> Restored:
    manifests = load_manifests(shipped_root())
    store = ModelStore(root / "models", manifests)
    pull, elsewhere = [], []
    for label in kept.models:
        name, _, digest = label.partition("@")
        if name not in manifests or manifests[name].digest != digest:
            elsewhere.append(label)
        if name in manifests and store.state(name).state != "installed":
            pull.append(name)
    here = linked(root / "bundles", CURRENT)
    return Restored(kept, tuple(pull), tuple(elsewhere), kept.bundle if kept.bundle != here else "")


def finished(root: Path, config: Path | None = None) -> str:
    """Go on with a change that was broken off; its kind, empty when there was none. Raises as `finish` does."""
    with stopped(root):
        kind = finish(root, config)
        swept(root)
        if config is not None:
            with storage(config):
                # Of one that died before it was decided on: settings with their secrets, which nobody waits for.
                place_of(config).unlink(missing_ok=True)
        return kind


def folder_of(config: Path | None) -> Path | None:
    """The data folder by the settings that are there now; None where there are none yet."""
    return data_dir(load_settings(config)) if config is not None and config.exists() else None
