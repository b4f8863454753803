"""Durable writing: one lock per store, fsync, and OSError turned into StorageFailed."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import Both, StorageFailed
from appliance.listener import Listener, silent

LOCK = ".lock"
STAGE, ASIDE, TRIAL = ".in-", ".out-", ".try-"
"""Prefixes of folders that only a process holding the lock makes, so that any found by the next one are leftovers."""


@contextmanager
def storage(place: Path, remedy: Both | None = None) -> Iterator[None]:
    """Turn OSError into StorageFailed naming the file (or `place`) and what the system said.

    Without a `remedy` it is to make the folder writable, or to choose another one for the data.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or place
        raise StorageFailed(f"{where}: {error.strerror or error}", remedy=remedy or _remedy(error, place)) from error


@contextmanager
def exclusive(root: Path, listener: Listener = silent) -> Iterator[None]:
    """Hold the store at `root` alone; waits for another process, and clears what a killed one left behind."""
    with storage(root):
        root.mkdir(parents=True, exist_ok=True)
        file = (root / LOCK).open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            listener("models.wait", lock=str(root / LOCK))
            fcntl.flock(file, fcntl.LOCK_EX)
        with storage(root):
            for prefix in (STAGE, ASIDE, TRIAL):
                for leftover in root.glob(f"{prefix}*"):
                    shutil.rmtree(leftover)
        yield


def room(root: Path, needed: int) -> None:
    """Raise StorageFailed unless the disk of `root` has `needed` bytes free."""
    with storage(root):
        free = shutil.disk_usage(root).free
    if free < needed:
        raise StorageFailed(
            f"{root}: expected {needed / 1e6:.0f} MB free, got {free / 1e6:.0f} MB",
            remedy=(
                "请腾出空间，或把 APPLIANCE_DATA_DIR 设到其他磁盘",
                "Free some space, or set APPLIANCE_DATA_DIR to a folder on another disk",
            ),
        )


def sync_tree(folder: Path) -> None:
    """Force every file and folder under `folder`, and itself, to the disk. Raises OSError."""
    for path in folder.rglob("*"):
        if path.is_file():
            sync(path)
    for path in [*(path for path in folder.rglob("*") if path.is_dir()), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Force one file or folder to the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remedy(error: OSError, place: Path) -> Both:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"请在 {place} 所在磁盘上腾出空间，或把 APPLIANCE_DATA_DIR 设到其他磁盘",
            f"Free some space on the disk of {place}, or set APPLIANCE_DATA_DIR to a folder on another disk",
        )
    return (
        f"请确认当前用户可以写入 {place}，或把 APPLIANCE_DATA_DIR 设为可写的目录",
        f"Check that this user may write to {place}, or set APPLIANCE_DATA_DIR to a folder where it may",
    )
