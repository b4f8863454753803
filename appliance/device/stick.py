"""A stick that was put in: mounted read-only for a moment, and looked through for bundles.

Only plain files at its top that end in `.bundle` are copied, a few, each within the limit, under names of our own. They
are opened with the rights of root, who can read whatever stick it is, and written with those of the folder's owner: a
link in his folder leads root nowhere. What a stick has brought is remembered by its digest: one that stays in brings
nothing again at every start of the board. Put in anew it does, for that is somebody's wish.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import heapq
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.device.known import known, remember
from appliance.device.rights import rights_of
from appliance.errors import Both, StorageFailed

TYPES = "vfat,exfat,ext4"
BARE = "ro,nosuid,nodev,noexec"
OPTIONS = f"{BARE},errors=remount-ro"
"""The last: a damaged file system whose own wish is errors=panic must not take the board with it."""
EXT4 = ",noload"
"""Nothing is written to the stick, not even what its journal still holds."""
MOST_FILES = 4
"""Bundles that are taken from one stick."""
SPARE = 64_000_000
"""Bytes that stay free."""
MOUNT_S = 60.0
"""Longest wait for mounting: a stick that is broken may answer nothing."""
PIECE = 1 << 20
LOCK = ".usb-lock"
PULLED: Both = ("请重新插入U盘并等待完成", "Put the stick in again, and leave it in until it is done")
DAMAGED: Both = (
    "U盘文件系统损坏：请在电脑上修复或格式化，重新拷入更新包，弹出后再拔下",
    "The stick's file system is damaged: repair or format it at a desk, copy the bundle anew, and eject it before it "
    "is pulled out",
)
FORMAT: Both = ("请把U盘格式化为 FAT32、exFAT 或 ext4", "Format the stick with FAT32, exFAT or ext4")


@dataclass(frozen=True, slots=True)
class Carried:
    """What was found at the top of a stick."""

    taken: tuple[Path, ...]
    """Bundles, as they lie in the inbox now."""
    known: tuple[str, ...]
    """Names of those that were brought before, and are not again."""
    passed: tuple[str, ...]
    """Names of those that are none, with what was expected."""


@contextmanager
def mounted(device: str, place: Path) -> Iterator[None]:
    """The file system on `device` at `place`, read-only, until the end of the block. Raises StorageFailed."""
    kind = _kind(device)
    options = OPTIONS + (EXT4 if kind == "ext4" else "")
    command = ["mount", "-t", kind or "vfat", "-o", options, "--", device, str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MOUNT_S)
    except subprocess.TimeoutExpired as error:
        raise StorageFailed(
            f"{device}: expected a stick that answers, got nothing in {MOUNT_S:g} s", remedy=PULLED
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split())
        if kind and "unknown filesystem type" not in said:
            raise StorageFailed(f"{device}: expected a whole file system, got a damaged {kind}: {said}", remedy=DAMAGED)
        raise StorageFailed(f"{device}: expected a stick with {TYPES}, got {said}", remedy=FORMAT)
    try:
        yield
    finally:
        subprocess.run(["umount", "--", str(place)], capture_output=True, check=False)


def carry(place: Path, inbox: Path, most: int, *, start: bool = False) -> Carried:
    """Copy the bundles at the top of `place` into `inbox`, as its owner; whole ones alone. Raises StorageFailed.

    At the board's `start`, those that a stick has brought before are passed over.
    """
    owner = _owner(inbox)
    taken: list[Path] = []
    before: list[str] = []
    passed: list[str] = []
    with rights_of(*owner), _alone(inbox):
        for part in inbox.glob(".usb-*.part"):  # of one that was killed, or had no power any more
            part.unlink(missing_ok=True)
        brought = known(inbox) if start else {}
    names = _names(place)
    for name in names[: MOST_FILES * 4]:
        if len(taken) == MOST_FILES:
            break
        file = _plain(place / name, most)
        if isinstance(file, str):
            passed.append(f"{name!r}: {file}")
            continue
        with file:
            size = os.fstat(file.fileno()).st_size
            if size in brought.values() and _digest(file, name) in brought:
                before.append(repr(name))
                continue
            with rights_of(*owner), _alone(inbox):
                taken.append(_copied(file, name, inbox, size))
    return Carried(tuple(taken), tuple(before), tuple(passed))


def _kind(device: str) -> str:
    """The file system that the first bytes of `device` speak of: ext4, exfat, or, unclear, none. Raises StorageFailed.

    FAT has no mark that all of them bear.
    """
    try:
        with Path(device).open("rb") as file:
            head = file.read(2048)
    except OSError as error:
        raise StorageFailed(f"{device}: expected a stick, got {error.strerror}", remedy=PULLED) from error
    if head[1080:1082] == b"\x53\xef":
        return "ext4"
    return "exfat" if head[3:11] == b"EXFAT   " else ""


def _names(place: Path) -> list[str]:
    """The first names of bundles at the top of `place`. Raises StorageFailed."""
    try:
        with os.scandir(place) as rows:
            return heapq.nsmallest(MOST_FILES * 4, (row.name for row in rows if row.name.endswith(".bundle")))
    except OSError as error:
        raise StorageFailed(
            f"stick: expected a folder that can be read, got {error.strerror}", remedy=DAMAGED
        ) from error


def _plain(path: Path, most: int) -> BinaryIO | str:
    """The file at `path`, open; what was expected when it is no plain one within the limit. Raises StorageFailed."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.EIO, errno.EUCLEAN):
            raise StorageFailed(f"{path.name!r}: expected it whole, got {error.strerror}", remedy=DAMAGED) from error
        return f"expected a plain file, got {error.strerror}"
    status = os.fstat(source)
    if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= most:
        return os.fdopen(source, "rb")
    os.close(source)
    if not stat.S_ISREG(status.st_mode):
        return "expected a plain file, got a folder or device"
    return f"expected 1 to {most} bytes, got {status.st_size}"


