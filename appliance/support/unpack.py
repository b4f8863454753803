"""Takes a backup's content apart: only what its manifest names with size and hash, and no name that leads out."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from appliance.artifacts.digest import CHUNK
from appliance.artifacts.disk import room, storage
from appliance.artifacts.schema import is_safe
from appliance.bundles.contents import ID
from appliance.errors import InvalidInput
from appliance.records.database import APPLICATION, VERSION
from appliance.records.ledger import head, verify
from appliance.support.backup import LAYOUT, MANIFEST, PACK, RECORDS, SETTINGS, TREES, Kept
from appliance.support.sealed import AGAIN

MOST_FILES = 100_000
MOST_MANIFEST = 64 << 20
MOST_SETTINGS = 1 << 20
_SPARE = 64 << 20
_SINGLE = (SETTINGS, RECORDS)


_MALFORMED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError),
    *(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError),
)


@contextmanager
def reading() -> Iterator[None]:
    """Turn whatever a zip of another form makes the standard library raise into InvalidInput."""
    try:
        yield
    except _MALFORMED as error:
        raise refused("what `appliance backup` writes", type(error).__name__) from error


def refused(expected: str, got: object) -> InvalidInput:
    """What is raised for a backup that holds something else than it should."""
    return InvalidInput(f"backup: expected {expected}, got {got}", remedy=AGAIN)


def unpacked(plain: IO[bytes], new: Path, root: Path) -> Kept:
    """Write the files of the zip `plain` into `new`, which lies in `root`. Raises InvalidInput, StorageFailed."""
    with reading(), zipfile.ZipFile(plain) as archive:
        kept = manifest_of(archive)
        names = [name for name in archive.namelist() if name != MANIFEST]
        if sorted(names) != sorted(kept.files) or len(names) > MOST_FILES:
            raise refused("the files of its manifest", "others")
        room(root, sum(int(row["size"]) for row in kept.files.values()) + _SPARE)
        for name, row in kept.files.items():
            if not is_safe(name) or not name.startswith((*(f"{tree}/" for tree in (*TREES, PACK, "models")), *_SINGLE)):
                raise refused("names that a backup has", repr(name[:80]))
            with archive.open(name) as source, storage(root):
                _write(source, new / name, int(row["size"]), str(row["sha256"]))
    return kept


def manifest_of(archive: zipfile.ZipFile) -> Kept:
    """What the backup says of itself. Raises InvalidInput for one of a newer appliance, and what `reading` turns."""
    if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST:
        raise refused("a manifest of some megabytes", "a larger one")
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
        raise refused("a pack's name", repr(kept.pack)[:80])
    if kept.bundle and not ID.fullmatch(kept.bundle):
        raise refused("a bundle's name", repr(kept.bundle)[:80])
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
        raise refused("files with the sizes and hashes of its manifest", "another")


def check_records(path: Path, kept: Kept) -> None:
    """Raise InvalidInput unless `path` is the whole event log that the backup speaks of."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as log:
            application = log.execute("PRAGMA application_id").fetchone()[0]
            version = log.execute("PRAGMA user_version").fetchone()[0]
            if (application, version) != (APPLICATION, VERSION):
                raise refused(f"an event log of version {VERSION}", f"another, or version {version}")
            broken, last = verify(log), head(log)
    except sqlite3.Error as error:
        raise refused("an event log", error) from error
    if broken is not None or last != kept.head:
        raise refused("a whole event log", f"a chain that breaks at event {broken or last[0]}")
