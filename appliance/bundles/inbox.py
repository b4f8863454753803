"""The inbox: a folder where bundles are laid down, by an upload, by hand or from a stick, and taken in one by one."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from appliance.artifacts.disk import exclusive, storage, sync
from appliance.artifacts.staging import staged, write
from appliance.errors import ApplianceError, BundleRefused
from appliance.trail import trail

SUFFIX, REFUSED, PART = ".bundle", ".refused", ".part"
REASON = "refused.txt"
UPLOADS = "upload-"
TRIED = "tried.json"
"""Bundles that are being taken in, each with how often it was begun: what ends the process in the middle, as a power
cut or a machine without memory does, cannot say why, and would be begun again for ever."""
TRIES = 5
"""Times that a bundle is begun: engines that were built by then are there the next time."""


def folder_of(data: Path) -> Path:
    """The inbox in the data folder `data`."""
    return data / "inbox"


def waiting(folder: Path) -> list[Path]:
    """Bundles that lie in the inbox, the oldest first. A link or a folder of that name is none."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # taken away meanwhile
            if path.is_file() and not path.is_symlink():
                found.append((path.lstat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def refused(path: Path, error: ApplianceError) -> None:
    """Put aside a bundle that was not taken in, in place of the one put aside before, and say why beside it.

    It must not stay under its name: whoever watches the folder would try it again at once, and for ever.
    """
    with storage(path):
        for before in path.parent.glob(f"*{REFUSED}"):
            if before.is_dir() and not before.is_symlink():
                shutil.rmtree(before)
            else:
                before.unlink()
        path.replace(path.with_name(path.name + REFUSED))
    with suppress(OSError, ValueError):  # on a full disk the reason stands in the journal alone
        (path.parent / REASON).write_text(f"{path.name}\n{error.message}\n{error.remedy}\n", "utf-8")


def part_of(folder: Path) -> Path:
    """A name in the inbox for what is still arriving."""
    return folder / f".{UPLOADS}{secrets.token_hex(8)}{PART}"


def emptied(folder: Path, take: Callable[[Path], None], tell: Callable[[Path, ApplianceError], None]) -> bool:
    """Hand every bundle that lies in the inbox to `take`; what it refuses is told and put aside. False when one was.

    One process at a time. Raises StorageFailed for the inbox itself.
    """
    good = True
    if not folder.is_dir():
        return good
    with exclusive(folder):
        for path in folder.glob(f"*{SUFFIX}"):
            if path.is_symlink() or not path.is_file():
                good = False
                _aside(path, BundleRefused(f"{path.name}: expected a plain file, got a link or a folder"), tell)
        for path in waiting(folder):
            if not path.exists():  # taken away meanwhile
                continue
            try:
                _begun(path)
                take(path)
            except ApplianceError as error:
                good = False
                _aside(path, error, tell)
            except Exception as error:
                refused(path, ApplianceError(trail(error)))
                _ended(path)
                raise
            else:
                path.unlink(missing_ok=True)
            _ended(path)
    return good


def _begun(path: Path) -> None:
    """Count a try, on the disk, before it. Raises BundleRefused for one too many, StorageFailed."""
    tried = _tried(path.parent)
    times = tried.get(_mark(path), 0)
    if times >= TRIES:
        raise BundleRefused(
            f"{path.name}: expected one that is taken in, got {times} tries that were broken off in the middle",
            remedy=(
                "请查看 journalctl -u appliance-update；重新放入则再试",
                "See journalctl -u appliance-update; laid down again it is tried again",
            ),
        )
    _count(path.parent, tried | {_mark(path): times + 1})


def _ended(path: Path) -> None:
    tried = _tried(path.parent)
    kept = {mark: times for mark, times in tried.items() if mark.partition(" ")[0] != path.name}
    if kept != tried:
        _count(path.parent, kept)


def _mark(path: Path) -> str:
    """The file as it lies there: another one under its name, or the same laid down anew, has tries of its own."""
    found = path.lstat()
    return f"{path.name} {found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _tried(folder: Path) -> dict[str, int]:
    try:
        found = json.loads((folder / TRIED).read_bytes())
        return {str(mark): int(times) for mark, times in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # never counted, or torn: counted from nothing
        return {}


def _count(folder: Path, tried: dict[str, int]) -> None:
    if not tried:
        with storage(folder):
            (folder / TRIED).unlink(missing_ok=True)
        return
    with staged(folder) as stage:
        write(stage / TRIED, json.dumps(tried).encode("utf-8"))
        (stage / TRIED).replace(folder / TRIED)
        sync(folder)


def _aside(path: Path, error: ApplianceError, tell: Callable[[Path, ApplianceError], None]) -> None:
    refused(path, error)  # before it is told, which may fail
    tell(path, error)


def clear_parts(folder: Path) -> None:
    """Remove what uploads that broke off with their process have left."""
    for path in folder.glob(f".{UPLOADS}*{PART}"):
        with suppress(OSError):
            path.unlink()
