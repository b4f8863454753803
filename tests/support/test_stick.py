"""Which stick is meant, on trees of files as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.errors import InvalidInput
from appliance.support.stick import MARKER, chosen, volumes


def disk(root: Path, name: str, *parts: str, usb: bool = True, removable: bool = True) -> None:
    bus = "usb1/1-2/1-2:1.0" if usb else "nvme0"
    whole = root / "sys/devices/pci0" / bus / "block" / name
    whole.mkdir(parents=True)
    (whole / "removable").write_text("1\n" if removable else "0\n")
    index = root / "sys/class/block"
    index.mkdir(parents=True, exist_ok=True)
    (index / name).symlink_to(whole)
    for part in parts:
        (whole / part).mkdir()
        (whole / part / "partition").write_text("1\n")
        (index / part).symlink_to(whole / part)


def mounted(root: Path, *rows: str) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/mounts").write_text("\n".join(rows) + "\n")
    for row in rows:
        (root / row.split()[1].replace("\\040", " ").lstrip("/")).mkdir(parents=True, exist_ok=True)


def test_a_stick_is_found_and_the_systems_own_disk_is_not(tmp_path: Path) -> None:
    disk(tmp_path, "sda", "sda1", "sda2")  # a board that runs from a USB disk
    disk(tmp_path, "sdb", "sdb1", removable=False)  # some sticks say that they cannot be removed
    disk(tmp_path, "nvme0n1", "nvme0n1p1", usb=False, removable=False)
    mounted(
        tmp_path,
        "/dev/sda1 / ext4 rw 0 0",
        "/dev/sda2 /data ext4 rw 0 0",
        "/dev/nvme0n1p1 /models ext4 rw 0 0",
        "tmpfs /run tmpfs rw 0 0",
        r"/dev/sdb1 /media/KIOSK\0401 vfat rw,nosuid 0 0",
    )
    (found,) = volumes(tmp_path)
    assert (found.device, found.place, found.writable) == ("/dev/sdb1", tmp_path / "media/KIOSK 1", True)
    assert chosen((found,), write=True) == found


def test_of_several_the_marked_one_is_meant(tmp_path: Path) -> None:
    for name in ("sdb", "sdc"):
        disk(tmp_path, name, f"{name}1")
    mounted(tmp_path, "/dev/sdb1 /mnt/b vfat rw 0 0", "/dev/sdc1 /mnt/c vfat ro 0 0")
    with pytest.raises(InvalidInput, match="expected one USB stick, got 2: /dev/sdb1"):
        chosen(volumes(tmp_path), write=False)
    (tmp_path / "mnt/c" / MARKER).touch()
    assert chosen(volumes(tmp_path), write=False).device == "/dev/sdc1"
    with pytest.raises(InvalidInput, match="mounted read-only"):
        chosen(volumes(tmp_path), write=True)
    (tmp_path / "mnt/b" / MARKER).touch()
    with pytest.raises(InvalidInput, match="expected one USB stick, got 2"):
        chosen(volumes(tmp_path), write=False)


def test_none_is_said(tmp_path: Path) -> None:
    mounted(tmp_path, "tmpfs /run tmpfs rw 0 0")
    with pytest.raises(InvalidInput, match="got none"):
        chosen(volumes(tmp_path), write=True)
    assert volumes(tmp_path / "nowhere") == ()
