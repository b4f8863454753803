"""Who works in a data folder: a lock that the serving process holds, and that goes with it however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE = ".serving"


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Say that a process serves from `folder`, for as long as it does; wait while another has it `alone`.

    Where that cannot be written nobody is told: nobody can replace anything there either.
    """
    handle = _open(folder)
    if handle is None:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Keep processes from serving from `folder`; gives False while one does."""
    handle = _open(folder)
    if handle is None:
        yield True
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def used(folder: Path) -> bool:
    """True while a process serves from `folder`."""
    if not (folder / FILE).exists():
        return False
    with alone(folder) as free:
        return not free


def _open(folder: Path) -> int | None:
    """The file that is locked; None where there can be none. For reading, which both root and the service may."""
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Root opens it in the service's folder, and must not be led to a file that it would open to all.
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError:
        return None
    with suppress(OSError):
        os.fchmod(handle, 0o644)  # whatever the umask
    return handle
