"""Rails by label, and which of them are the whole board."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.device.rails import SUPPLIES, find_rails, whole
from appliance.errors import SensorUnreadable
from tests.device.boards import BOARDS, OFF, agx_orin, channel, chip, nano, orin_nano, thor, write

EXPECTED = {
    "orin-nano": (("VDD_IN",), 5.072 * 1.888),
    "agx-orin": (("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"), 19.992 * 0.12 + 0.4 + 5.04 * 0.8),
    "xavier-nx": (("VDD_IN",), 5 * 0.983),
    "agx-thor": (("VIN",), 16.802),
    "nano": (("POM_5V_IN",), 5 * 0.506),
}
ALL = {
    "orin-nano": ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"],
    "agx-orin": ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"],
    "xavier-nx": ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"],
    "agx-thor": ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0", "VIN"],
    "nano": ["POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU"],
}


@pytest.mark.parametrize("family", EXPECTED)
def test_rails_by_label_and_the_whole_without_its_parts(tmp_path: Path, family: str) -> None:
    rails = find_rails(BOARDS[family](tmp_path))
    assert [rail.name for rail in rails] == ALL[family], "shunts, their sum and what is not connected are no rails"
    found = whole(rails)
    assert found is not None
    labels, watts = EXPECTED[family]
    assert tuple(rail.name for rail in found[1]) == labels == found[0].rails
    assert sum(rail.watts() for rail in found[1]) == pytest.approx(watts)
    assert all(found[0].covers), "both languages say what is in it"


def test_the_memory_of_an_agx_orin_is_fed_from_the_rail_that_is_counted() -> None:
    assert not any("VDDQ_VDD2_1V8AO" in supply.rails for supply in SUPPLIES)


def test_a_thor_whose_carrier_has_no_sensor(tmp_path: Path) -> None:
    rails = [rail for rail in find_rails(thor(tmp_path)) if rail.name != "VIN"]
    found = whole(rails)
    assert found is not None
    assert sum(rail.watts() for rail in found[1]) == pytest.approx(20 * 0.277 + 5.04)


def test_rails_of_which_nobody_knows_what_feeds_what_are_never_added(tmp_path: Path) -> None:
    files = {"name": "ina3221"} | channel(1, "VDD_LEFT", 5000, 100) | channel(2, "VDD_RIGHT", 5000, 100)
    chip(tmp_path, "1-0040", "hwmon2", files)
    rails = find_rails(tmp_path)
    assert [rail.name for rail in rails] == ["VDD_LEFT", "VDD_RIGHT"]
    assert whole(rails) is None
    assert whole([rail for rail in find_rails(agx_orin(tmp_path / "agx")) if rail.name != "VDD_CPU_CV"]) is None


def test_voltage_current_power_and_limits(tmp_path: Path) -> None:
    rail = find_rails(orin_nano(tmp_path))[0]
    draw = rail.draw()
    assert (draw.volts, draw.amperes) == (5.072, 1.888)
    assert draw.watts == pytest.approx(9.575936)
    assert (draw.warning_amperes, draw.critical_amperes) == (4.984, 4.984)


def test_a_chip_that_counts_power_itself_and_has_no_limits(tmp_path: Path) -> None:
    rail = find_rails(thor(tmp_path))[-1]
    assert rail.draw().watts == rail.watts() == 16.802
    assert (rail.draw().volts, rail.draw().warning_amperes) == (20.0, None)


def test_the_older_driver_writes_the_unit_behind_the_limit(tmp_path: Path) -> None:
    draw = find_rails(nano(tmp_path))[0].draw()
    assert (draw.volts, draw.amperes, draw.warning_amperes, draw.critical_amperes) == (5.0, 0.506, 32.76, None)


@pytest.mark.parametrize("said", ["--5", "²", "1" * 5000, "nan", "5 A", ""])
def test_a_limit_that_is_no_number_of_milliamperes_is_none(tmp_path: Path, said: str) -> None:
    rail = find_rails(orin_nano(tmp_path))[0]
    assert rail.warning is not None
    rail.warning.write_text(said, "utf-8")
    assert rail.draw().warning_amperes is None


def test_a_gpu_without_power_is_a_little_below_zero(tmp_path: Path) -> None:
    rail = find_rails(thor(tmp_path))[0]
    rail.milliamperes.write_text("-20\n")
    assert rail.watts() == pytest.approx(-0.4)


def test_a_rail_that_cannot_be_read_says_so_rather_than_nothing(tmp_path: Path) -> None:
    rail = find_rails(orin_nano(tmp_path))[0]
    rail.milliamperes.unlink()
    write(rail.milliamperes.parent, {rail.milliamperes.name: OFF})
    for ask in (rail.watts, rail.draw):
        with pytest.raises(SensorUnreadable, match="curr1_input"):
            ask()


def test_a_label_that_two_chips_carry(tmp_path: Path) -> None:
    files = {"name": "ina3221"} | channel(1, "VDD_IN", 5000, 1000)
    chip(tmp_path, "1-0040", "hwmon3", files)
    chip(tmp_path, "1-0041", "hwmon2", files | {"curr1_input": 20})
    rails = find_rails(tmp_path)
    assert [rail.name for rail in rails] == ["VDD_IN", "VDD_IN@1-0041"], "the bus orders them, not hwmon's numbers"
    assert rails[0].watts() == 5.0


def test_no_rails_on_a_machine_without_them(tmp_path: Path) -> None:
    assert find_rails(tmp_path) == ()
    assert find_rails(BOARDS["pc"](tmp_path)) == ()
    write(tmp_path / "sys/class/hwmon/hwmon7", {"name": "nvme", "in1_label": "VDD_IN", "in1_input": 1})
    write(tmp_path / "sys/class/hwmon/hwmon8", {"name": "ina238", "power1_input": 1_000_000})
    assert find_rails(tmp_path) == (), "a sensor without a label could sit anywhere"
    assert whole(()) is None
