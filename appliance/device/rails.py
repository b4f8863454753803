"""Power rails of a Jetson, by label: volts, amperes and watts out of the INA3221 and INA238 behind I2C.

Where they lie: JetPack 5 to 7 have them as hwmon (`in1_label`, `in1_input` in mV, `curr1_input` in mA); before that
NVIDIA's own driver had them as iio (`rail_name_0`, `in_voltage0_input` in mV, `in_current0_input` in mA). The numbers
of hwmon and of the I2C bus change between boards and between two starts, so that only labels name a rail. An INA238,
which Thor's carrier board has at its input, counts its power itself (`power1_input` in uW) and is named by the file
`label`. Sources: the kernel's Documentation/hwmon/ina3221.rst and ina238.rst, NVIDIA's Jetson Linux Developer Guide
("Platform Power and Performance"). Not yet measured on hardware.

The chip averages: NVIDIA's older driver lets it take 64 conversions of three channels, 0.4 s, for one value; with the
kernel's driver the files `samples` and `update_interval` say. What is shorter than that shows as its mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.device.sysfs import matching, number, words
from appliance.errors import Both

ROOT = Path("/")
CHANNELS = (1, 2, 3)
"""Inputs of an INA3221 with a voltage and a current; what follows them are shunts and their sum."""
UNCONNECTED = ("", "NC")
"""Labels of an input that measures nothing."""

_ADDRESS = re.compile(r"\d+-[0-9a-f]{4}")
_MILLIAMPERES = re.compile(r"(-?[0-9]{1,12})(?: *m[aA])?")

_CARRIER: Both = (
    "载板输入：模组和载板；不含电源适配器的损耗",
    "input of the carrier board: module and carrier, without the losses of the power adapter",
)
_MODULE: Both = (
    "模组输入：不含载板、外接设备和电源适配器的损耗",
    "input of the module: without carrier board, what is plugged in, and the losses of the power adapter",
)
_SUM: Both = (
    "模组各路输入之和：不含载板、外接设备和电源适配器的损耗",
    "sum of the module's inputs: without carrier board, what is plugged in, and the losses of the power adapter",
)


@dataclass(frozen=True, slots=True)
class Draw:
    """What one rail draws at one moment."""

    volts: float
    """Voltage of the rail."""
    amperes: float
    """Current; a little below zero where nothing flows and the sensor is off its zero."""
    watts: float
    """Power."""
    warning_amperes: float | None
    """Mean current at which the board warns; None where it has no such limit."""
    critical_amperes: float | None
    """Current at which the board throttles at once; None where it has no such limit."""


@dataclass(frozen=True, slots=True)
class Rail:
    """One supply that is measured."""

    name: str
    """As the device tree labels it, for example `VDD_IN`."""
    millivolts: Path
    """File with its voltage."""
    milliamperes: Path
    """File with its current."""
    microwatts: Path | None = None
    """File with its power, where the chip counts that itself."""
    warning: Path | None = None
    """File with the mean current, in mA, above which the board warns."""
    critical: Path | None = None
    """File with the current, in mA, above which the board throttles."""
    alarms: tuple[Path, ...] = ()
    """Files that say 1 while a limit is exceeded."""

    def watts(self) -> float:
        """What it draws now. Raises SensorUnreadable."""
        if self.microwatts is not None:
            return number(self.microwatts) / 1e6
        return number(self.millivolts) * number(self.milliamperes) / 1e6

    def draw(self) -> Draw:
        """Voltage, current, power and limits now. Raises SensorUnreadable where one of the first three is."""
        volts, amperes = number(self.millivolts) / 1e3, number(self.milliamperes) / 1e3
        watts = volts * amperes if self.microwatts is None else number(self.microwatts) / 1e6
        return Draw(volts, amperes, watts, _limit(self.warning), _limit(self.critical))


@dataclass(frozen=True, slots=True)
class Supply:
    """The rails whose sum is all that a family of boards draws through what can be measured."""

    rails: tuple[str, ...]
    """Labels, none of which is fed through another one of them."""
    covers: Both
    """What is in that sum and what is not."""


SUPPLIES = (
    Supply(("VIN",), _CARRIER),  # Thor's developer kit
    Supply(("VDD_IN",), _MODULE),  # Orin Nano, Orin NX, Xavier NX, TX2
    Supply(("POM_5V_IN",), _MODULE),  # Nano
    # AGX Orin. VDDQ_VDD2_1V8AO, which a second chip measures, is fed from VIN_SYS_5V0 and is in it already.
    Supply(("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), _SUM),
    Supply(("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"), _SUM),  # Thor on a carrier board without a sensor
    Supply(("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"), _SUM),  # AGX Xavier
)
"""Best first: a board has the first of these whose labels it has all."""


def find_rails(root: Path = ROOT) -> tuple[Rail, ...]:
    """Every rail under `root` that is connected, ordered by chip and channel; none where there are none.

    Only labels are read. A label that a second chip carries too gets that chip's bus address behind it.
    """
    found: dict[str, Rail] = {}
    for chip in _chips(root):
        for rail in _rails(chip):
            name = rail.name if rail.name not in found else f"{rail.name}@{_address(chip)}"
            found[name] = replace(rail, name=name)
    return tuple(found.values())


def whole(rails: Sequence[Rail]) -> tuple[Supply, tuple[Rail, ...]] | None:
    """The supply of the board and its rails among `rails`; None where no known board has such labels.

    Never a guess: the sum of rails of which one feeds another would be too much, and that of a part too little.
    """
    named = {rail.name: rail for rail in rails}
    for supply in SUPPLIES:
        if all(name in named for name in supply.rails):
            return supply, tuple(named[name] for name in supply.rails)
    return None


def _chips(root: Path) -> list[Path]:
    """Real folders of all power monitors: one chip is found by several ways, and the bus address orders them."""
    ways = ("sys/class/hwmon/hwmon*", "sys/bus/i2c/devices/*/hwmon/hwmon*", "sys/bus/i2c/devices/*/iio:device*")
    return sorted({folder.resolve() for way in ways for folder in matching(root, way)}, key=str)


def _rails(chip: Path) -> Iterator[Rail]:
    kind = words(chip / "name") or words(chip / "device/name")
    if kind.startswith("ina3221"):  # `ina3221x` of the older driver
        yield from _hwmon(chip) if not chip.name.startswith("iio") else _iio(chip)
    elif kind == "ina238":
        name = words(chip / "label")
        if name not in UNCONNECTED:
            yield Rail(name, chip / "in1_input", chip / "curr1_input", chip / "power1_input")


def _hwmon(chip: Path) -> Iterator[Rail]:
    for channel in CHANNELS:
        name = words(chip / f"in{channel}_label")
        if name not in UNCONNECTED:
            current = f"curr{channel}"
            yield Rail(
                name,
                chip / f"in{channel}_input",
                chip / f"{current}_input",
                None,
                chip / f"{current}_max",
                chip / f"{current}_crit",
                (chip / f"{current}_max_alarm", chip / f"{current}_crit_alarm"),
            )


def _iio(chip: Path) -> Iterator[Rail]:
    for channel in (channel - 1 for channel in CHANNELS):
        name = words(chip / f"rail_name_{channel}")
        if name not in UNCONNECTED:
            yield Rail(
                name,
                chip / f"in_voltage{channel}_input",
                chip / f"in_current{channel}_input",
                None,
                chip / f"warn_current_limit_{channel}",
                chip / f"crit_current_limit_{channel}",
            )


def _address(chip: Path) -> str:
    """Bus and address such as `1-0040`, which stand in the chip's path."""
    return next((part for part in reversed(chip.parts) if _ADDRESS.fullmatch(part)), chip.name)


def _limit(path: Path | None) -> float | None:
    """Amperes; the older driver writes the unit behind them (`32760 ma`)."""
    said = _MILLIAMPERES.fullmatch(words(path)) if path is not None else None
    return float(said[1]) / 1e3 if said else None
