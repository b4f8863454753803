"""Puts back what a backup holds: all of it is unpacked beside and verified before anything is replaced.

Replacing is written down first (`change`), so that a power cut leaves the old state, or the new one at the next start.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from appliance.artifacts.disk import storage, sync, sync_tree
from appliance.artifacts.imported import FILE
from appliance.artifacts.inuse import alone
from appliance.artifacts.manifest import load_manifest, load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.bundles.state import CURRENT, linked
from appliance.errors import InvalidInput, SettingInvalid
from appliance.settings import data_dir, load_settings
from appliance.support.backup import PACK, RECORDS, SETTINGS, TREES, Kept
from appliance.support.change import Step, abandon, commit, finish, give, pending, prepare
from appliance.support.scratch import place, swept
from appliance.support.sealed import unseal
from appliance.support.unpack import MOST_SETTINGS, check_records, manifest_of, reading, refused, unpacked


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
        kept = unpacked(plain, new, root)
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
    with reading(), zipfile.ZipFile(plain) as archive, tempfile.TemporaryDirectory() as folder:
        kept = manifest_of(archive)
        if SETTINGS not in kept.files or config is None:
            return data_dir(load_settings(config if config is not None and config.exists() else None))
        path = Path(folder) / "appliance.yaml"
        if archive.getinfo(SETTINGS).file_size > MOST_SETTINGS:
            raise refused("settings of some kilobytes", "larger ones")
        path.write_bytes(archive.read(SETTINGS))
        return data_dir(load_settings(path))


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


def _judged(kept: Kept, new: Path, root: Path, config: Path | None) -> list[Step]:
    """What is to be done, once everything has been looked at. Settings go first: only root may write them."""
    steps = []
    if SETTINGS in kept.files and config is not None:
        load_settings(new / SETTINGS, {})  # SettingInvalid names what this version does not know
        steps.append(Step(config, beside(new / SETTINGS, config)))
    if RECORDS in kept.files:
        check_records(new / RECORDS, kept)
        steps.append(Step(root / "records", new / "records"))
    steps += [Step(root / tree, new / tree) for tree in TREES if (new / tree).is_dir()]
    if kept.pack and (new / PACK / kept.pack).is_dir():
        steps.append(Step(root / "packs" / kept.pack, new / PACK / kept.pack))
    for model in sorted((new / "models").glob("*")):
        manifest = load_manifest(model / FILE)
        for entry in manifest.files:
            found = kept.files.get(f"models/{model.name}/{manifest.digest}/{entry.path}")
            if not entry.archive and (found is None or found["sha256"] != entry.sha256):
                raise refused(f"the files of model {model.name}", "others")
        steps.append(Step(root / "models" / model.name, model))
    return steps


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
