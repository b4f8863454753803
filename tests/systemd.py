"""A systemd of its own: PID 1 of namespaces made for it, whose network, /etc, /opt, /run and /tmp nobody else sees.

It takes root, util-linux, and a kernel that lets root make namespaces and mount cgroup2; `Systemd` skips, saying what
lacks, elsewhere. Nothing of the machine's own systemd, users, services or network is touched: all of it ends with the
process that the namespaces belong to.

    with Systemd(folder) as systemd:
        systemd.unit("appliance.service", text)
        assert systemd.ctl("start", "appliance.service").returncode == 0
        systemd.property("appliance.service", "ActiveState")
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

INIT = Path("/lib/systemd/systemd")
PATIENCE_S = 20.0
"""Longest wait for it to answer; it takes 0.2 s on an idle machine."""
PYTHON = "/opt/appliance/python/bin/python" + ".".join(map(str, sys.version_info[:2]))
"""This interpreter, as services see it: where it really lies may be closed to their user."""
INSIDE = "/run/test"
"""Where the test's folder lies there."""
ENVIRONMENT = (
    "PYTHONPATH=/opt/appliance/repository:/opt/appliance/site-packages LD_LIBRARY_PATH=/opt/appliance/python/lib"
)
"""What the interpreter needs to find its own library and the project's packages."""

TARGETS = ("sysinit", "basic", "shutdown", "umount", "network", "sound", "multi-user")
"""Targets that units are ordered by; here there is nothing in them."""

# The order counts: first what is to be kept is bound to where it will be seen, then the rest is covered or made
# read-only, and only then systemd starts. It finds no unit files but the test's and runs no generators: of the
# machine's own units (the one that empties /tmp, say) it must never hear, and the machine's disk it cannot write to.
_SETUP = """
set -e
echo $$ >"$GROUP/cgroup.procs"
exec unshare --cgroup --mount --pid --fork --kill-child --ipc --uts --net --mount-proc --propagation private sh -ec '
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir /run/test /run/etc /run/none
  mount --bind "$FOLDER" /run/test
  cp -a /etc/. /run/etc
  mount --bind /run/etc /etc
  mount -t tmpfs -o mode=755 tmpfs /opt
  mkdir -p /opt/appliance/python /opt/appliance/repository /opt/appliance/site-packages
  mount --bind "$BASE" /opt/appliance/python
  mount --bind "$REPOSITORY" /opt/appliance/repository
  mount --bind "$PACKAGES" /opt/appliance/site-packages
  mount -t tmpfs -o mode=755 tmpfs /var/lib
  mkdir /var/lib/appliance
  if [ -n "$STATE" ]; then mount --bind "$STATE" /var/lib/appliance; fi
  for place in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$place"; done
  mount --bind /proc/sys /proc/sys
  for place in / /dev /sys /proc/sys /opt/appliance/python /opt/appliance/repository /opt/appliance/site-packages; do
    mount -o remount,bind,ro "$place"
  done
  if [ -n "$DEVICES" ]; then
    mkdir -p /run/udev/data /run/udev/tags/systemd /run/sys
    touch /run/udev/control
    mount -t tmpfs -o mode=755 tmpfs /run/sys
    for part in /sys/*; do
      mkdir "/run/sys/${part##*/}"
      mount --bind "$part" "/run/sys/${part##*/}"
      mount -o remount,bind,ro "/run/sys/${part##*/}"
    done
    umount -R /sys/fs/cgroup
    mount --move /run/sys /sys
  else
    umount -R /sys/fs/cgroup
  fi
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  ip link set lo up
  for address in $ADDRESSES; do ip address add "$address" dev lo; done
  exec env -i PATH="$PATH" container=other SYSTEMD_UNIT_PATH=/run/test/units SYSTEMD_GENERATOR_PATH=/run/none \
    SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none "$INIT" --system --unit=test.target --log-target=null \
    --show-status=0 </dev/null
'
"""


