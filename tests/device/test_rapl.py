"""A processor's counters of energy: exact between two looks, over their end, and closed to all but root."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from appliance.device.power import NoPower
from appliance.device.rapl import CounterPower, find_counters
from appliance.device.trace import Span
from appliance.errors import SensorUnreadable
from tests.device.boards import pc, write

MOST = 262143328850


def count(root: Path, zone: str, microjoules: int) -> None:
    write(root / "sys/class/powercap" / zone, {"energy_uj": microjoules})


def test_packages_and_memory_and_none_of_their_parts(tmp_path: Path) -> None:
    assert find_counters(pc(tmp_path)).name == "package-0 + dram"
    assert find_counters(pc(tmp_path / "two", packages=2)).name == "package-0 + dram-0 + package-1 + dram-1"


def test_the_mean_between_two_looks_is_what_the_counter_grew_by(tmp_path: Path) -> None:
    power = find_counters(pc(tmp_path))
    moments = iter((1.0, 1.0, 3.0, 3.0, 33.0, 33.0))
    assert power.span(lambda: next(moments)) is None
    count(tmp_path, "intel-rapl:0", 21_000_000)
    count(tmp_path, "intel-rapl:0:1", 5_000_000)
    count(tmp_path, "intel-rapl:0:0", 999_000_000)
    assert power.span(lambda: next(moments)) == Span(1.0, 3.0, pytest.approx(12.0), pytest.approx(12.0))
    count(tmp_path, "intel-rapl:0", 321_000_000)
    assert power.span(lambda: next(moments)) == Span(3.0, 33.0, pytest.approx(10.0), pytest.approx(10.0))


def test_a_counter_that_began_anew(tmp_path: Path) -> None:
    root = pc(tmp_path)
    count(root, "intel-rapl:0", MOST - 3_000_000)
    power = find_counters(root)
    moments = iter((0.0, 0.0, 1.0, 1.0, 2.0, 2.0))
    power.span(lambda: next(moments))
    count(root, "intel-rapl:0", 7_000_000)
    assert power.span(lambda: next(moments)) == Span(0.0, 1.0, pytest.approx(10.0), pytest.approx(10.0))
    count(root, "intel-rapl:0", 9_000_000)
    assert power.span(lambda: next(moments)) == Span(1.0, 2.0, pytest.approx(2.0), pytest.approx(2.0))


@pytest.mark.parametrize("most", [MOST, 0])
def test_a_counter_that_was_set_back_is_a_gap_and_not_a_megawatt(tmp_path: Path, most: int) -> None:
    root = pc(tmp_path)
    write(root / "sys/class/powercap/intel-rapl:0", {"energy_uj": 100_000_000_000, "max_energy_range_uj": most})
    power = find_counters(root)
    moments = iter((0.0, 0.0, 0.2, 0.2, 0.4, 0.4))
    power.span(lambda: next(moments))
    count(root, "intel-rapl:0", 5)
    assert power.span(lambda: next(moments)) is None
    count(root, "intel-rapl:0", 1_000_005)
    assert power.span(lambda: next(moments)) == Span(0.2, 0.4, pytest.approx(5.0), pytest.approx(5.0))


def test_two_looks_at_once_lose_no_energy(tmp_path: Path) -> None:
    power = find_counters(pc(tmp_path))
    moments = iter((0.0, 0.0, 1e-5, 1e-5))
    power.span(lambda: next(moments))
    count(tmp_path, "intel-rapl:0", 1_250_000)  # a millisecond of 250 W
    span = power.span(lambda: next(moments))
    assert span is not None
    assert span.joules == pytest.approx(0.25)


def test_one_counter_that_fails_takes_no_energy_from_the_others(tmp_path: Path) -> None:
    power = find_counters(pc(tmp_path))
    moments = iter(float(number // 2) for number in range(20))
    power.span(lambda: next(moments))
    count(tmp_path, "intel-rapl:0", 11_000_000)
    memory = tmp_path / "sys/class/powercap/intel-rapl:0:1/energy_uj"
    memory.write_text("")
    with pytest.raises(SensorUnreadable, match="energy_uj: expected a number"):
        power.span(lambda: next(moments))
    memory.write_text("2000000")
    assert power.span(lambda: next(moments)) is None
    count(tmp_path, "intel-rapl:0", 14_000_000)
    span = power.span(lambda: next(moments))
    assert span is not None
    assert span.joules == pytest.approx(3.0)


def test_counters_that_only_root_may_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, real = pc(tmp_path), os.open

    def refuse(path: os.PathLike[str], flags: int) -> int:
        if os.fspath(path).endswith("energy_uj"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return real(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    power = find_counters(root)
    assert isinstance(power, NoPower)
    chinese, english = power.covers
    assert "CVE-2020-8694" in chinese
    assert "仅限 root" in chinese
    assert english.endswith("energy_uj: Permission denied")


def test_no_counters(tmp_path: Path) -> None:
    assert not find_counters(tmp_path).available
    write(tmp_path / "sys/class/powercap/intel-rapl:0", {"name": "psys", "energy_uj": 1, "max_energy_range_uj": 9})
    assert not find_counters(tmp_path).available
    assert isinstance(find_counters(pc(tmp_path / "pc")), CounterPower)