def _pieces(file: BinaryIO, name: str, size: int) -> Iterator[bytes]:
    """All of a file on the stick. Raises StorageFailed when that is less than it is said to have."""
    done = 0
    file.seek(0)
    try:
        while piece := file.read(PIECE):
            done += len(piece)
            yield piece
    except OSError as error:
        raise StorageFailed(
            f"{name!r}: expected {size} bytes on the stick, got {error.strerror} after {done}: pulled out, or damaged",
            remedy=PULLED,
        ) from error
    if done != size:
        raise StorageFailed(f"{name!r}: expected {size} bytes on the stick, got {done}", remedy=DAMAGED)


def _digest(file: BinaryIO, name: str) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(file, name, os.fstat(file.fileno()).st_size):
        digest.update(piece)
    return digest.hexdigest()


def _copied(file: BinaryIO, name: str, inbox: Path, size: int) -> Path:
    """The whole copy, under its digest: two sticks with one bundle bring the same file."""
    part = inbox / f".usb-{os.getpid()}.part"
    digest = hashlib.sha256()
    try:
        if shutil.disk_usage(inbox).free < size + SPARE:
            raise StorageFailed(f"{inbox}: expected {size + SPARE} bytes free for a stick's bundle, got less")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as target:
            for piece in _pieces(file, name, size):
                digest.update(piece)
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        copy = part.replace(inbox / f"usb-{digest.hexdigest()[:16]}.bundle")
        remember(inbox, digest.hexdigest(), size)
        return copy
    except OSError as error:
        raise StorageFailed(f"{error.filename or inbox}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _alone(inbox: Path) -> Iterator[None]:
    """One stick at a time. Raises StorageFailed."""
    try:
        handle = os.open(inbox / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageFailed(f"{inbox / LOCK}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _owner(inbox: Path) -> tuple[int, int]:
    """User and group who own the folder above the inbox, which is made where it lacks. Raises StorageFailed."""
    try:
        status = inbox.parent.stat()
        with rights_of(status.st_uid, status.st_gid):
            inbox.mkdir(mode=0o750, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"{inbox}: expected the inbox, got {error.strerror}") from error
    return status.st_uid, status.st_gid