class Systemd:
    """One systemd; use as a context manager."""

    def __init__(
        self, folder: Path, *, state: Path | None = None, addresses: tuple[str, ...] = (), devices: bool = False
    ) -> None:
        """Keep its files in `folder`, INSIDE for it; `state` becomes /var/lib/appliance; loopback has `addresses`.

        With `devices` it has units for devices, of which `tests.udev` tells it; systemd has none where /sys itself is
        read-only, so that then only what lies in it is.
        """
        self.folder, self._units = folder, folder / "units"
        self._added: list[str] = []
        self._state, self._addresses, self._devices = state, addresses, devices
        self._group: Path | None = None
        self._outer: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def unit(self, name: str, text: str) -> None:
        """Add a unit or, with a name such as `x.service.d/y.conf`, a drop-in."""
        if "/" not in name:
            self._added.append(name)
        place = self._units / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")

    def ctl(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """`systemctl ARGUMENTS`."""
        return self.run("systemctl", *arguments, timeout=timeout)

    def run(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `command` beside it, as root."""
        self._check()
        inside = ["nsenter", "--target", str(self._pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup"]
        return subprocess.run(
            [*inside, *command], capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )

    @property
    def pid(self) -> int:
        """The process that it is for this machine."""
        self._check()
        return self._pid

    def property(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.ctl("show", "--property", name, "--value", unit).stdout.strip()

    def until(self, unit: str, name: str, value: str, within_s: float = 30.0) -> None:
        """Wait until a unit's property is `value`."""
        end = time.monotonic() + within_s
        while (found := self.property(unit, name)) != value:
            assert time.monotonic() < end, f"{unit}: expected {name}={value} within {within_s} s, got {found}"
            time.sleep(0.05)

    def __enter__(self) -> Systemd:
        for lacks, missing in (
            (os.geteuid() != 0, "root"),
            (not INIT.exists(), "systemd"),
            (not all(map(shutil.which, ("unshare", "nsenter", "ip"))), "unshare, nsenter and ip"),
        ):
            if lacks:
                pytest.skip(f"a systemd of the test's own takes {missing}")
        for name in ("test", *TARGETS):
            self.unit(f"{name}.target", f"[Unit]\nDescription={name} of a test\nDefaultDependencies=no\n")
        try:
            self._start()
        except OSError as error:
            self._end()
            pytest.skip(f"no systemd of the test's own: {error}")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for name in self._added:
                if name.endswith(".service"):
                    self.ctl("stop", name)
        finally:
            self._end()

    def _check(self) -> None:
        """Make sure that a command runs there and not on the machine itself."""
        assert self._outer is not None
        assert self._outer.poll() is None, "the test's systemd has ended"
        own, there = (Path(f"/proc/{pid}/ns/mnt").readlink() for pid in ("self", self._pid))
        assert own != there, "the test's systemd is in no namespace of its own"

    def _start(self) -> None:
        root = next((path for path in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")) if _is_v2(path)), None)
        if root is None:
            raise OSError("expected cgroup2 below /sys/fs/cgroup, got none")
        self._group = root / f"test-{secrets.token_hex(6)}"
        self._group.mkdir()
        environ = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            "GROUP": str(self._group),
            "FOLDER": str(self.folder),
            "BASE": sys.base_prefix,
            "REPOSITORY": str(REPOSITORY),
            "PACKAGES": str(Path(pytest.__file__).parent.parent),
            "STATE": str(self._state or ""),
            "ADDRESSES": " ".join(f"{address}/32" for address in self._addresses),
            "DEVICES": "yes" if self._devices else "",
            "INIT": str(INIT),
        }
        log = self.folder / "setup.log"
        with log.open("wb") as out:
            self._outer = subprocess.Popen(
                ["sh", "-c", _SETUP], env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self._outer.poll() is not None:
                raise OSError(f"it could not be set up: {log.read_text(errors='replace').strip()[-300:]}")
            self._pid = self._pid or _child(self._outer.pid)
            if self._pid and self.ctl("is-active", "test.target").stdout.strip() == "active":
                return
            time.sleep(0.05)
        raise OSError(f"it did not answer within {PATIENCE_S:.0f} s")

    def _end(self) -> None:
        if self._outer is not None:
            self._outer.kill()
            self._outer.wait()
        if self._group is not None:
            _remove(self._group)


def _is_v2(path: Path) -> bool:
    return (path / "cgroup.procs").exists() and (path / "cgroup.controllers").exists()


def _child(pid: int) -> int:
    """The process that `unshare --fork` made; 0 before it has, and while that still is the shell that sets up."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children and Path(f"/proc/{children[0]}/exe").readlink().name == INIT.name else 0
    except OSError:
        return 0


def _remove(group: Path) -> None:
    """Remove a control group and those below it, once the kernel has taken their processes out."""
    for _ in range(100):
        for path in [*sorted(group.rglob("*"), reverse=True), group]:
            if path.is_dir():
                _rmdir(path)
        if not group.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{group} still has processes")


def _rmdir(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return
