"""The power mode, always by name: the number of 15 W is another one on every board.

/etc/nvpmodel.conf lists the modes of this board and names the default, /var/lib/nvpmodel/status keeps the number of the
one in force. Watts in a name cap clocks and not power: what is drawn is measured, never read off the name. A switch to
a mode with another number of cores waits for a reboot, and until then the old one stays in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.device.sysfs import text, words
from appliance.errors import SensorUnreadable, SettingInvalid

ROOT = Path("/")
CONF = Path("etc/nvpmodel.conf")
"""The board's modes, below the root."""

_TAG = re.compile(r"<\s*(\w+)\s+([^<>]*?)\s*>")
_FIELD = re.compile(r"(\w+)\s*=\s*(\S+)")
_STATUS = re.compile(r"pmode:\s*([0-9]{1,9})(?![0-9])")
_NUMBER = re.compile(r"[0-9]{1,9}")
_LONG = "MODE_"
"""What older files write before the watts, as in `MODE_15W_6CORE`."""


@dataclass(frozen=True, slots=True)
class Modes:
    """The power modes of this board."""

    names: dict[int, str]
    """Name by the number that nvpmodel wants, in the file's order."""
    now: str
    """Name of the mode in force; empty where that is not known."""
    default: str
    """Name of the mode in which a board starts that was never told another; empty where the file names none."""
    why: str
    """Why `now` is empty, in English; empty when it is not."""

    def number(self, name: str) -> int:
        """What nvpmodel wants for the mode `name`, in whatever case, with or without `MODE_`.

        Raises SettingInvalid, naming those that there are: a mode is never chosen by resemblance.
        """
        wanted = name.strip().upper().removeprefix(_LONG)
        found = [number for number, own in self.names.items() if own.upper().removeprefix(_LONG) == wanted]
        if len(found) != 1:
            there = ", ".join(self.names.values()) or "none (no nvpmodel.conf)"
            raise SettingInvalid(
                f"power mode: expected one of {there}, got {name!r}",
                remedy=(
                    "请使用本机 /etc/nvpmodel.conf 中的模式名称",
                    "Use a name from this board's /etc/nvpmodel.conf",
                ),
            )
        return found[0]


def read_modes(root: Path = ROOT) -> Modes:
    """The modes under `root`. Never raises: a machine without power modes has none, and `why` says so."""
    try:
        tags = list(_tags(text(root / CONF)))
    except SensorUnreadable as error:
        return Modes({}, "", "", error.detail)
    names = {
        int(fields["ID"]): fields["NAME"]
        for tag, fields in tags
        if tag == "POWER_MODEL" and _NUMBER.fullmatch(fields.get("ID", "")) and "NAME" in fields
    }
    defaults = [fields.get("DEFAULT", "") for tag, fields in tags if tag == "PM_CONFIG"]
    default = names.get(int(defaults[-1]), "") if defaults and _NUMBER.fullmatch(defaults[-1]) else ""
    status = root / "var/lib/nvpmodel/status"
    found = _STATUS.search(words(status))
    if found is None:
        return Modes(names, "", default, f"{status}: expected pmode:NUMBER, got {words(status)[:40]!r}")
    now = names.get(int(found[1]), "")
    why = "" if now else f"{status}: expected a mode of nvpmodel.conf ({_listed(names)}), got number {int(found[1])}"
    return Modes(names, now, default, why)


def _tags(conf: str) -> Iterator[tuple[str, dict[str, str]]]:
    for line in conf.splitlines():
        if not line.lstrip().startswith("#"):
            for tag, fields in _TAG.findall(line):
                yield tag, dict(_FIELD.findall(fields))


def _listed(names: dict[int, str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in names.items())
