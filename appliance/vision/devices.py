"""The cameras that Linux knows (Video4Linux), by number, by name and by the links that stay when numbers change.

A USB camera has several nodes, /dev/video0 for its pictures and /dev/video1 for its metadata; only those that capture
are listed. Numbers and structures are those of <linux/videodev2.h>.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.vision.faults import Absent

ROOT = Path("/")
QUERYCAP, ENUM_FMT, ENUM_FRAMESIZES = 0x80685600, 0xC0405602, 0xC02C564A
"""VIDIOC_QUERYCAP, VIDIOC_ENUM_FMT and VIDIOC_ENUM_FRAMESIZES: what can it do, in which formats and sizes."""
CAPTURE, PER_NODE = 0x1, 0x80000000
"""V4L2_CAP_VIDEO_CAPTURE, and V4L2_CAP_DEVICE_CAPS: the node tells of itself and not of the whole device."""
_DISCRETE = 1
_MOST = 64
"""Formats, and sizes of each, that are asked for: a driver that never ends its list is not followed for ever."""

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class Node:
    """One camera as it is plugged in now."""

    path: str
    """Its node, for example `/dev/video0`; another one may carry it after it was pulled out."""
    name: str
    """What it calls itself, for example `HD Pro Webcam C920`."""
    links: tuple[str, ...] = ()
    """Links under /dev/v4l that lead to it: by-id with make and serial number, by-path with the plug."""

    def is_again(self, other: Node) -> bool:
        """True when the two are one camera, whatever its number is: by the serial number, else by its name."""
        mine, others = _by_id(self.links), _by_id(other.links)
        return bool(mine & others) if mine and others else self.name == other.name


@dataclass(frozen=True, slots=True)
class Format:
    """One form in which a camera gives its pictures."""

    code: str
    """Four characters: `MJPG`, `YUYV`, ..."""
    sizes: tuple[tuple[int, int], ...]
    """(width, height), largest first; the largest alone where the camera takes any size in a range."""


def nodes(root: Path = ROOT, ioctl: Ioctl = fcntl.ioctl) -> tuple[Node, ...]:
    """Every camera under `root`, by number. Never raises: what cannot be asked is taken for what its place says."""
    links = tuple(_links(root))
    found = []
    for place in sorted((root / "sys/class/video4linux").glob("video*"), key=_number):
        path = root / "dev" / place.name
        if not _captures(path, place, ioctl):
            continue
        leading = tuple(link for link, target in links if target == place.name)
        found.append(Node(f"/dev/{place.name}", _text(place / "name") or place.name, leading))
    return tuple(found)


def find(found: Sequence[Node], device: str, known: Node | None = None) -> Node:
    """The camera that `device` names: a number, a node, a link under /dev/v4l, or a part of its name or of a link.

    `known` is what it was when it was open last: the same camera is found under another number, and another one under
    its old number is only taken when it is nowhere. Raises Absent, naming the cameras there are.
    """
    again = [node for node in found if known is not None and node.is_again(known)]
    if len(again) == 1:
        return again[0]
    chosen = _named(found, device.strip())
    if len(chosen) == 1:
        return chosen[0]
    there = ", ".join(f"{node.name!r} ({node.path})" for node in chosen or found) or "none"
    count = f"{len(chosen)} of them: " if chosen else ""
    raise Absent(f"camera: expected one called {device!r}, got {count}{there}")


def formats(path: Path, ioctl: Ioctl = fcntl.ioctl) -> tuple[Format, ...]:
    """The forms in which the camera at `path` gives pictures; empty when it cannot be asked now."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return ()
    try:
        return tuple(Format(_code(pixels), _sizes(handle, pixels, ioctl)) for pixels in _pixel_formats(handle, ioctl))
    finally:
        os.close(handle)


def _named(found: Sequence[Node], device: str) -> list[Node]:
    if device.isascii() and device.isdigit():
        device = f"/dev/video{int(device)}"
    if device.startswith("/"):
        return [node for node in found if device == node.path or device in node.links]
    wanted = device.casefold()
    if not wanted:
        return []
    exact = [node for node in found if wanted == node.name.casefold()]
    return exact or [node for node in found if any(wanted in name.casefold() for name in (node.name, *node.links))]


def _links(root: Path) -> Iterator[tuple[str, str]]:
    """Each link of udev's with the name of the node that it leads to."""
    for kind in ("by-id", "by-path"):
        for link in sorted((root / "dev/v4l" / kind).glob("*")):
            if link.is_symlink():
                yield f"/dev/v4l/{kind}/{link.name}", link.readlink().name


def _by_id(links: Sequence[str]) -> frozenset[str]:
    return frozenset(link for link in links if "/by-id/" in link)


def _captures(path: Path, place: Path, ioctl: Ioctl) -> bool:
    said = bytearray(104)  # struct v4l2_capability
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            ioctl(handle, QUERYCAP, said)
        finally:
            os.close(handle)
    except OSError:  # not ours, or just going away: a camera's first node is the one with its pictures
        return _text(place / "index") in ("", "0")
    _, whole, own = struct.unpack_from("III", said, 80)
    return bool((own if whole & PER_NODE else whole) & CAPTURE)


def _pixel_formats(handle: int, ioctl: Ioctl) -> Iterator[int]:
    for index in range(_MOST):
        said = bytearray(64)  # struct v4l2_fmtdesc
        struct.pack_into("II", said, 0, index, 1)  # V4L2_BUF_TYPE_VIDEO_CAPTURE
        try:
            ioctl(handle, ENUM_FMT, said)
        except OSError:  # EINVAL: that was the last
            return
        yield int(struct.unpack_from("I", said, 44)[0])


def _sizes(handle: int, pixels: int, ioctl: Ioctl) -> tuple[tuple[int, int], ...]:
    found = set()
    for index in range(_MOST):
        said = bytearray(44)  # struct v4l2_frmsizeenum
        struct.pack_into("II", said, 0, index, pixels)
        try:
            ioctl(handle, ENUM_FRAMESIZES, said)
        except OSError:
            break
        kind, *numbers = struct.unpack_from("IIIIII", said, 8)
        found.add((numbers[0], numbers[1]) if kind == _DISCRETE else (numbers[1], numbers[4]))
        if kind != _DISCRETE:
            break
    return tuple(sorted(found, key=lambda size: (-size[0] * size[1], size)))


def _code(pixels: int) -> str:
    return struct.pack("I", pixels & 0x7FFFFFFF).decode("ascii", "replace").strip()


def _number(place: Path) -> int:
    digits = place.name.removeprefix("video")
    return int(digits) if digits.isdigit() else 0


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
