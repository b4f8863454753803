"""A stick that was put in: mounted read-only for a moment, and looked through for bundles.

Only plain files at its top that end in `.bundle` are copied, a few, each within the limit, under names of our own. They
are opened with the rights of root, who can read whatever stick it is, and written with those of the folder's owner: a
link in his folder leads root nowhere.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from appliance.errors import StorageFailed

TYPES = "vfat,exfat,ext4"
OPTIONS = "ro,nosuid,nodev,noexec"
MOST_FILES = 4
"""Bundles that are taken from one stick."""
SPARE = 64_000_000
"""Bytes that stay free."""
PIECE = 1 << 20


@contextmanager
def mounted(device: str, place: Path) -> Iterator[None]:
    """The file system on `device` at `place`, read-only, until the end of the block. Raises StorageFailed."""
    done = subprocess.run(
        ["mount", "-t", TYPES, "-o", OPTIONS, "--", device, str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StorageFailed(
            f"{device}: expected a stick with {TYPES}, got {done.stderr.strip()}",
            remedy=("请把U盘格式化为 FAT32、exFAT 或 ext4", "Format the stick with FAT32, exFAT or ext4"),
        )
    try:
        yield
    finally:
        subprocess.run(["umount", "--", str(place)], capture_output=True, check=False)


def carry(place: Path, inbox: Path, most: int) -> list[Path]:
    """Copy the bundles at the top of `place` into `inbox`, as its owner; where they lie now. Raises StorageFailed."""
    owner = _owner(inbox)
    taken: list[Path] = []
    for path in sorted(place.glob("*.bundle"))[: MOST_FILES * 4]:
        if len(taken) == MOST_FILES:
            break
        try:
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue  # a link, or not to be read
        status = os.fstat(source)
        if not stat.S_ISREG(status.st_mode) or not 0 < status.st_size <= most:
            os.close(source)
            continue
        with os.fdopen(source, "rb") as file, _as(*owner):
            taken.append(_copied(file, inbox, f"usb-{len(taken)}-{status.st_size}.bundle", status.st_size))
    return taken


def _copied(file: BinaryIO, inbox: Path, name: str, size: int) -> Path:
    part = inbox / f".{name}.part"
    try:
        if shutil.disk_usage(inbox).free < size + SPARE:
            raise StorageFailed(f"{inbox}: expected {size + SPARE} bytes free for a stick's bundle, got less")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as target:
            shutil.copyfileobj(file, target, PIECE)
            target.flush()
            os.fsync(target.fileno())
        return part.replace(inbox / name)
    except OSError as error:
        raise StorageFailed(f"{error.filename or inbox}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _owner(inbox: Path) -> tuple[int, int]:
    """User and group who own the folder above the inbox, which is made where it lacks. Raises StorageFailed."""
    try:
        status = inbox.parent.stat()
        with _as(status.st_uid, status.st_gid):
            inbox.mkdir(mode=0o750, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{inbox}: expected the inbox, got {error.strerror}") from error
    return status.st_uid, status.st_gid


@contextmanager
def _as(user: int, group: int) -> Iterator[None]:
    """With the rights of another user, where this is root."""
    if os.geteuid() != 0 or user == 0:
        yield
        return
    os.setegid(group)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
