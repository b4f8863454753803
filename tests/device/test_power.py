"""Looking at a board's power: trapezoids between two looks, and gaps where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.device.power import RailPower
from appliance.device.source import find_power
from appliance.device.trace import Span
from appliance.errors import SensorUnreadable
from tests.device.boards import orin_nano, write


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
