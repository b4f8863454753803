"""What the board itself did against too much current or heat: limits exceeded, events counted, clocks held down.

Three ways: the INA3221 says which rail is above its limit at this moment (`curr1_max_alarm`, `curr1_crit_alarm`; by
TI's datasheet reading clears them, so that one reader is best); `soctherm_oc` counts since the start (`oc1_event_cnt`
...; on Orin 1 is too little voltage, 2 too much current in the mean and 3 at once); a cooling device called
`...-throttle-alert` is above 0 while the clocks of that unit are held down by heat. Not yet measured on hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.device.rails import Rail
from appliance.device.sysfs import matching, number, words
from appliance.errors import SensorUnreadable

ROOT = Path("/")
ALERT = "-throttle-alert"

_COUNT = "_event_cnt"


@dataclass(frozen=True, slots=True)
class Alarms:
    """What is amiss at one moment."""

    over: tuple[str, ...]
    """Rails whose current is above a limit."""
    events: dict[str, int]
    """Over-current and under-voltage events since the start of the board, by name (`oc1`); empty where none count."""
    throttled: tuple[str, ...]
    """Units whose clocks are held down by heat, for example `cpu`, `gpu`."""
    unread: tuple[str, ...]
    """Rails, counters and units that could not be asked, which is not the same as silence."""

    def since(self, before: Alarms) -> dict[str, int]:
        """Events that came after `before`, by name; without those that did not grow, or were unknown then."""
        grown = {name: count - before.events[name] for name, count in self.events.items() if name in before.events}
        return {name: count for name, count in grown.items() if count > 0}


@dataclass(frozen=True, slots=True)
class Bells:
    """Where the board says that something is amiss."""

    rails: tuple[Rail, ...]
    """Rails with limits."""
    counters: dict[str, Path]
    """File with a number of events, by name."""
    alerts: dict[str, Path]
    """File that is above 0 while a unit is held down, by unit."""

    def look(self) -> Alarms:
        """What is amiss now. Never raises: what cannot be read is named in `unread`."""
        unread: list[str] = []

        def ask(name: str, *paths: Path) -> float:
            try:
                return max(number(path) for path in paths)
            except SensorUnreadable:
                unread.append(name)
                return -1.0

        over = tuple(rail.name for rail in self.rails if ask(rail.name, *rail.alarms) > 0)
        counts = {name: int(ask(name, path)) for name, path in self.counters.items()}
        held = tuple(unit for unit, path in self.alerts.items() if ask(unit, path) > 0)
        return Alarms(over, {name: count for name, count in counts.items() if count >= 0}, held, tuple(unread))


def find_bells(rails: Sequence[Rail], root: Path = ROOT) -> Bells:
    """The alarms under `root`, and those of `rails`; none where there are none."""
    counters = {}
    for folder in matching(root / "sys/class/hwmon", "hwmon*"):
        if words(folder / "name") == "soctherm_oc":
            for path in matching(folder, f"oc*{_COUNT}"):
                counters[path.name.removesuffix(_COUNT)] = path
    alerts = {}
    for folder in matching(root / "sys/class/thermal", "cooling_device*"):
        kind = words(folder / "type")
        if kind.endswith(ALERT):
            alerts[kind.removesuffix(ALERT)] = folder / "cur_state"
    return Bells(tuple(rail for rail in rails if rail.alarms), counters, dict(sorted(alerts.items())))
