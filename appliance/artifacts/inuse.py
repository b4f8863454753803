"""Who works in a data folder: a lock that the serving process holds, and that goes with it however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = ".serving"


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Say that a process serves from `folder`, for as long as it does. Where that cannot be written nobody is told."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / FILE).open("a")
    except OSError:
        yield  # a read-only disk: nobody can replace anything there either
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def used(folder: Path) -> bool:
    """True while a process serves from `folder`."""
    try:
        with (folder / FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
