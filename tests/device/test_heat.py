"""Temperatures, and what is told apart: off, cold, and no sensor at all."""

from __future__ import annotations

from pathlib import Path

from appliance.device.heat import Heat, feel, find_zones
from tests.device.boards import agx_orin, orin_nano, pc, thor, xavier_nx, zones


def test_zones_of_units_that_are_off_answer_with_an_error(tmp_path: Path) -> None:
    heat = feel(find_zones(orin_nano(tmp_path)))
    assert heat.celsius == {"cpu": 51.312, "gpu": 50.468, "soc0": 48.437, "tj": 51.312}
    assert heat.off == ("cv0", "cv1")
    assert heat.hottest_c == 51.312


def test_zones_that_are_off_say_minus_256_under_jetpack_5(tmp_path: Path) -> None:
    heat = feel(find_zones(agx_orin(tmp_path)))
    assert heat.celsius == {"cpu": 42.593, "soc1": 40.468, "tj": 42.593, "tboard": 32.0, "tdiode": 33.25}
    assert heat.off == ("gpu", "cv0")


def test_numbers_that_stand_still_and_means_for_the_fan_are_no_temperatures(tmp_path: Path) -> None:
    heat = feel(find_zones(xavier_nx(tmp_path)))
    assert heat.celsius == {"cpu": 30.0, "gpu": 29.5, "aux": 29.0}
    assert heat.hottest_c == 30.0, "neither the PMIC's 50 nor the fan's 70 degrees"


def test_a_gpu_that_comes_on_has_a_temperature(tmp_path: Path) -> None:
    found = find_zones(thor(tmp_path))
    assert feel(found).off == ("gpu",)
    gpu = next(zone for zone in found if zone.name == "gpu")
    gpu.millidegrees.rmdir()
    gpu.millidegrees.write_text("84800\n")
    assert feel(found).celsius["gpu"] == 84.8
    assert feel(found).off == ()


def test_the_temperature_at_which_the_kernel_switches_off(tmp_path: Path) -> None:
    found = {zone.name: zone.critical_c for zone in find_zones(thor(tmp_path))}
    assert found["tj"] == 114.5, "and not that of the passive trip"
    assert all(zone.critical_c is None for zone in find_zones(agx_orin(tmp_path / "agx")))


def test_names_that_come_twice(tmp_path: Path) -> None:
    assert feel(find_zones(pc(tmp_path))).celsius == {"x86_pkg_temp": 47.0, "acpitz": 27.8, "acpitz-2": 29.8}


def test_no_zone_is_lost_because_another_has_the_name_that_it_would_get(tmp_path: Path) -> None:
    zones(tmp_path, ("a", 1000), ("a-3", 2000), ("a", 3000), ("a", 4000), ("ab", 5000))
    assert feel(find_zones(tmp_path)).celsius == {"a": 1.0, "a-3": 2.0, "a-2": 3.0, "a-4": 4.0, "ab": 5.0}


def test_zones_stay_in_order_beyond_ten(tmp_path: Path) -> None:
    zones(tmp_path, *((f"z{index}-thermal", index * 1000) for index in range(12)))
    assert list(feel(find_zones(tmp_path)).celsius) == [f"z{index}" for index in range(12)]


def test_zero_degrees_are_a_temperature_and_nothing_is_none(tmp_path: Path) -> None:
    zones(tmp_path, ("cpu-thermal", 0), ("gpu-thermal", -40000))
    heat = feel(find_zones(tmp_path))
    assert heat.celsius == {"cpu": 0.0, "gpu": -40.0}
    assert feel(find_zones(tmp_path / "nowhere")) == Heat({}, ())
    assert Heat({}, ("tj",)).hottest_c is None
