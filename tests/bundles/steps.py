"""Every change that this process makes to a folder, one by one: the n-th of them does not happen any more.

Python announces each such call (`sys.audit`) before it is made, whoever makes it; fsync is announced here. A crash is
raised then, and every later call is refused as well: what is dead clears nothing up. What was written but not forced to
the disk may be torn: with `tear` every such file loses its second half, whatever it is
called by now. A full disk refuses what needs room, and only that.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod"}
GROWS = {"open", "os.mkdir", "os.symlink", "os.rename", "fsync"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Crash(BaseException):
    """The process is gone."""


class Steps:
    """Counts the changes below `root`, and makes the one numbered `at` (from 1) fail."""

    def __init__(self, root: Path, at: int = 0, *, full: bool = False, tear: bool = False, kill: bool = False) -> None:
        self.root, self.at, self.full, self.tear, self.kill = str(root), at, full, tear, kill
        self.count = 0
        self.seen: list[str] = []
        self.dead = False
        self.unsynced: set[str] = set()

    def note(self, event: str, path: str, target: str = "") -> None:
        """Keep which files were written and not forced to the disk, under the names that they have by now."""
        if event == "open":
            self.unsynced.add(path)
        elif event == "fsync":
            self.unsynced.discard(path)
        elif event == "os.rename":
            moved = {one for one in self.unsynced if one == path or one.startswith(f"{path}/")}
            self.unsynced = (self.unsynced - moved) | {target + one[len(path) :] for one in moved}

    def step(self, event: str, path: str, handle: int | None = None) -> None:
        if self.dead:
            raise Crash
        if self.full and (event not in GROWS or (event == "open" and Path(path).exists())):
            return
        self.count += 1
        self.seen.append(f"{event} {path.removeprefix(self.root)}")
        if self.count < self.at or not self.at:
            return
        if self.full:  # and stays so
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        if self.count == self.at:
            if self.kill:
                os.kill(os.getpid(), 9)
            if self.tear and handle is not None and event == "fsync" and Path(path).is_file():
                os.truncate(path, os.fstat(handle).st_size // 2)
            self.dead = True
            for lost in self.unsynced if self.tear else ():
                if Path(lost).is_file() and lost != path:
                    os.truncate(lost, Path(lost).stat().st_size // 2)
            raise Crash


_now: list[Steps] = []
_hooked: list[bool] = []
_fsync = os.fsync


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _now or (event not in CHANGES and event != "open"):
        return
    steps = _now[-1]
    if event == "open" and not int(arguments[2] or 0) & WRITES:
        return
    first = arguments[0]
    path = os.fspath(first) if isinstance(first, (str, os.PathLike)) else ""
    relative = isinstance(path, str) and not path.startswith("/")  # with a folder's handle, as rmtree does
    if isinstance(path, str) and (relative or path.startswith(steps.root)):
        steps.step(event, path)
        steps.note(event, path, os.fspath(arguments[1]) if event == "os.rename" else "")


def _synced(handle: Any) -> None:
    number = handle if isinstance(handle, int) else handle.fileno()
    path = str(Path(f"/proc/self/fd/{number}").readlink())
    if _now and path.startswith(_now[-1].root):
        _now[-1].step("fsync", path, number)
        _now[-1].note("fsync", path)
    if not _now or _now[-1].kill:  # what is left out is the waiting for the disk, thousands of times
        _fsync(handle)


@contextmanager
def counted(steps: Steps) -> Iterator[Steps]:
    """Steps are counted, and fail, within the block."""
    if not _hooked:
        sys.addaudithook(_hook)  # for good: it looks whether anybody counts
        _hooked.append(True)
    _now.append(steps)
    os.fsync = _synced  # type: ignore[assignment]
    try:
        yield steps
    finally:
        _now.pop()
        if not _now:
            os.fsync = _fsync
