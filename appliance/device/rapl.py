"""Energy counters of an x86 processor (RAPL), as the kernel's powercap shows them.

A zone counts microjoules up to `max_energy_range_uj` and begins anew. Whole processors are `package-0`, `package-1`;
`core` and `uncore` are parts of them and are left out, `dram` is beside them. Without discrete GPU, mainboard, disks
and the power supply that is less than the wall gives. Since CVE-2020-8694 only root may read the counters: elsewhere
there is no power, and the reason says so. Source: the kernel's Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.device.power import Gauge, NoPower, Power
from appliance.device.sysfs import matching, number, words
from appliance.errors import Both, SensorUnreadable

ROOT = Path("/")
COVERS: Both = (
    "处理器（及内存，若有计数器）：不含显卡、主板、硬盘和电源损耗",
    "processors (and memory where it is counted): without graphics card, mainboard, disks and losses of the supply",
)
ABSENT: Both = (
    "本机没有可读的功率传感器（既非 Jetson，也没有 RAPL 计数器）",
    "this machine has no power sensors that are known: no rails of a Jetson, no RAPL counters of a processor",
)

MOST_WATTS = 1000.0
"""Of one counter. More is none that ran over its end, but one that was set back, as after a suspension."""
TURN_S = 0.01
"""A counter grows about once a millisecond, so that two looks at once may see a little of the time before them."""


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of energy."""

    name: str
    """As the kernel names the zone, for example `package-0`."""
    microjoules: Path
    """File with the count."""
    most: float
    """Microjoules at which it begins anew."""


class CounterPower(Gauge):
    """Mean power between two looks at counters of energy: exact, however far apart they are."""

    # A range of 262 kJ, which is what Intel's counters have, lasts 43 minutes at 100 W and 4 at a thousand.
    bridged_s = 60.0

    def __init__(self, counters: Sequence[Counter]) -> None:
        """The sum of `counters`."""
        super().__init__()
        self._counters = tuple(counters)
        self._seen: dict[str, float] = {}
        self._joules = 0.0
        self.name, self.covers = " + ".join(counter.name for counter in counters), COVERS

    def _read(self) -> float:
        # All of them before any is taken over: one that fails must not make the others' energy vanish.
        read = {counter.name: number(counter.microjoules) for counter in self._counters}
        for counter in self._counters:
            grown = read[counter.name] - self._seen.get(counter.name, read[counter.name])
            self._joules += (grown if grown >= 0 else grown + counter.most) / 1e6
        self._seen = read
        return self._joules

    def _line(self, before: float, now: float, seconds: float) -> tuple[float, float] | None:
        grown, mean = now - before, (now - before) / seconds
        return (mean, mean) if 0 <= grown <= MOST_WATTS * len(self._counters) * (seconds + TURN_S) else None


def find_counters(root: Path = ROOT) -> Power:
    """The counters under `root`, when they can be read; else NoPower, and why not."""
    try:
        counters = [
            Counter(name, zone / "energy_uj", number(zone / "max_energy_range_uj"))
            for zone in matching(root / "sys/class/powercap", "intel-rapl:*")
            if (name := words(zone / "name")).startswith("package-") or name == "dram"
        ]
        if not counters:
            return NoPower(ABSENT)
        for counter in counters:
            number(counter.microjoules)
    except SensorUnreadable as error:
        return NoPower(
            (
                f"RAPL 计数器不可读（自 CVE-2020-8694 起仅限 root）：{error.detail}",
                f"RAPL counters cannot be read (only root may since CVE-2020-8694): {error.detail}",
            )
        )
    return CounterPower(_named_apart(counters))


def _named_apart(counters: Sequence[Counter]) -> list[Counter]:
    """Each counter under a name of its own: a machine with two processors has two zones called `dram`."""
    taken = [counter.name for counter in counters]
    return [
        counter
        if taken.count(counter.name) == 1
        else Counter(f"{counter.name}-{taken[:place].count(counter.name)}", counter.microjoules, counter.most)
        for place, counter in enumerate(counters)
    ]
