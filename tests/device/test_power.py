"""Looking at a board's power: trapezoids between two looks, and gaps where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.device.power import NoPower, RailPower
from appliance.device.source import find_power
from appliance.device.trace import Span
from appliance.errors import SensorUnreadable
from tests.device.boards import BOARDS, channel, chip, orin_nano, write


class Ticks:
    """A clock that says these seconds, one after the other."""

    def __init__(self, *seconds: float) -> None:
        self._seconds: Iterator[float] = iter(seconds)

    def __call__(self) -> float:
        return next(self._seconds)


def current(root: Path, milliamperes: int) -> None:
    write(root / "sys/class/hwmon/hwmon1", {"curr1_input": milliamperes})


def test_the_power_between_two_looks_runs_from_one_to_the_other(tmp_path: Path) -> None:
    power = find_power(orin_nano(tmp_path))
    assert isinstance(power, RailPower)
    assert (power.name, power.available) == ("VDD_IN", True)
    clock = Ticks(1.0, 1.2, 2.0, 2.2, 4.0, 4.2)
    assert power.span(clock) is None, "one look is not a time"
    current(tmp_path, 1000)
    assert power.span(clock) == Span(1.1, 2.1, pytest.approx(9.575936), 5.072), "moments are the middle of reading"
    current(tmp_path, 2000)
    assert power.span(clock) == Span(2.1, 4.1, 5.072, 10.144)


def test_a_failed_look_leaves_a_gap(tmp_path: Path) -> None:
    power = find_power(orin_nano(tmp_path))
    clock = Ticks(1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0)
    power.span(clock)
    (tmp_path / "sys/class/hwmon/hwmon1/in1_input").unlink()
    with pytest.raises(SensorUnreadable, match="in1_input"):
        power.span(Ticks(2.0))
    write(tmp_path / "sys/class/hwmon/hwmon1", {"in1_input": 5000})
    assert power.span(clock) is None, "what was between is not known"
    assert power.span(clock) == Span(2.0, 3.0, 9.44, 9.44)


def test_a_look_that_comes_too_late_leaves_a_gap_and_no_time_is_no_span(tmp_path: Path) -> None:
    power = find_power(orin_nano(tmp_path))
    clock = Ticks(1.0, 1.0, 3.5, 3.5, 3.5, 3.5, 4.0, 4.0)
    assert [power.span(clock) for _ in range(3)] == [None, None, None], "a suspended machine drew something else"
    assert power.span(clock) == Span(3.5, 4.0, pytest.approx(9.575936), pytest.approx(9.575936))


@pytest.mark.parametrize(
    "family, name",
    [
        ("orin-nano", "VDD_IN"),
        ("agx-orin", "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"),
        ("xavier-nx", "VDD_IN"),
        ("agx-thor", "VIN"),
        ("nano", "POM_5V_IN"),
        ("pc", "package-0 + dram"),
    ],
)
def test_what_each_board_is_measured_by(tmp_path: Path, family: str, name: str) -> None:
    power = find_power(BOARDS[family](tmp_path))
    assert power.name == name
    chinese, english = power.covers
    assert "不含" in chinese
    assert "without" in english, "none of them is what the wall gives, and each says so"


def test_a_machine_without_sensors_says_why(tmp_path: Path) -> None:
    power = find_power(tmp_path)
    assert isinstance(power, NoPower)
    assert (power.name, power.available) == ("none", False)
    with pytest.raises(SensorUnreadable, match="no rails of a Jetson, no RAPL counters") as failed:
        power.span()
    assert "没有可读的功率传感器" in failed.value.remedy


def test_a_board_whose_rails_nobody_knows_is_not_guessed_at(tmp_path: Path) -> None:
    chip(tmp_path, "1-0040", "hwmon2", {"name": "ina3221"} | channel(1, "VDD_LEFT", 5000, 100))
    power = find_power(tmp_path)
    assert not power.available
    assert all("VDD_LEFT" in words for words in power.covers)
