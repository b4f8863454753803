"""Making a bundle on a desk: gather files, write the manifest, sign it, put all into one file."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from appliance.artifacts.derived import FOLDER as DERIVED
from appliance.artifacts.digest import CHUNK, progress_of, sha256_of
from appliance.artifacts.disk import storage, sync
from appliance.artifacts.imported import FILE as MODEL_MANIFEST
from appliance.artifacts.store import ModelStore
from appliance.bundles.contents import (
    CASES,
    MANIFEST,
    MANIFEST_BYTES,
    MODELS,
    PACK,
    SETTINGS_FILE,
    SIGNATURES,
    Contents,
    Entry,
    read,
    written,
)
from appliance.bundles.signing import SIGNATURES_BYTES, signatures, signed
from appliance.bundles.tape import END, Tape, header, padding
from appliance.errors import BundleRefused, InvalidInput
from appliance.listener import Listener, silent

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

UNSIGNED = b'{"signatures": []}\n'


def gather(
    store: ModelStore, models: tuple[str, ...], pack: Path | None, settings: Path | None, cases: Path | None
) -> dict[str, Path]:
    """Path in the bundle to the file on this disk of all that it will carry.

    Models come from `store`, whole, with their manifests and cases. Raises ModelMissing, ModelCorrupt, InvalidInput.
    """
    found: dict[str, Path] = {}
    for name in models:
        manifest, home = store.manifest(name), store.folder(name)
        for path in (manifest.home / MODEL_MANIFEST, manifest.home / "card.md"):
            if path.is_file():
                found[f"{MODELS}/{name}/{path.name}"] = path
        found |= _tree(manifest.home / "cases", f"{MODELS}/{name}/cases")
        found |= {
            path: file
            for path, file in _tree(home, f"{MODELS}/{name}/{home.name}").items()
            if DERIVED not in path.split("/")
        }
    if pack is not None:
        if not (pack / "pack.yaml").is_file():
            raise InvalidInput(f"{pack}: expected a folder with pack.yaml, found none")
        found |= _tree(pack, PACK)
    if settings is not None:
        found[SETTINGS_FILE] = settings
    if cases is not None:
        found |= _tree(cases, CASES)
    if not found:
        raise InvalidInput(
            "bundle: expected models, a pack or settings to put in, got none",
            remedy=("请用 --model、--pack 或 --settings 指定内容", "Name some with --model, --pack or --settings"),
        )
    return found


def _tree(folder: Path, place: str) -> dict[str, Path]:
    """Files below `folder`, hidden ones and Python's caches left out, by their paths below `place`."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") or part == "__pycache__" for part in parts):
            found["/".join((place, *parts))] = path
    return found


def described(contents: Contents, files: Mapping[str, Path], listener: Listener = silent) -> Contents:
    """`contents` with an entry for each of `files`. Raises StorageFailed, BundleRefused for what no bundle can be."""
    entries = []
    for path in sorted(files):
        with storage(files[path]):
            size = files[path].stat().st_size
            sha256 = sha256_of(files[path], progress_of(listener, "bundle", path, "hash", size))
        entries.append(Entry(path, size, sha256))
    made = replace(contents, files=tuple(entries))
    read(written(made))  # by the eyes of whoever gets it
    return made


def pack_up(
    target: Path,
    contents: Contents,
    files: Mapping[str, Path],
    key: Ed25519PrivateKey | None,
    listener: Listener = silent,
) -> bytes:
    """Write the bundle at `target`, signed by `key` unless that is None; its manifest's bytes.

    Raises StorageFailed, BundleRefused when a file changes meanwhile.
    """
    manifest = written(contents)
    content = signed(manifest, None, key) if key is not None else UNSIGNED
    with _replacing(target) as output:
        _put(output, MANIFEST, manifest)
        _put(output, SIGNATURES, content)
        for entry in contents.files:
            told = progress_of(listener, "bundle", entry.path, "copy", entry.size)
            with files[entry.path].open("rb") as file:
                if os.fstat(file.fileno()).st_size != entry.size:
                    raise BundleRefused(f"{files[entry.path]}: expected {entry.size} bytes, got it changed meanwhile")
                _copy(file, output, entry.path, entry.size, told)
        output.write(END)
    return manifest


def sign(path: Path, key: Ed25519PrivateKey, listener: Listener = silent) -> None:
    """Add the signature of `key` to the bundle at `path`; what it carries is not read. Raises StorageFailed."""
    with storage(path), path.open("rb") as file:
        manifest, content = heads(file)
        total = path.stat().st_size
        told = progress_of(listener, "bundle", path.name, "copy", total)
        with _replacing(path) as output:
            _put(output, MANIFEST, manifest)
            _put(output, SIGNATURES, signed(manifest, content, key))
            while piece := file.read(CHUNK):
                output.write(piece)
                told(len(piece))


def heads(file: BinaryIO) -> tuple[bytes, bytes]:
    """Manifest and signatures of the bundle that `file` stands at, not verified. Raises BundleRefused."""
    tape = Tape(file)
    manifest = tape.small(MANIFEST, MANIFEST_BYTES)
    content = tape.small(SIGNATURES, SIGNATURES_BYTES)
    read(manifest)
    signatures(content)
    return manifest, content


def _put(output: BinaryIO, path: str, content: bytes) -> None:
    _copy(io.BytesIO(content), output, path, len(content), lambda count: None)


def _copy(source: BinaryIO, output: BinaryIO, path: str, size: int, told: Callable[[int], None]) -> None:
    output.write(header(path, size))
    left = size
    while left and (piece := source.read(min(left, CHUNK))):
        output.write(piece)
        left -= len(piece)
        told(len(piece))
    if left:
        raise BundleRefused(f"{path}: expected {size} bytes, got it changed meanwhile")
    output.write(padding(size))


@contextmanager
def _replacing(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` when it is whole, and is gone otherwise. Raises StorageFailed."""
    with storage(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        made = Path(name)
        try:
            with os.fdopen(handle, "wb") as output:
                yield output
                output.flush()
                os.fchmod(output.fileno(), 0o644)
                os.fsync(output.fileno())
            made.replace(target)
            sync(target.parent)
        finally:
            with suppress(OSError):
                made.unlink()
