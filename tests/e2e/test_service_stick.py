"""A stick with a file system on it, put in as udev tells it, under the shipped units and a real systemd."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.device.known import FILE
from appliance.device.stick import LOCK
from tests.e2e.conftest import copy_models
from tests.e2e.shipped import ask, settle, ship, start, told, until, welcome
from tests.e2e.test_bundle import Site
from tests.systemd import ENVIRONMENT, PYTHON, Systemd
from tests.udev import Udev, ruled

pytestmark = [pytest.mark.systemd, pytest.mark.xdist_group("stick")]

USB = "appliance-usb@.service"
BYTES = 16 << 20


@contextmanager
def inserted(folder: Path, *, tune: tuple[str, ...] = (), spoil: int = 0) -> Iterator[tuple[str, Path]]:
    """A loop device with an ext4 file system of what is in `folder`, and its image; let go of in any case.

    `tune` is given to tune2fs; with `spoil` so many bytes behind the superblock are overwritten.
    """
    if os.geteuid() != 0:
        pytest.skip("a loop device takes root")
    for tool in ("losetup", "mkfs.ext4", "tune2fs"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    if "ext4" not in Path("/proc/filesystems").read_text().split():
        pytest.skip("this kernel has no ext4")
    image = folder.with_name(f"{folder.name}.image")
    image.touch()
    os.truncate(image, BYTES)
    _run("mkfs.ext4", "-q", "-F", "-b", "4096", "-d", str(folder), str(image))
    if tune:
        _run("tune2fs", *tune, str(image))
    if spoil:
        with image.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * spoil)
    made = subprocess.run(["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False)
    device = made.stdout.strip()
    if made.returncode or not device:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    try:
        yield device, image
    finally:
        _run("losetup", "--detach", device)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def unit_of(device: str) -> str:
    return USB.replace("@", f"@{Path(device).name}")


def put_in(systemd: Systemd, udev: Udev, device: str) -> str:
    """Put a stick in, and what the unit has said when it is done with it."""
    before = len(told(systemd, USB))
    udev.add(device)
    until(lambda: systemd.property(unit_of(device), "InactiveEnterTimestampMonotonic") != "0", 60)
    said = told(systemd, USB)[before:]
    udev.remove(device)
    until(lambda: systemd.property(f"dev-{Path(device).name}.device", "ActiveState") == "inactive", 20)
    return said


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The top folder of a stick."""
    made = tmp_path / "stick"
    made.mkdir()
    return made


@contextmanager
def waiting(tmp_path: Path) -> Iterator[tuple[Systemd, Udev]]:
    """A board that waits for sticks, and whose inbox nobody empties.

    It is always within its start here, and opens loop devices beside the disks that the unit names.
    """
    with Systemd(tmp_path, devices=True) as systemd:
        _ship_usb(systemd)
        settle(systemd)
        yield systemd, Udev(systemd)


def _ship_usb(systemd: Systemd) -> None:
    ship(systemd, USB, DeviceAllow="block-loop r")
    text = (systemd.folder / "units" / f"{USB}.d/test.conf").read_text()
    changed = text.replace(" service usb ", " service usb --start-s 1e12 ")
    assert changed != text
    systemd.unit(f"{USB}.d/test.conf", changed)


def inbox(systemd: Systemd) -> list[str]:
    """What lies in the inbox, hidden files too, except the lock."""
    return sorted(set(systemd.run("ls", "-A", "/var/lib/appliance/inbox").stdout.split()) - {LOCK})


