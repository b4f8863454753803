"""Power, clocks and temperatures out of a copied sysfs tree."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.rails import Sample, Sampler, counted, joules, mean_milliwatts, power_mode, rails, snapshot, total

ORIN_NX = {
    "class/hwmon/hwmon0": {"name": "pwm_fan", "in1_label": "VDD_FAN", "in1_input": "5000", "curr1_input": "100"},
    "class/hwmon/hwmon3": {
        "name": "ina3221",
        **{"in1_label": "VDD_IN", "in1_input": "5072", "curr1_input": "1888"},
        **{"in2_label": "VDD_CPU_GPU_CV", "in2_input": "5072", "curr2_input": "456"},
        **{"in3_label": "VDD_SOC", "in3_input": "5064", "curr3_input": "400"},
        **{"in4_input": "9", "curr4_input": "2744", "in7_label": "sum of shunt voltages", "in7_input": "9"},
    },
    "class/thermal/thermal_zone0": {"type": "cpu-thermal", "temp": "51312"},
    "class/thermal/thermal_zone1": {"type": "cv0-thermal", "temp": "-256000"},
    "class/devfreq/17000000.gpu": {"cur_freq": "918000000"},
    "devices/system/cpu/cpu0/cpufreq": {"scaling_cur_freq": "1984000"},
    "devices/system/cpu/cpu10/cpufreq": {"scaling_cur_freq": "729600"},
    "devices/system/cpu/cpufreq": {"boost": "0"},
}
AGX_ORIN = {
    "class/hwmon/hwmon1": {
        "name": "ina3221",
        **{"in1_label": "VDD_GPU_SOC", "in1_input": "20000", "curr1_input": "300"},
        **{"in2_label": "VDD_CPU_CV", "in2_input": "20000", "curr2_input": "50"},
        **{"in3_label": "VIN_SYS_5V0", "in3_input": "5000", "curr3_input": "800"},
    },
    "class/hwmon/hwmon2": {
        "device/name": "ina3221",
        **{"in1_label": "NC", "in1_input": "0", "curr1_input": "0"},
        **{"in2_label": "VDDQ_VDD2_1V8AO", "in2_input": "5000", "curr2_input": "200"},
    },
}
CONF = """< POWER_MODEL ID=0 NAME=MAXN >
< POWER_MODEL ID=2 NAME=15W >
< PM_CONFIG DEFAULT=2 >
"""


def board(root: Path, tree: Mapping[str, Mapping[str, str]]) -> Path:
    """Write a sysfs as on that board."""
    for folder, files in tree.items():
        for name, text in files.items():
            path = root / "sys" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
    return root


def with_mode(root: Path, status: str) -> Path:
    for path, text in (("var/lib/nvpmodel/status", status), ("etc/nvpmodel.conf", CONF)):
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
    return root


def test_the_rail_that_feeds_the_board_is_its_power_and_the_others_are_parts_of_it(tmp_path: Path) -> None:
    found = rails(board(tmp_path, ORIN_NX))
    assert [rail.name for rail in found] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    assert [rail.name for rail in counted(found)] == ["VDD_IN"]
    assert total(counted(found)) == pytest.approx(5072 * 1.888)


def test_a_board_without_such_a_rail_has_the_sum_of_those_that_no_other_one_feeds(tmp_path: Path) -> None:
    everything = rails(board(tmp_path, AGX_ORIN))
    assert [rail.name for rail in everything] == ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"]
    found = counted(everything)
    assert [rail.name for rail in found] == ["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"]
    assert total(found) == pytest.approx(6000 + 1000 + 4000)
    assert counted(everything[:2]) == (), "a sum of some of them is not the board's power"


def test_a_rail_that_cannot_be_read_makes_no_total_rather_than_a_smaller_one(tmp_path: Path) -> None:
    found = counted(rails(board(tmp_path, AGX_ORIN)))
    found[1].milliamperes.write_text("")
    assert total(found[1:2]) is None
    assert total(found) is None


def test_temperatures_and_clocks(tmp_path: Path) -> None:
    seen = snapshot(board(tmp_path, ORIN_NX))
    assert seen.celsius == {"cpu-thermal": 51.312}, "a zone that is off says -256 degrees"
    assert list(seen.megahertz.items()) == [("cpu0", 1984.0), ("cpu10", 729.6), ("17000000.gpu", 918.0)]
    assert list(seen.milliwatts) == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]


@pytest.mark.parametrize(
    ("status", "named"), [("pmode:0002\n", "15W"), ("pmode:0000", "MAXN"), ("pmode:0007", "number 7"), ("", "none")]
)
def test_the_power_mode_has_the_name_that_this_board_gives_it(tmp_path: Path, status: str, named: str) -> None:
    assert power_mode(with_mode(tmp_path, status)) == named


def test_energy_is_the_area_under_the_power_by_trapezoids() -> None:
    ramp = [Sample(10.0, 1000.0), Sample(11.0, 3000.0), Sample(11.5, 5000.0)]
    assert joules(ramp) == pytest.approx(2.0 + 2.0)
    assert mean_milliwatts(ramp) == pytest.approx(4.0 / 1.5 * 1000)
    assert joules(ramp[:1]) is None
    assert mean_milliwatts([]) is None


def test_a_sampler_looks_at_both_ends_of_the_block_and_while_it_runs(tmp_path: Path) -> None:
    root = board(tmp_path, ORIN_NX)
    with Sampler(root, every_s=0.001) as sampler:
        (root / "sys/class/hwmon/hwmon3/curr1_input").write_text("1000")
        before = len(sampler.samples) + 1  # and one that was being taken
        for _ in range(10_000):
            if len(sampler.samples) > before:
                break
            time.sleep(0.001)
    assert sampler.samples[0].milliwatts == pytest.approx(5072 * 1.888)
    later = [sample.milliwatts for sample in sampler.samples[before:]]
    assert len(later) >= 2, "one in the block, and one at its end"
    assert set(later) == {5072.0}
    times = [sample.at_s for sample in sampler.samples]
    assert times == sorted(times)


def test_without_rails_there_is_nothing_and_nobody_waits(tmp_path: Path) -> None:
    with Sampler(tmp_path) as sampler:
        pass
    assert sampler.samples == []
    assert snapshot(tmp_path).milliwatts == {}
    assert total(rails(tmp_path)) is None
    assert power_mode(tmp_path) == "none"
