"""USB sticks and cards that are mounted: where a technician's files come from and go to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import InvalidInput

MARKER = "appliance-support"
"""A file or folder of this name at the top of a stick says that it is meant, where several are plugged in."""
_SYSTEM = ("/", "/boot", "/efi", "/usr", "/var", "/home", "/opt", "/srv", "/root", "/etc", "/snap")
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Volume:
    """One mounted volume of a removable or USB disk."""

    device: str
    """Its node, such as `/dev/sda1`."""
    place: Path
    """Where it is mounted."""
    writable: bool
    """False when it is mounted for reading alone."""
    marked: bool
    """True when it bears the marker."""


def volumes(root: Path = Path("/")) -> tuple[Volume, ...]:
    """The removable volumes that are mounted below `root`, without any of the disk that the system runs from."""
    try:
        rows = (root / "proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    mounts = [(_plain(row.split()[0]), _plain(row.split()[1]), row.split()[3]) for row in rows if row.count(" ") >= 3]
    own = {_disk(root, device) for device, place, _ in mounts if place in _SYSTEM} - {""}
    found: dict[str, Volume] = {}
    for device, place, options in mounts:
        disk = _disk(root, device)
        if not disk or disk in own or place in _SYSTEM or not _removable(root, device, disk):
            continue
        here = root / place.lstrip("/")
        # What is mounted twice (by a desktop and by hand) is one stick.
        found[device] = Volume(device, here, "rw" in options.split(","), os.path.lexists(here / MARKER))
    return tuple(found.values())


def partitions(root: Path = Path("/")) -> tuple[str, ...]:
    """Nodes of the volumes on removable disks that are not the system's own, mounted or not, by name."""
    index = root / "sys/class/block"
    try:
        names = sorted(path.name for path in index.iterdir())
        rows = [row.split() for row in (root / "proc/self/mounts").read_text("utf-8", "replace").splitlines()]
    except OSError:
        return ()
    own = {_disk(root, row[0]) for row in rows if len(row) > 1 and _plain(row[1]) in _SYSTEM} - {""}
    found = []
    for name in names:
        disk = _disk(root, f"/dev/{name}")
        parts = [other for other in names if other != name and _disk(root, f"/dev/{other}") == name]
        if disk and disk not in own and not parts and _removable(root, f"/dev/{name}", disk):
            found.append(f"/dev/{name}")
    return tuple(found)


def chosen(found: tuple[Volume, ...], *, write: bool) -> Volume:
    """The one that is meant: the marked one, else the only one. Raises InvalidInput saying what is there instead."""
    marked = tuple(one for one in found if one.marked)
    listed = ", ".join(f"{one.device} on {one.place}" for one in found) or "none"
    if len(marked) == 1 or len(found) == 1:
        volume = (marked or found)[0]
    elif not found:
        raise InvalidInput(
            "expected a USB stick that is mounted, got none",
            remedy=(
                "请插入 U 盘并挂载（如 `sudo mount /dev/sda1 /mnt`），或用 -o 指定目录",
                "Plug a stick in and mount it (`sudo mount /dev/sda1 /mnt`), or name a folder with -o",
            ),
        )
    else:
        raise InvalidInput(
            f"expected one USB stick, got {len(marked) or len(found)}: {listed}",
            remedy=(
                f"请只保留一个，或在所用的那个上新建名为 {MARKER} 的文件，或用 -o 指定目录",
                f"Leave only one, or make a file {MARKER} on the one that is meant, or name a folder with -o",
            ),
        )
    if write and not volume.writable:
        raise InvalidInput(
            f"expected a USB stick that can be written, got {volume.device} mounted read-only on {volume.place}",
            remedy=("请打开写保护开关或重新以可写方式挂载", "Undo its write protection, or mount it for writing"),
        )
    return volume


def _plain(field: str) -> str:
    r"""A field of /proc/self/mounts without its escapes (`\040` is a space)."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), field)


def _disk(root: Path, device: str) -> str:
    """Name of the whole disk behind a node, such as `sda`; empty for what is no disk."""
    if not device.startswith("/dev/"):
        return ""
    place = root / "sys/class/block" / Path(device).name
    try:
        real = place.resolve(strict=True)
    except (OSError, RuntimeError):
        return ""
    return real.parent.name if (real / "partition").exists() else real.name


def _removable(root: Path, device: str, disk: str) -> bool:
    real = (root / "sys/class/block" / Path(device).name).resolve()
    if any(re.fullmatch(r"usb\d+", part) for part in real.parts):
        return True
    try:
        return (root / "sys/class/block" / disk / "removable").read_text().strip() == "1"
    except OSError:
        return False
