"""Half-written things and how they take their place: staged in the root, fsynced, renamed, rolled back.

Everything here is called while the store's lock (`exclusive(root)`) is held, which is what makes the next holder right
to clear whatever a killed process left.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from appliance.artifacts.disk import ASIDE, STAGE, storage, sync


@contextmanager
def staged(root: Path) -> Iterator[Path]:
    """An empty folder in `root` for what is not finished, gone afterwards. An OSError becomes StorageFailed."""
    with storage(root):
        stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=root))
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def write(path: Path, content: bytes | memoryview, mode: int = 0o644) -> None:
    """A new file, on the disk when this returns, never open to more than `mode`. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)  # whatever the umask: the service may run as another user than the builder
        os.fsync(file.fileno())


def swap(stage: Path, home: Path, root: Path) -> None:
    """Make the folder `stage` the folder `home`, in place of what is there; after an OSError that is there again.

    A death between the old one's leaving and the new one's coming leaves none, never a mixture.
    """
    with ExitStack() as after, ExitStack() as undo:
        home.parent.mkdir(parents=True, exist_ok=True)
        if home.is_dir() and not home.is_symlink():
            old = _aside(root)
            after.callback(shutil.rmtree, old, ignore_errors=True)
            home.rename(old)
            undo.callback(old.rename, home)
        else:
            home.unlink(missing_ok=True)
        stage.rename(home)
        undo.callback(home.rename, stage)
        for folder in (home.parent, home.parent.parent, root):
            sync(folder)
        undo.pop_all()


def discard(folder: Path, root: Path) -> None:
    """Delete a folder, in one step for whoever is looking, and the folders above it that are empty then.

    Needs no space, being what makes some. Raises StorageFailed.
    """
    with storage(root):
        if folder.is_symlink():
            folder.unlink()
        else:
            aside = _aside(root)
            folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)  # what cannot be deleted now is cleared by the next process
    tidy(folder.parent, root)


def tidy(folder: Path, root: Path) -> None:
    """Remove `folder` and those above it up to `root`, as far as they are empty."""
    with suppress(OSError):
        while folder != root:
            with suppress(FileNotFoundError):
                folder.rmdir()
            folder = folder.parent


def _aside(root: Path) -> Path:
    """A place where nothing is, for a folder that is to be deleted; never for a file: who clears up expects none."""
    return root / f"{ASIDE}{secrets.token_hex(4)}"
