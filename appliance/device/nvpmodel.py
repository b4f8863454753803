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

from appliance.device import mode
from appliance.errors import PowerModeRefused, Unavailable

PROGRAM = "nvpmodel"
ANSWER_S = 60.0
"""Seconds that nvpmodel may take; it waits for clocks to settle."""

_MODE = re.compile(r"NV Power Mode:\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Switched:
    """What became of a wish for a mode."""

    mode: str
    """The mode in force, by the name in nvpmodel.conf."""
    before: str
    """The one before it; the same when nothing had to be changed."""


def current(program: str = PROGRAM) -> str:
    """Name of the mode in force. Raises Unavailable when nvpmodel is not there or does not say."""
    said = _run(program, "-q")
    found = _MODE.search(said)
    if found is None:
        raise _absent(f"{program} -q: expected a line 'NV Power Mode: NAME', got {said[:200]!r}")
    return found[1]


def switch(name: str, root: Path = Path("/"), program: str = PROGRAM) -> Switched:
    """Bring the board into the mode called `name` (`mode.Modes.number` says how names are compared). Takes root.

    Raises SettingInvalid for a name that this board does not have, Unavailable without nvpmodel, PowerModeRefused when
    the board keeps its mode, which it does when the new one needs a reboot.
    """
    known = mode.read_modes(root)
    if not known.names:
        raise _absent(f"{root / mode.CONF}: expected lines with POWER_MODEL, got none")
    number = known.number(name)
    wanted = known.names[number]
    before = current(program)
    if before.casefold() == wanted.casefold():
        return Switched(wanted, wanted)
    said = _run(program, "-m", str(number))
    after = current(program)
    if after.casefold() != wanted.casefold():
        raise PowerModeRefused(
            f"power mode: expected {wanted}, got {after} after nvpmodel -m {number}"
            + (f", which said {' '.join(said.split())[:300]!r}" if said.strip() else ""),
            remedy=(
                f"该模式可能需要重启：请在终端运行 `sudo nvpmodel -m {number}` 并确认重启",
                f"It may need a reboot: run `sudo nvpmodel -m {number}` in a terminal and confirm it",
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
