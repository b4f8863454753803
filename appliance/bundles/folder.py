"""A bundle as a folder: written from its file, and verified as it lies on the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.artifacts.derived import FOLDER as DERIVED
from appliance.artifacts.digest import progress_of, sha256_of
from appliance.artifacts.staging import write
from appliance.bundles.contents import (
    MANIFEST,
    MANIFEST_BYTES,
    MODELS,
    SIGNATURES,
    Contents,
    bundle_id,
    read,
)
from appliance.bundles.keys import Public
from appliance.bundles.signing import SIGNATURES_BYTES, signers
from appliance.bundles.tape import Tape
from appliance.errors import BundleRefused
from appliance.listener import Listener, silent


@dataclass(frozen=True, slots=True)
class Signed:
    """A manifest with good signatures."""

    contents: Contents
    """What it says."""
    manifest: bytes
    """Its bytes."""
    signatures: bytes
    """The signatures' file."""
    by: tuple[Public, ...]
    """The trusted keys that have signed it."""

    @property
    def id(self) -> str:
        """Name of the folder that it is installed as."""
        return bundle_id(self.contents.version, self.manifest)


def opened(tape: Tape, known: Mapping[str, Public], now: datetime | None) -> Signed:
    """Manifest and signatures at the begin of a bundle's file; nothing of it is interpreted that is not signed.

    Raises BundleRefused, and BundleUntrusted as `signers` does.
    """
    manifest = tape.small(MANIFEST, MANIFEST_BYTES)
    content = tape.small(SIGNATURES, SIGNATURES_BYTES)
    by = signers(manifest, content, known, now)
    return Signed(read(manifest), manifest, content, by)


def unpack(tape: Tape, signed: Signed, stage: Path, listener: Listener = silent) -> None:
    """Write the files that follow the signatures into the empty folder `stage`, each on the disk when this returns.

    Not a byte more than the manifest says is written. Raises BundleRefused for any other byte, OSError for the disk.
    """
    stage.chmod(0o755)
    for entry in signed.contents.files:
        target = stage / entry.path
        _folders(target.parent, stage)
        told = progress_of(listener, signed.id, entry.path, "copy", entry.size)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(handle, "wb") as file:
            tape.file(entry.path, entry.size, entry.sha256, _both(file.write, told))
            file.flush()
            os.fchmod(
                handle, 0o644
            )  # whatever the umask: the service may run as another user than the one who installs
            os.fsync(handle)
            # Forget the cached pages, so that what is verified next comes from the disk.
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    tape.end()
    write(stage / SIGNATURES, signed.signatures)
    write(stage / MANIFEST, signed.manifest)


def verify(folder: Path, known: Mapping[str, Public], listener: Listener = silent, *, hashes: bool = True) -> Signed:
    """The bundle that is installed in `folder`: signed by a known key, every file there, whole, and nothing else.

    Keys that were revoked or have ended since count: what serves goes on serving. Without `hashes` sizes are compared
    alone. Raises BundleRefused saying what is wrong.
    """
    try:
        manifest = _small(folder / MANIFEST, MANIFEST_BYTES)
        content = _small(folder / SIGNATURES, SIGNATURES_BYTES)
        by = signers(manifest, content, known, None)
        found = Signed(read(manifest), manifest, content, by)
        if found.id != folder.name:
            raise BundleRefused(f"{folder}: expected the folder to be called {found.id}")
        check_files(folder, found, listener, hashes=hashes)
    except OSError as error:
        raise BundleRefused(f"{error.filename or folder}: expected a readable file, got {error.strerror}") from error
    return found


def check_files(folder: Path, signed: Signed, listener: Listener = silent, *, hashes: bool = True) -> None:
    """Raise BundleRefused unless `folder` has exactly the files of the manifest, and what was made of its models here.

    Raises OSError for the disk.
    """
    left = {entry.path: entry for entry in signed.contents.files}
    for path, size in _walk(folder):
        if path in (MANIFEST, SIGNATURES):
            continue
        entry = left.pop(path, None)
        if entry is None:
            raise BundleRefused(f"{folder.name}: expected the manifest's files alone, got {path!r} too")
        if size != entry.size:
            raise BundleRefused(f"{folder.name}/{path}: expected {entry.size} bytes, got {size}")
        if hashes:
            got = sha256_of(folder / path, progress_of(listener, signed.id, path, "hash", entry.size))
            if got != entry.sha256:
                raise BundleRefused(f"{folder.name}/{path}: expected sha256 {entry.sha256}, got {got}")
    if left:
        raise BundleRefused(f"{folder.name}: expected the file {min(left)!r}, found none")


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and size of every file, folders of files that are made here left out. Raises BundleRefused for a link."""
    waiting = [""]
    while waiting:
        here = waiting.pop()
        with os.scandir(folder / here) as rows:
            for row in rows:
                path = f"{here}/{row.name}" if here else row.name
                status = row.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    made = row.name == DERIVED and path.startswith(f"{MODELS}/") and path.count("/") == 3
                    waiting += [] if made else [path]
                elif stat.S_ISREG(status.st_mode):
                    yield path, status.st_size
                else:
                    raise BundleRefused(f"{folder.name}: expected plain files, got {path!r}, a link or device")


def _folders(folder: Path, stage: Path) -> None:
    """Make `folder` in `stage` with those above it, open to readers whatever the umask."""
    if folder != stage and not folder.is_dir():
        _folders(folder.parent, stage)
        folder.mkdir()
        folder.chmod(0o755)


def _small(path: Path, most: int) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise BundleRefused(f"{path}: expected at most {most} bytes, got more")
    return content


def _both(write_to: Callable[[bytes], object], told: Callable[[int], None]) -> Callable[[bytes], None]:
    def step(piece: bytes) -> None:
        write_to(piece)
        told(len(piece))

    return step
