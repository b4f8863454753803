"""Sets the board's power mode by its name: numbers mean another mode on every board (15W is 2, 0 or 1 on three Orins).

nvpmodel knows modes by number and /etc/nvpmodel.conf their names. A mode with another number of cores or GPU parts
needs a reboot: nvpmodel then asks a terminal for leave and, without one, changes nothing and says nothing about it. So
what counts is what it answers afterwards. Not yet measured on hardware.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import PowerModeRefused, SettingInvalid, Unavailable

CONF = Path("etc/nvpmodel.conf")
PROGRAM = "nvpmodel"
ANSWER_S = 60.0
"""Seconds that nvpmodel may take; it waits for clocks to settle."""

_MODEL = re.compile(r"<\s*POWER_MODEL\s+ID\s*=\s*(\d+)\s+NAME\s*=\s*(\S+?)\s*>")
_MODE = re.compile(r"NV Power Mode:\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Switched:
    """What became of a wish for a mode."""

    mode: str
    """The mode in force, by the name in nvpmodel.conf."""
    before: str
    """The one before it; the same when nothing had to be changed."""


def modes(root: Path = Path("/")) -> dict[str, int]:
    """The board's modes, number by name, in the order of nvpmodel.conf below `root`.

    Raises Unavailable where there is no such file, as on anything but a Jetson, or none in it.
    """
    path = root / CONF
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise _absent(f"{path}: {error.strerror}") from error
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = {match[2]: int(match[1]) for line in lines for match in _MODEL.finditer(line)}
    if not found:
        raise _absent(f"{path}: expected lines with POWER_MODEL, got none")
    return found


def current(program: str = PROGRAM) -> str:
    """Name of the mode in force. Raises Unavailable when nvpmodel is not there or does not say."""
    said = _run(program, "-q")
    found = _MODE.search(said)
    if found is None:
        raise _absent(f"{program} -q: expected a line 'NV Power Mode: NAME', got {said[:200]!r}")
    return found[1]


def switch(name: str, root: Path = Path("/"), program: str = PROGRAM) -> Switched:
    """Bring the board into the mode called `name`, capitals apart. Takes root.

    Raises SettingInvalid for a name that this board does not have, Unavailable without nvpmodel, PowerModeRefused when
    the board keeps its mode, which it does when the new one needs a reboot.
    """
    known = modes(root)
    wanted = next((mode for mode in known if mode.casefold() == name.casefold()), None)
    if wanted is None:
        raise SettingInvalid(
            f"power_mode: expected one of this board's modes ({', '.join(known)}), got {name!r}",
            remedy=("请选用上面列出的模式名称", "Choose one of the names above"),
        )
    before = current(program)
    if before.casefold() == wanted.casefold():
        return Switched(wanted, wanted)
    said = _run(program, "-m", str(known[wanted]))
    after = current(program)
    if after.casefold() != wanted.casefold():
        raise PowerModeRefused(
            f"power mode: expected {wanted}, got {after} after nvpmodel -m {known[wanted]}"
            + (f", which said {' '.join(said.split())[:300]!r}" if said.strip() else ""),
            remedy=(
                f"该模式可能需要重启：请在终端运行 `sudo nvpmodel -m {known[wanted]}` 并确认重启",
                f"It may need a reboot: run `sudo nvpmodel -m {known[wanted]}` in a terminal and confirm it",
            ),
        )
    return Switched(wanted, before)


def _run(program: str, *arguments: str) -> str:
    """What nvpmodel said; its exit status tells nothing of a mode that it did not set. Nobody answers its questions."""
    if shutil.which(program) is None:
        raise _absent(f"{program}: expected the program, got none")
    try:
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _absent(f"{program} {' '.join(arguments)}: {error}") from error
    return done.stdout


def _absent(detail: str) -> Unavailable:
    return Unavailable(
        detail,
        remedy=(
            "只有装有 NVIDIA L4T 的 Jetson 才有功率模式；在其他机器上请将 power_mode 留空",
            "Only a Jetson with NVIDIA's L4T has power modes; leave power_mode empty elsewhere",
        ),
    )
