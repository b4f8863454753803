"""By what the power of each machine is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.device.power import NoPower
from appliance.device.source import find_power
from appliance.errors import SensorUnreadable
from tests.device.boards import BOARDS, channel, chip


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
