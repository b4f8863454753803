"""A Jetson that is none: a small tree of the files that the installer reads, stand-ins for the programs it calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

PROGRAMS = (
    *("id", "uname", "date", "df", "getent", "dpkg-query", "install", "mv", "ln", "cp", "rm", "mkdir", "rmdir"),
    *("chmod", "chown", "chgrp", "udevadm", "systemd-tmpfiles", "systemd-sysusers", "userdel", "apt-get"),
    *("systemctl", "env", "runuser", "python3"),
)
ENVIRONMENT = re.compile(r"venv-\d+\.\d+\.\d+-[0-9a-f]{10}")


@dataclass(frozen=True)
class Board:
    """What a board says about itself."""

    l4t: str = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64"
    """First line of /etc/nv_tegra_release."""
    model: str = "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"
    """Of the device tree."""
    compatible: tuple[str, ...] = ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234")
    """Of the device tree."""
    ubuntu: str = "22.04"
    """VERSION_ID."""
    python: str = "3.10"
    """Of the system's python3."""
    memory_kb: int = 7_800_000
    """MemTotal."""


JETPACK_6 = Board()
AGX_6 = Board(
    l4t="# R36 (release), REVISION: 5.0, GCID: 1, BOARD: generic, EABI: aarch64",
    model="NVIDIA Jetson AGX Orin Developer Kit",
    compatible=("nvidia,p3737-0000+p3701-0005", "nvidia,p3701-0005", "nvidia,tegra234"),
    memory_kb=64_000_000,
)
JETPACK_7 = Board(
    l4t="# R39 (release), REVISION: 2.0, GCID: 1, BOARD: generic, EABI: aarch64", ubuntu="24.04", python="3.12"
)
THOR_7 = Board(
    l4t="# R38 (release), REVISION: 2.0, GCID: 1, BOARD: generic, EABI: aarch64",
    model="NVIDIA Jetson AGX Thor Developer Kit",
    compatible=("nvidia,p3971-0089+p3834-0008", "nvidia,p3834-0008", "nvidia,tegra264"),
    ubuntu="24.04",
    python="3.12",
    memory_kb=128_000_000,
)
BOARDS = {"jetpack-6": JETPACK_6, "agx-6": AGX_6, "jetpack-7": JETPACK_7, "thor-7": THOR_7}


def checkout(folder: Path) -> None:
    """A checkout as far as the installer looks at it: its own parts whole, of the program what makes it one."""
    for name in ("jetson", "systemd", "constraints"):
        shutil.copytree(REPOSITORY / name, folder / name)
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder / name)
    (folder / "appliance").mkdir()
    shutil.copy(REPOSITORY / "appliance/__init__.py", folder / "appliance")
    (folder / "models").mkdir()


class Machine:
    """One board with its programs; `fake` says what fails, `tree` is its root."""

    def __init__(self, folder: Path, board: Board = JETPACK_6) -> None:
        self.tree, self.fake, self.repository = folder / "tree", folder / "fake", folder / "repository"
        checkout(self.repository)
        for name in ("bin", "users", "packages", "active", "enabled"):
            (self.fake / name).mkdir(parents=True)
        for name in PROGRAMS:
            (self.fake / "bin" / name).symlink_to(REPOSITORY / "tests/jetson/programs")
        (self.fake / "bin/python3").unlink()  # copied into environments, where a link would be followed
        (self.fake / "bin/python3").write_bytes((REPOSITORY / "tests/jetson/programs").read_bytes())
        (self.fake / "bin/python3").chmod(0o755)
        knobs = {"uid": "0", "arch": "aarch64", "year": "2026", "free": "40000", "tensorrt": "10.3.0", "cuda": "0"}
        for name, value in (knobs | {"python": board.python}).items():
            self.set(name, value)
        for package in ("libc6", "python3-libnvinfer"):
            (self.fake / "packages" / package).touch()
        for name, text in {
            "etc/nv_tegra_release": board.l4t + "\n",
            "etc/os-release": f'NAME="Ubuntu"\nVERSION_ID="{board.ubuntu}"\n',
            "proc/meminfo": f"MemTotal:       {board.memory_kb} kB\nMemFree: 1 kB\n",
            "proc/device-tree/model": board.model + "\0",
            "proc/device-tree/compatible": "".join(f"{name}\0" for name in board.compatible),
        }.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text)
        (self.tree / "run").mkdir()

    def set(self, knob: str, value: str) -> None:
        """Make one thing so."""
        (self.fake / knob).write_text(value + "\n")

    def clear(self, *knobs: str) -> None:
        """Make it as usual again."""
        for knob in knobs:
            (self.fake / knob).unlink(missing_ok=True)

    def kiosk(self, name: str = "shop") -> None:
        """There is a user of the screen, with PulseAudio or PipeWire as Ubuntu has it."""
        self.set(f"users/{name}", f"/home/{name}")
        (self.tree / "home" / name).mkdir(parents=True)

    def install(
        self, *options: str, yes: bool = True, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the installer, whose questions nobody answers; `calls` tells what it did, `environ` is the caller's."""
        self.clear("calls", "count")
        own = {"PATH": f"{self.fake}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        command = [str(self.repository / "jetson/install.sh"), *["--yes"] * yes, "--root", str(self.tree), *options]
        return subprocess.run(
            ["bash", "-c", 'echo $$ >"$FAKE/installer"; exec "$@"', "bash", *command],
            env={**(environ or {}), **own} | {"FAKE": str(self.fake), "TREE": str(self.tree)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @property
    def calls(self) -> list[str]:
        """Every call that changes something, without what differs from version to version."""
        text = (self.fake / "calls").read_text() if (self.fake / "calls").exists() else ""
        return [self.plain(line) for line in text.splitlines()]

    def plain(self, line: str) -> str:
        """A line without paths of this test."""
        line = line.replace(str(self.tree), "").replace(str(self.repository), "SOURCE")
        return ENVIRONMENT.sub("venv-VERSION", line)

    def shown(self, text: str) -> list[str]:
        """The commands that the installer printed."""
        return [self.plain(line[4:]) for line in text.splitlines() if line.startswith("  + ")]

    def files(self) -> dict[str, str]:
        """What lies in the tree: paths with what is in them, links with where they lead."""
        return dict(self._files())

    def _files(self) -> Iterator[tuple[str, str]]:
        for folder, folders, names in os.walk(self.tree):
            for name in sorted([*folders, *names]):
                path = Path(folder) / name
                shown = self.plain(str(path))
                if path.is_symlink():
                    yield shown, "-> " + self.plain(str(path.readlink()))
                elif path.is_file():
                    yield shown, f"{path.stat().st_mode & 0o777:o} {self.plain(path.read_text(errors='replace'))}"
                elif not any(path.iterdir()):
                    yield shown, "empty"


def installed(machine: Machine, *options: str) -> str:
    """What the installer said when it went through."""
    done = machine.install(*options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
