"""Power, clocks and temperatures of a Jetson for the benchmarks; empty where the machine has none.

Which rails there are and which of them are the whole board, appliance.device knows. `root` is `/` on the board; tests
give a copied tree. Watts of a power mode cap clocks and not power, so the mode is named beside what was measured.
"""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from appliance.device.rails import Rail, find_rails, whole
from appliance.device.sysfs import known, words
from appliance.errors import SensorUnreadable

ROOT = Path("/")
EVERY_S = 0.05
"""Seconds between two looks at the rails."""
COLDEST_C = -100.0
"""A zone that is switched off says -256 degrees."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at the board."""

    milliwatts: dict[str, float]
    """Power by rail."""
    celsius: dict[str, float]
    """Temperature by thermal zone."""
    megahertz: dict[str, float]
    """Clock by device: cpu0, cpu1, ... and whatever devfreq governs, the GPU among it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Power of the whole board at one moment."""

    at_s: float
    """Seconds of time.perf_counter."""
    milliwatts: float
    """Of all rails that count."""


def rails(root: Path = ROOT) -> tuple[Rail, ...]:
    """Every rail that is measured and connected."""
    return find_rails(root)


def counted(found: Sequence[Rail]) -> tuple[Rail, ...]:
    """The rails whose sum is the board's power, none of them fed by another one; none where that is not known."""
    supply = whole(found)
    return supply[1] if supply else ()


def total(found: Sequence[Rail]) -> float | None:
    """Milliwatts of `found` together now; None without any, or when one cannot be read."""
    try:
        return sum(rail.watts() for rail in found) * 1000 if found else None
    except SensorUnreadable:
        return None


def snapshot(root: Path = ROOT) -> Snapshot:
    """Power, temperatures and clocks now."""
    power = {rail.name: total([rail]) for rail in rails(root)}
    return Snapshot(
        {name: value for name, value in power.items() if value is not None},
        dict(_temperatures(root)),
        dict(_clocks(root)),
    )


def power_mode(root: Path = ROOT) -> str:
    """The mode that is set, as `nvpmodel -q` says it or as its files do, for example `15W`; `none` without one."""
    if root == ROOT:
        try:
            asked = subprocess.run(["nvpmodel", "-q"], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            pass
        else:
            if named := re.search(r"NV Power Mode: *(\S+)", asked.stdout):
                return str(named[1])
    status = re.search(r"pmode:0*(\d+)", words(root / "var/lib/nvpmodel/status"))
    if status is None:
        return "none"
    # The same watts have other numbers on other boards: only the board's own file knows the name of one.
    models = re.findall(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", words(root / "etc/nvpmodel.conf"))
    return str(dict(models).get(status[1], f"number {status[1]}"))


def joules(samples: Sequence[Sample]) -> float | None:
    """Energy between the first and the last sample, by trapezoids; None for fewer than two."""
    if len(samples) < 2:
        return None
    return sum((b.at_s - a.at_s) * (a.milliwatts + b.milliwatts) / 2000 for a, b in pairwise(samples))


def mean_milliwatts(samples: Sequence[Sample]) -> float | None:
    """Mean power between the first and the last sample; None when no time passed."""
    energy = joules(samples)
    seconds = samples[-1].at_s - samples[0].at_s if samples else 0.0
    return None if energy is None or seconds <= 0 else energy / seconds * 1000


class Sampler(threading.Thread):
    """Looks at the board's power while a block runs: at its beginning, every 50 ms, and at its end."""

    def __init__(self, root: Path = ROOT, every_s: float = EVERY_S) -> None:
        super().__init__(daemon=True)
        self._rails, self._every_s = counted(rails(root)), every_s
        self._over = threading.Event()
        self.samples: list[Sample] = []

    def __enter__(self) -> Sampler:
        self._look()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._look()

    def run(self) -> None:
        """Look until told to stop; without rails there is nothing to look at."""
        while self._rails and not self._over.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        # The rails of a board take milliseconds to read over I2C: the moment is the middle of that.
        began = time.perf_counter()
        value = total(self._rails)
        if value is not None:
            self.samples.append(Sample((began + time.perf_counter()) / 2, value))


def _temperatures(root: Path) -> Iterator[tuple[str, float]]:
    for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        value = known(folder / "temp")
        if value is not None and value / 1000 > COLDEST_C:
            yield words(folder / "type") or folder.name, value / 1000


def _clocks(root: Path) -> Iterator[tuple[str, float]]:
    for folder in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"), key=lambda path: int(path.name[3:])):
        kilohertz = known(folder / "cpufreq/scaling_cur_freq")
        if kilohertz is not None:
            yield folder.name, kilohertz / 1000
    for folder in sorted((root / "sys/class/devfreq").glob("*")):
        hertz = known(folder / "cur_freq")
        if hertz is not None:
            yield folder.name, hertz / 1e6
