"""The one way into the store: stage, verify the copy, fsync, rename."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.archive import unpack
from appliance.artifacts.digest import CHUNK, progress_of, sha256_of
from appliance.artifacts.disk import ASIDE, STAGE, room, storage, sync, sync_tree
from appliance.artifacts.manifest import FileEntry, Manifest
from appliance.artifacts.store import RECORD
from appliance.errors import ModelCorrupt
from appliance.listener import Listener, silent


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has the manifest's hash, somewhere on this disk."""

    path: Path
    """Where it lies."""
    origin: str
    """Which source gave it, in words."""


def publish(root: Path, manifest: Manifest, fetched: Mapping[str, Fetched], listener: Listener = silent) -> Path:
    """Install `fetched` (manifest path to file) as `<root>/<name>/<digest>` and return that folder.

    Whoever looks sees the whole model or none of it, whenever this process dies. The caller holds `exclusive(root)`.
    Raises ModelCorrupt when a copy does not have the manifest's hash, StorageFailed for the disk.
    """
    room(root, manifest.size + sum(entry.archive.bytes // 4 for entry in manifest.files if entry.archive))
    home = root / manifest.name / manifest.digest
    with storage(root):
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=root))
        try:
            for entry in manifest.files:
                _place(manifest.name, entry, fetched[entry.path].path, stage, listener)
            _record(manifest, stage, {path: file.origin for path, file in fetched.items()})
            _open_to_readers(stage)
            sync_tree(stage)
            _switch(stage, home, root)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
    listener("models.published", model=manifest.name, folder=str(home))
    return home


def _place(model: str, entry: FileEntry, source: Path, stage: Path, listener: Listener) -> None:
    def progress(stage_name: str, total: int | None) -> Callable[[int], None]:
        return progress_of(listener, model, entry.path, stage_name, total)

    if entry.archive:
        _verify(entry, source, progress("hash", entry.size))
        unpack(source, stage, entry.archive, progress("unpack", None))
        return
    target = stage / entry.path
    target.parent.mkdir(parents=True, exist_ok=True)
    _copy(source, target, progress("copy", entry.size))
    _verify(entry, target, progress("hash", entry.size))


def _copy(source: Path, target: Path, progress: Callable[[int], None]) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK):
            writer.write(chunk)
            progress(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
        # Forget the cached pages, so that what is verified next comes from the disk.
        os.posix_fadvise(writer.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _verify(entry: FileEntry, path: Path, progress: Callable[[int], None]) -> None:
    size = path.stat().st_size
    if size != entry.size:
        raise ModelCorrupt(f"{entry.path}: expected {entry.size} bytes, got {size} in {path}")
    got = sha256_of(path, progress)
    if got != entry.sha256:
        raise ModelCorrupt(f"{entry.path}: expected sha256 {entry.sha256}, got {got} in {path}")


def _record(manifest: Manifest, stage: Path, origins: Mapping[str, str]) -> None:
    files = [
        {"path": path.relative_to(stage).as_posix(), "sha256": sha256_of(path), "size": path.stat().st_size}
        for path in sorted(stage.rglob("*"))
        if path.is_file()
    ]
    text = json.dumps(
        {"model": manifest.name, "digest": manifest.digest, "origins": dict(origins), "files": files}, indent=1
    )
    (stage / RECORD).write_text(text + "\n", "utf-8")


def _open_to_readers(stage: Path) -> None:
    """The service may run as another user than the one who installs."""
    stage.chmod(0o755)
    for path in stage.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _switch(stage: Path, home: Path, root: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    if home.exists():  # damaged, or it would not be installed again
        aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=root))
        home.rename(aside / "model")
        stage.rename(home)
        shutil.rmtree(aside)
    else:
        stage.rename(home)
    sync(home.parent)
    sync(root)