def test_from_the_stick_to_a_serving_appliance(tmp_path: Path) -> None:
    """Put in, copied, pulled out, taken in, switched to; and left in, nothing happens at the next start."""
    state, top = tmp_path / "state", tmp_path / "stick"
    copy_models(state)
    top.mkdir()
    site = Site(tmp_path, state)
    site.make(1, site.pack("欢迎光临！")).rename(top / "menu.bundle")
    with inserted(top) as (device, _), Systemd(tmp_path, state=state, devices=True) as systemd:
        ship(systemd, "appliance.service", "appliance-update.service", "appliance-update.path")
        _ship_usb(systemd)
        settle(systemd, bundle_watch_s=1)
        start(systemd, "appliance.service")
        start(systemd, "appliance-update.path")
        udev = Udev(systemd)
        assert welcome(systemd).startswith("您好！")
        pid = systemd.property("appliance.service", "MainPID")
        said = put_in(systemd, udev, device)
        assert ".bundle: 已放入收件目录" in said
        assert systemd.property(unit_of(device), "Result") == "success"
        until(lambda: welcome(systemd).startswith("欢迎光临！"))
        until(lambda: site.listed()["current"])
        assert systemd.property("appliance.service", "MainPID") == pid
        assert systemd.property("appliance.service", "NRestarts") == "0"
        systemd.until("appliance-update.service", "ActiveState", "inactive")
        assert systemd.property("appliance-update.service", "Result") == "success"
        assert inbox(systemd) == [".lock", FILE]
        # At the next start it is still there, and nothing is copied nor refused.
        assert "以前取过" in put_in(systemd, udev, device)
        assert inbox(systemd) == [".lock", FILE]
        assert systemd.property("appliance-update.service", "Result") == "success"
        assert ask(systemd, "/readyz")[0] == 200


def test_within_its_sandbox_it_copies_as_the_user_that_serves_and_shuts_the_stick(tmp_path: Path, top: Path) -> None:
    (top / "menu.bundle").write_bytes(b"menu" * 1000)
    (top / "link.bundle").symlink_to("/etc/shadow")
    # What a power cut has left of another time.
    with inserted(top) as (device, image), waiting(tmp_path) as (systemd, udev):
        before = image.read_bytes()
        left = "/var/lib/appliance/inbox/.usb-1.part"
        assert systemd.run("install", "-D", "-o", "appliance", "-g", "appliance", "/dev/null", left).returncode == 0
        # Hold the inbox, so that the unit can be looked at while the stick is mounted.
        with _held(systemd):
            udev.add(device)
            until(lambda: _mount_of(systemd, device), 60)
            options = _mount_of(systemd, device)
            assert {"ro", "nosuid", "nodev", "noexec"} <= set(options[0].split(","))
            assert "norecovery" in options[1].split(","), "the journal would be written back to the stick"
            assert device not in systemd.run("cat", "/proc/self/mounts").stdout, "it is seen outside of the unit"
        systemd.until(unit_of(device), "ActiveState", "inactive")
        assert systemd.property(unit_of(device), "Result") == "success", told(systemd, USB)
        (name,) = [name for name in inbox(systemd) if name != FILE]
        owner = systemd.run("stat", "-c", "%U %G %a %s", f"/var/lib/appliance/inbox/{name}").stdout.split()
        assert owner == ["appliance", "appliance", "600", "4000"]
        assert "略过 / passed over: 'link.bundle'" in told(systemd, USB)
        assert image.read_bytes() == before


@contextmanager
def _held(systemd: Systemd) -> Iterator[None]:
    """Nobody else may write to the inbox; as another stick's unit would have it."""
    folder = "/var/lib/appliance/inbox"
    own = ("install", "-o", "appliance", "-g", "appliance")
    assert systemd.run(*own, "-d", folder).returncode == 0
    assert systemd.run(*own, "-m", "0600", "/dev/null", f"{folder}/{LOCK}").returncode == 0
    with Path(f"/proc/{systemd.pid}/root{folder}/{LOCK}").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _mount_of(systemd: Systemd, device: str) -> tuple[str, str] | None:
    """Options of the mount and of the file system of a stick, in the unit's own world."""
    pid = systemd.property(unit_of(device), "MainPID")
    for row in systemd.run("cat", f"/proc/{pid}/mountinfo").stdout.splitlines():
        here, _, there = row.partition(" - ")
        if there.split()[1:2] == [device]:
            return here.split()[5], there.split()[2]
    return None


