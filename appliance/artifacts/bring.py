"""Models carried in by hand: a wheel, a zip, a folder or a single file, recognised by sha256 and not by name."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from appliance.artifacts.digest import CHUNK
from appliance.artifacts.manifest import FileEntry
from appliance.errors import InvalidInput, ModelCorrupt

MOST_FILES = 100_000
"""Files looked at in a folder before it is taken for the wrong one."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A file with a hash that a manifest names, found on this disk, perhaps inside a wheel or zip."""

    path: Path
    """The file or the zip it is in."""
    member: str | None
    """Its name inside the zip; None when it stands alone."""

    @property
    def origin(self) -> str:
        """Where it is, in words."""
        return f"{self.path}" + (f" ({self.member})" if self.member else "")

    def copy(self, target: Path) -> None:
        """Write its bytes to `target`. Raises OSError."""
        if self.member is None:
            shutil.copyfile(self.path, target)
            return
        with zipfile.ZipFile(self.path) as file, file.open(self.member) as source, target.open("wb") as output:
            shutil.copyfileobj(source, output, CHUNK)


def locate(place: Path, entries: Iterable[FileEntry]) -> Mapping[str, Brought]:
    """Which of `entries` are at `place` (a file, wheel, zip or folder): sha256 to where it is.

    Only files of a size that some entry has are hashed. Raises InvalidInput when there is no such place.
    """
    if not place.exists():
        raise InvalidInput(
            f"{place}: expected a wheel, zip, file or folder, found none", remedy=("请检查路径", "Check the path")
        )
    sizes: dict[int, set[str]] = {}
    for entry in entries:
        sizes.setdefault(entry.size, set()).add(entry.sha256)
    found: dict[str, Brought] = {}
    for path in _files(place):
        size = path.stat().st_size
        if size in sizes:
            with path.open("rb") as file:
                got = _hash(file)
            if got in sizes[size]:
                found.setdefault(got, Brought(path, None))
                continue
        if path.suffix in (".whl", ".zip"):
            try:
                found = dict(_members(path, sizes)) | found
            except ModelCorrupt:
                if path == place:  # a folder may hold any broken zip
                    raise
    return found


def recognise(place: Path, entries: Iterable[FileEntry]) -> Mapping[str, Brought]:
    """As `locate`, but nothing found is an error that says whether the file is damaged or unknown."""
    entries = tuple(entries)
    for entry in entries:
        if place.is_file() and place.name == entry.path:
            with place.open("rb") as file:
                got = _hash(file)
            if got != entry.sha256:
                raise ModelCorrupt(
                    f"{place}: expected {entry.size} bytes with sha256 {entry.sha256}, "
                    f"got {place.stat().st_size} bytes with {got}",
                    remedy=("请从来源重新复制该文件", "Copy the file again from its source"),
                )
    found = locate(place, entries)
    if found:
        return found
    raise InvalidInput(
        f"{place}: expected a model's file, or a wheel, zip or folder with one; got none whose sha256 a manifest names",
        remedy=(
            "所需文件及其哈希见 `appliance models list --json`；zip 和 wheel 请原样提供，不要解压",
            "`appliance models list --json` shows files and hashes; bring zips and wheels unopened, as downloaded",
        ),
    )


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for number, path in enumerate(sorted(path for path in place.rglob("*") if path.is_file())):
        if number >= MOST_FILES:
            raise InvalidInput(f"{place}: expected a folder of models, got more than {MOST_FILES} files")
        yield path


def _members(path: Path, sizes: Mapping[int, set[str]]) -> Iterator[tuple[str, Brought]]:
    try:
        with zipfile.ZipFile(path) as file:
            for info in file.infolist():
                if info.file_size in sizes:
                    with file.open(info) as source:
                        got = _hash(source)
                    if got in sizes[info.file_size]:
                        yield got, Brought(path, info.filename)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelCorrupt(
            f"{path}: expected a whole wheel or zip, got one that does not unpack: {error}",
            remedy=("请从来源重新复制该文件", "Copy the file again from its source"),
        ) from error


def _hash(file: IO[bytes]) -> str:
    state = sha256()
    while chunk := file.read(CHUNK):
        state.update(chunk)
    return state.hexdigest()
