"""Small files of the kernel: what they say, or why they do not.

Read with plain system calls: Python's own files turn the EAGAIN with which a switched-off unit answers into a
TypeError about bytes, and cost several times as much.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from appliance.errors import SensorUnreadable

_PAGE = 4096
"""Bytes of one read; the kernel gives an attribute in one page."""


def text(path: Path) -> str:
    """What `path` says, without the line's end and the device tree's NUL. Raises SensorUnreadable naming the file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            read = [os.read(handle, _PAGE)]
            while len(read[-1]) == _PAGE:
                read.append(os.read(handle, _PAGE))
        finally:
            os.close(handle)
    except OSError as error:
        raise SensorUnreadable(f"{path}: {error.strerror or error}") from error
    return b"".join(read).decode("utf-8", "replace").strip(" \t\n\0")


def number(path: Path) -> float:
    """The number in `path`, in the file's own unit. Raises SensorUnreadable, also for what is not a number."""
    said = text(path)
    try:
        value = float(said)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):  # `nan` would stay in every sum that it once came into
        raise SensorUnreadable(f"{path}: expected a number, got {said[:40]!r}")
    return value


def matching(folder: Path, pattern: str) -> list[Path]:
    """What lies under `folder` by that pattern, in order; nothing where it goes away while one looks through it."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def words(path: Path) -> str:
    """What `path` says, and nothing where it cannot be read: for names and labels, whose absence is an answer."""
    try:
        return text(path)
    except SensorUnreadable:
        return ""


def known(path: Path) -> float | None:
    """The number in `path`; None where it cannot be read: for what a board may do without, never for a reading."""
    try:
        return number(path)
    except SensorUnreadable:
        return None
