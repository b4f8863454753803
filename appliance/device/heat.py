"""Temperatures by thermal zone, with what is off told from what is cold.

A zone answers with an error while its unit is off (EAGAIN of cv0 to cv2 on Orin, of gpu on Thor), or says -256 degrees
(JetPack 5): neither is 0 degrees. Names are those of the kernel without their ending: `cpu` for `cpu-thermal`
(JetPack 6 and 7) and for `CPU-therm` (JetPack 5). `PMIC-Die` is no sensor, but a number that stands still (50 or 100
degrees), and `thermal-fan-est` is a mean made for the fan: neither counts. Not yet measured on hardware.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from appliance.device.sysfs import known, matching, number, words
from appliance.errors import SensorUnreadable

ROOT = Path("/")
COLDEST_C = -100.0
"""What says less than this is off."""
JUNCTION = "tj"
"""The zone that is the hottest of all of the chip's; NVIDIA's own throttling goes by it."""
NO_SENSORS = ("pmic-die", "thermal-fan-est")

_ENDINGS = ("-thermal", "-therm", "_tegra")
_TRIPS = range(12)


@dataclass(frozen=True, slots=True)
class Zone:
    """One place whose temperature is measured."""

    name: str
    """For example `cpu`, `gpu`, `soc0`, `tj`."""
    millidegrees: Path
    """File with its temperature."""
    critical_c: float | None
    """Temperature at which the kernel switches the board off; None where the zone has no such trip."""


@dataclass(frozen=True, slots=True)
class Heat:
    """The temperatures at one moment."""

    celsius: dict[str, float]
    """Degrees by zone."""
    off: tuple[str, ...]
    """Zones that gave none: their unit is off, or they could not be read."""

    @property
    def hottest_c(self) -> float | None:
        """Temperature of the chip's hottest place; None when no zone could be read, which is no reason to be calm.

        Zones that are off are missing in it: a GPU that is switched off is not what is hot.
        """
        junction = self.celsius.get(JUNCTION)
        return max(self.celsius.values(), default=None) if junction is None else junction


def find_zones(root: Path = ROOT) -> tuple[Zone, ...]:
    """Every zone under `root` that has a sensor, in the kernel's order; a name that comes twice gets a number."""
    found: dict[str, Zone] = {}
    for folder in _folders(root):
        kind = words(folder / "type")
        if not kind or kind.lower() in NO_SENSORS:
            continue
        plain = _plain(kind)
        name = next(name for name in _names(plain) if name not in found)
        found[name] = Zone(name, folder / "temp", _critical(folder))
    return tuple(found.values())


def feel(zones: Sequence[Zone]) -> Heat:
    """The temperatures of `zones` now. Never raises: what cannot be read is named in `off`."""
    celsius: dict[str, float] = {}
    off = []
    for zone in zones:
        degrees = _degrees(zone)
        if degrees is None:
            off.append(zone.name)
        else:
            celsius[zone.name] = degrees
    return Heat(celsius, tuple(off))


def _folders(root: Path) -> list[Path]:
    for place in ("sys/class/thermal", "sys/devices/virtual/thermal"):
        if folders := sorted(matching(root / place, "thermal_zone*"), key=_index):
            return folders
    return []


def _index(folder: Path) -> int:
    digits = folder.name.removeprefix("thermal_zone")
    return int(digits) if digits.isdigit() else 0


def _plain(kind: str) -> str:
    lower = kind.lower()
    for ending in _ENDINGS:
        lower = lower.removesuffix(ending)
    return lower


def _names(plain: str) -> Iterator[str]:
    yield plain
    yield from (f"{plain}-{number}" for number in count(2))


def _degrees(zone: Zone) -> float | None:
    try:
        degrees = number(zone.millidegrees) / 1e3
    except SensorUnreadable:
        return None
    return degrees if degrees > COLDEST_C else None


def _critical(folder: Path) -> float | None:
    """The lowest critical trip of a zone."""
    return min(_criticals(folder), default=None)


def _criticals(folder: Path) -> Iterator[float]:
    for trip in _TRIPS:
        kind = words(folder / f"trip_point_{trip}_type")
        if not kind:
            return
        millidegrees = known(folder / f"trip_point_{trip}_temp")
        if kind == "critical" and millidegrees is not None and millidegrees > 0:
            yield millidegrees / 1e3