@pytest.mark.parametrize("tune", [("-e", "panic"), ("-E", "mount_opts=errors=panic")], ids=["behaviour", "options"])
def test_a_stick_that_wants_the_board_to_panic_does_not_get_it(
    tmp_path: Path, top: Path, tune: tuple[str, ...]
) -> None:
    """The file system is whole: nothing on this machine is put to the test."""
    (top / "menu.bundle").write_bytes(b"menu")
    with inserted(top, tune=tune) as (device, _), waiting(tmp_path) as (systemd, udev):
        with _held(systemd):
            udev.add(device)
            options = until(lambda: _mount_of(systemd, device), 60)[1].split(",")
        assert "errors=panic" not in options
        if tune[0] == "-e":  # the kernel names it where it is not what the superblock says
            assert "errors=remount-ro" in options
        systemd.until(unit_of(device), "ActiveState", "inactive")
        assert systemd.property(unit_of(device), "Result") == "success"


FIRST_BOOT = """
import sys
from appliance.support.firstboot import _mounted
with _mounted(sys.argv[1]) as place:
    print(open("/proc/self/mounts").read())
    assert (place / "menu.bundle").read_bytes() == b"menu"
"""


def test_nor_at_the_first_boot(tmp_path: Path, top: Path) -> None:
    """Its settings are looked for on a stick in the same way."""
    (top / "menu.bundle").write_bytes(b"menu")
    with inserted(top, tune=("-e", "panic")) as (device, _), Systemd(tmp_path) as systemd:
        done = systemd.run("env", *ENVIRONMENT.split(), PYTHON, "-c", FIRST_BOOT, device)
        assert done.returncode == 0, done.stderr
        (row,) = [row for row in done.stdout.splitlines() if row.startswith(f"{device} ")]
        assert {"ro", "nosuid", "nodev", "noexec", "errors=remount-ro"} <= set(row.split()[3].split(","))


def test_a_damaged_file_system_is_told_as_that(tmp_path: Path, top: Path) -> None:
    (top / "menu.bundle").write_bytes(b"menu")
    with inserted(top, spoil=64 << 10) as (device, _), waiting(tmp_path) as (systemd, udev):
        said = put_in(systemd, udev, device)
        assert f"{device}: expected a whole file system, got a damaged ext4" in said
        assert "repair or format it at a desk" in said
        assert "Traceback" not in said
        assert [name for name in inbox(systemd) if not name.startswith(".")] == []


def test_what_is_pulled_out_while_it_is_read_leaves_nothing_half(tmp_path: Path, top: Path) -> None:
    """The far part of the disk is gone, as it is for the kernel once a stick is out."""
    (top / "menu.bundle").write_bytes(secrets.token_bytes(8 << 20))
    with inserted(top) as (device, image), waiting(tmp_path) as (systemd, udev):
        os.truncate(image, 6 << 20)
        said = put_in(systemd, udev, device)
        assert "Input/output error" in said
        assert "pulled out, or damaged" in said
        assert "Put the stick in again" in said
        assert inbox(systemd) == []


def test_the_unit_ends_with_its_device(tmp_path: Path, top: Path) -> None:
    (top / "menu.bundle").write_bytes(b"menu")
    with inserted(top) as (device, _), waiting(tmp_path) as (systemd, udev):
        with _held(systemd):
            udev.add(device)
            until(lambda: _mount_of(systemd, device), 60)
            udev.remove(device)
            until(lambda: systemd.property(unit_of(device), "ActiveState") in ("inactive", "failed"), 20)
        assert "told to end: pulled out" in told(systemd, USB)
        assert [name for name in inbox(systemd) if not name.startswith(".")] == []


def test_the_rule_starts_the_unit_for_what_is_put_in_and_for_nothing_else() -> None:
    told_of = stick_of("add")
    assert ruled(told_of)["SYSTEMD_WANTS"] == "appliance-usb@sdz1.service"
    for other in ({"ACTION": "remove"}, {"ID_BUS": "ata"}, {"ID_FS_TYPE": "ntfs"}, {"SUBSYSTEM": "usb"}):
        assert "SYSTEMD_WANTS" not in ruled(told_of | other), other


def stick_of(action: str) -> dict[str, str]:
    return {
        "ACTION": action,
        "SUBSYSTEM": "block",
        "DEVNAME": "/dev/sdz1",
        "ID_BUS": "usb",
        "ID_FS_TYPE": "vfat",
    }
