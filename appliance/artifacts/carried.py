"""What an integrator carries in: a folder, a zip or a tar of any origin, as plain files in a folder.

Nothing of a hostile archive is written outside its folder, through a link, or without bound. Every name is judged
before anything is written for a zip; for a tar, which has no list of contents, before that file is.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from appliance.artifacts.digest import CHUNK
from appliance.artifacts.schema import is_safe
from appliance.errors import InvalidInput, ModelCorrupt

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""What is taken for an archive."""
MOST_FILES = 5_000
MOST_BYTES = 16 << 30
"""Most that an archive may hold: the largest recognisers have a few gigabytes."""
_SWELL, _SPARE = 200, 64 << 20
"""Most bytes unpacked for one of the archive, and what a small one may have beside (text packs well)."""

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What damaged or encrypted archives make the standard library raise."""


def is_archive(path: Path) -> bool:
    """True for a file that is named like an archive."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(path: Path, target: Path, progress: Callable[[int], None] | None = None) -> Path:
    """Unpack the archive at `path` into the empty folder `target`; the folder in it that holds more than one folder.

    Hidden files and `__MACOSX` are left out. Raises ModelCorrupt for an archive that is broken or hostile, OSError.
    """
    budget = _Budget(path, progress)
    try:
        if path.name.lower().endswith(".zip"):
            _unzip(path, target, budget)
        else:
            _untar(path, target, budget)
    except OSError as error:
        # bz2 says OSError("Invalid data stream"), without a number, where other modules have an error of their own.
        if error.errno is not None:
            raise
        raise _broken(path, error) from error
    except _BROKEN as error:
        raise _broken(path, error) from error
    if not budget.seen:
        raise ModelCorrupt(f"{path.name}: expected files, got an archive without any")
    return inner(target)


def inner(folder: Path) -> Path:
    """`folder`, or the one that is alone in it, as far as that goes."""
    while True:
        held = [one for one in folder.iterdir() if not one.name.startswith(".")]
        if len(held) != 1 or not held[0].is_dir() or held[0].is_symlink():
            return folder
        folder = held[0]


def beside(file: Path) -> dict[str, Path]:
    """The files in the folder of `file`, without those in folders, links, hidden ones and those with strange names.

    It may lie among whatever somebody has downloaded, of which all else is none of our business.
    """
    return {
        one.name: one
        for one in sorted(file.parent.iterdir())
        if one.is_file() and not one.is_symlink() and is_safe(one.name)
    }


def plain(folder: Path) -> dict[str, Path]:
    """The files of `folder` by their names in it, without hidden ones. Raises InvalidInput for links and strange names.

    A folder that somebody else filled (a USB stick) may hold links to what is not his.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            # A model cache of Hugging Face is all links; what they point at is named by hashes.
            raise InvalidInput(
                f"{folder}: expected plain files, got a link or device {name!r}",
                remedy=(
                    "请用 `cp -rL` 复制成普通文件后再导入",
                    "Copy it with `cp -rL`, which makes plain files, and import the copy",
                ),
            )
        if path.is_dir():
            continue
        if not is_safe(name):
            raise InvalidInput(f"{folder}: expected plain file names, got {name!r}")
        found[name] = path
        if len(found) > MOST_FILES:
            raise InvalidInput(f"{folder}: expected a folder with a model, got more than {MOST_FILES} files")
    return found


class _Budget:
    """What may still be written, and under which names."""

    def __init__(self, path: Path, progress: Callable[[int], None] | None) -> None:
        self._name, self._progress = path.name, progress
        self._left = min(MOST_BYTES, _SWELL * path.stat().st_size + _SPARE)
        self._limit = self._left
        self.seen: set[str] = set()
        self._members = 0

    def wanted(self, name: str, size: int, *, file: bool, folder: bool) -> bool:
        """True for a member to write. Raises ModelCorrupt for one that must not be in an archive."""
        self._members += 1
        parts = name.removeprefix("./").rstrip("/").split("/")
        if not (file or folder):
            raise ModelCorrupt(f"{self._name}: expected plain files, got a link or device {name!r}")
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in parts:
            raise ModelCorrupt(f"{self._name}: expected names inside the archive's folder, got {name!r}")
        if self._members > MOST_FILES or size > self._left:
            raise ModelCorrupt(
                f"{self._name}: expected at most {MOST_FILES} files and {self._limit} bytes unpacked, got more"
            )
        if folder or any(part.startswith(".") for part in parts) or parts[0] == "__MACOSX":
            return False
        path = "/".join(parts)
        if not is_safe(path) or path in self.seen:
            raise ModelCorrupt(f"{self._name}: expected every name once and plain, got {name!r}")
        self.seen.add(path)
        return True

    def write(self, source: IO[bytes], target: Path, name: str) -> None:
        """Write one member, however much it says that it has. Raises ModelCorrupt for too much."""
        destination = target / name.removeprefix("./")
        destination.parent.mkdir(parents=True, exist_ok=True)
        with destination.open("xb") as output:
            while chunk := source.read(CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise ModelCorrupt(f"{self._name}: expected at most {self._limit} bytes unpacked, got more")
                output.write(chunk)
                if self._progress is not None:
                    self._progress(len(chunk))


def _unzip(path: Path, target: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(path) as archive:
        chosen, total = [], 0
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            total += member.file_size
            folder = member.is_dir()
            if budget.wanted(member.filename, total, file=not folder and kind in (0, stat.S_IFREG), folder=folder):
                chosen.append(member)
        for member in chosen:
            with archive.open(member) as source:
                budget.write(source, target, member.filename)


class _Member(tarfile.TarInfo):
    """Refuses extended headers that no name needs: tarfile reads them into memory whole, before a member is seen."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.type in _HEADS and self.size > 1 << 20:
            raise tarfile.ReadError("expected names of at most 1 MiB")
        return super()._proc_member(tar)  # type: ignore[misc]  # not in its stubs


_HEADS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def _untar(path: Path, target: Path, budget: _Budget) -> None:
    # As a stream: a tar that is read back and forth would be decompressed again and again.
    with tarfile.open(path, "r|*", tarinfo=_Member) as archive:
        for member in archive:
            if not budget.wanted(member.name, member.size, file=member.isreg(), folder=member.isdir()):
                continue
            source = archive.extractfile(member)
            if source is None:
                raise ModelCorrupt(f"{path.name}: expected a file, got {member.name!r}")
            with source:
                budget.write(source, target, member.name)


def _broken(path: Path, error: Exception) -> ModelCorrupt:
    return ModelCorrupt(
        f"{path.name}: expected a whole archive, got one that does not unpack: {error}",
        remedy=("请从来源重新复制该文件", "Copy the file again from its source"),
    )
