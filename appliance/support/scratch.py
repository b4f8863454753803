"""Where a backup's content lies while it is made: with the data, of the data's owner, and gone when its maker is.

A copy of the records that a killed backup left would outlive what is kept of them. So its folder is locked for as long
as somebody works in it, and whoever comes next, the service at its start among them, clears those that nobody holds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.device.rights import rights_of

PREFIX = ".backup-"


def place(folder: Path) -> Path | None:
    """Where large files may lie for a moment: in the data folder, if it can be written, for /tmp may be in memory."""
    return folder if os.access(folder, os.W_OK) else None


@contextmanager
def beside(folder: Path) -> Iterator[Path]:
    """An empty folder in the data folder `folder`, gone afterwards; elsewhere where nothing can be written there.

    What happens in it runs `as_owner`. Raises OSError.
    """
    here = place(folder)
    if here is None:
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)
        return
    with as_owner(folder), tempfile.TemporaryDirectory(prefix=PREFIX, dir=here) as made:
        lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield Path(made)
        finally:
            os.close(lock)


def swept(folder: Path) -> None:
    """Clear what killed ones left in the data folder `folder`. Never raises: what stays is tried by the next one."""
    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """With the rights of the folder's owner, where this is root: a link of his leads root nowhere. Raises OSError."""
    owner = folder.stat()
    with rights_of(owner.st_uid, owner.st_gid):
        yield
