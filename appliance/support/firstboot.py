"""Settings from a USB stick, on a machine that has none yet.

A stranger with a stick must not change an appliance that is in use. So this happens once: when it has run, whether it
found a stick or not, a mark beside the settings says so, and only root can remove it. A stick is mounted for reading,
without programs, devices or rights of its own, and one plain file at its top is read.
"""

from __future__ import annotations

import grp
import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.disk import storage, sync
from appliance.artifacts.staging import write
from appliance.device.stick import BARE, EXT4, OPTIONS
from appliance.errors import InvalidInput, SettingInvalid, StorageFailed
from appliance.settings import Settings, load_settings
from appliance.support.change import MARK
from appliance.support.stick import partitions, volumes

NAME = "appliance.yaml"
MOST_BYTES = 64 * 1024
_WAYS = (("ext4,ext3,ext2", OPTIONS + EXT4), ("vfat,exfat", OPTIONS), ("iso9660,ntfs3", BARE))
"""Kinds of file systems, each with the options that it knows."""
_MOUNT_S = 20.0
_AGAIN_S = 0.5
_GROUP = "appliance"

Mounts = Callable[[str], AbstractContextManager[Path]]
"""Mounts a node and gives the place where it is; raises OSError."""


@dataclass(frozen=True, slots=True)
class Found:
    """Settings on a stick."""

    where: str
    """The stick and the file."""
    content: bytes
    """The file."""


def done_mark(config: Path | None) -> Path | None:
    """The file that says that the first boot has been."""
    return None if config is None else config.with_name(MARK)


def configured(config: Path) -> bool:
    """True when `config` says more than where the data lies, as the file that is installed with the units does."""
    try:
        found = load_settings(config, {})
    except SettingInvalid:
        return config.exists()  # somebody has written something there
    return found != Settings(data_dir=found.data_dir)


def search(folder: Path | None, wait_s: float, mounted: Mounts | None = None, root: Path = Path("/")) -> Found | None:
    """The settings on the one stick that has any, or in `folder`; None when there are none within `wait_s` seconds.

    Raises InvalidInput when several sticks have some.
    """
    if folder is not None:
        content = _read(folder / NAME)
        return None if content is None else Found(str(folder / NAME), content)
    until = time.monotonic() + wait_s
    while True:
        found = list(_on_sticks(mounted or _mounted, root))
        if len(found) > 1:
            raise InvalidInput(
                f"expected {NAME} on one stick, got it on {', '.join(one.where for one in found)}",
                remedy=("请只插入一个 U 盘后重新启动", "Leave one stick plugged in and start again"),
            )
        if found or time.monotonic() >= until:
            return found[0] if found else None
        time.sleep(_AGAIN_S)


def install(found: Found, config: Path) -> Settings:
    """Check the settings and put them in place, whole or not at all. Raises SettingInvalid naming what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / NAME
        trial.write_bytes(found.content)
        try:
            settings = load_settings(trial, {})
        except SettingInvalid as error:
            detail = error.detail.replace(str(trial), found.where)
            raise SettingInvalid(
                detail,
                remedy=("请修改 U 盘上的文件后重新启动", "Correct the file on the stick and start again"),
            ) from error
    with storage(config):
        config.parent.mkdir(parents=True, exist_ok=True)
        stage = config.with_name(f".{config.name}.{os.getpid()}")
        stage.unlink(missing_ok=True)
        try:
            write(stage, found.content, 0o640)
            # Its secrets are read by the service's user, and by nobody else.
            with suppress(KeyError, PermissionError):
                os.chown(stage, -1, grp.getgrnam(_GROUP).gr_gid)
            stage.replace(config)
        finally:
            stage.unlink(missing_ok=True)
        sync(config.parent)
    return settings


def close(config: Path) -> None:
    """Say that the first boot has been. Raises StorageFailed."""
    mark = config.with_name(MARK)
    with storage(mark):
        mark.parent.mkdir(parents=True, exist_ok=True)
        if not mark.exists():
            write(mark, b"")
            sync(mark.parent)


def _on_sticks(mounted: Mounts, root: Path) -> Iterator[Found]:
    there = {volume.device: volume.place for volume in volumes(root)}
    for device in dict.fromkeys((*there, *partitions(root))):
        try:
            if device in there:
                content = _read(there[device] / NAME)
            else:
                with mounted(device) as place:
                    content = _read(place / NAME)
        except (OSError, subprocess.SubprocessError):  # a disk that cannot be read has no settings
            continue
        if content is not None:
            yield Found(f"{device}/{NAME}", content)


def _read(path: Path) -> bytes | None:
    """The plain file at `path`; None where there is none. Raises InvalidInput for what is none, StorageFailed."""
    try:
        # Neither through a link, which could lead to /etc/shadow, nor waiting for somebody at a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailed(f"{path}: expected a plain file, got {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput(f"{path}: expected a plain file, got a folder or device")
    with os.fdopen(handle, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"{path}: expected at most {MOST_BYTES} bytes, got more")
    return content


@contextmanager
def _mounted(device: str) -> Iterator[Path]:
    """Mount for reading alone, below the folder that the unit has for itself."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("RUNTIME_DIRECTORY")) as place:
        _mount(device, place)
        try:
            yield Path(place)
        finally:
            _run("umount", place)


def _mount(device: str, place: str) -> None:
    refused = OSError(f"{device}: no file system that is known")
    for kinds, options in _WAYS:
        try:
            return _run("mount", "-t", kinds, "-o", options, device, place)
        except OSError as error:
            refused = error
    raise refused


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, timeout=_MOUNT_S, check=False)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.decode('utf-8', 'replace').strip()}")
