"""One look at everything, on every board."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.device.look import ANEW_S, Watch, find_sensors
from appliance.device.source import find_power
from tests.device.boards import BOARDS, orin_nano, write
from tests.device.test_energy import Clock


@pytest.mark.parametrize("family", BOARDS)
def test_every_board_is_looked_at_without_a_failure(tmp_path: Path, family: str) -> None:
    sensors = find_sensors(BOARDS[family](tmp_path))
    look = sensors.look()
    assert sensors.board.family == family
    assert set(look.rails) == {rail.name for rail in sensors.rails}
    assert look.unread == {}
    assert look.heat.hottest_c is not None
    assert bool(look.rails) == (family != "pc")


def test_what_an_orin_nano_tells(tmp_path: Path) -> None:
    look = Watch(orin_nano(tmp_path)).now()
    assert look.rails["VDD_IN"].watts == pytest.approx(9.575936)
    assert look.heat.hottest_c == 51.312
    assert look.heat.off == ("cv0", "cv1")
    assert look.gpu is not None
    assert look.gpu.load == 0.842
    assert look.megahertz == {"0-3": 1728.0, "4-5": 729.6}
    assert look.modes.now == "MAXN_SUPER"
    assert look.alarms.events == {"oc1": 0, "oc2": 15, "oc3": 37}


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    look = find_sensors(tmp_path).look()
    assert (look.rails, look.unread, look.gpu, look.megahertz) == ({}, {}, None, {})
    assert look.heat.hottest_c is None
    assert "nvpmodel.conf" in look.modes.why


@pytest.mark.parametrize("family", BOARDS)
def test_folders_that_go_away_while_they_are_looked_through(
    tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, whole = BOARDS[family](tmp_path), Path.glob

    def gone(folder: Path, pattern: str) -> Iterator[Path]:
        yield from list(whole(folder, pattern))[:1]
        raise FileNotFoundError(2, "No such file or directory", str(folder))

    monkeypatch.setattr(Path, "glob", gone)  # as when a driver is removed between two system calls
    look = Watch(root).now()
    assert (look.rails, look.heat.celsius, look.gpu) == ({}, {}, None)
    assert not find_power(root).available


def test_it_looks_anew_only_when_asked_and_old(tmp_path: Path) -> None:
    root, clock = orin_nano(tmp_path), Clock()
    watch = Watch(root, clock=clock)
    first = watch.now()
    write(root / "sys/class/thermal/thermal_zone5", {"temp": 60000})
    clock.now = 0.9
    assert watch.now() is first
    clock.now = 1.0
    assert watch.now().heat.celsius["tj"] == 60.0


def test_nobody_waits_for_the_one_who_looks(tmp_path: Path) -> None:
    clock = Clock()
    watch = Watch(orin_nano(tmp_path), clock=clock)
    first = watch.now()
    clock.now = 5.0
    with watch._lock:  # as if another thread were reading a bus that hangs
        assert watch.now() is first
    assert watch.now() is not first


def test_what_there_is_to_look_at_is_told_while_another_looks(tmp_path: Path) -> None:
    watch = Watch(orin_nano(tmp_path))
    watch.now()
    told: list[str] = []
    asking = threading.Thread(target=lambda: told.append(watch.sensors.board.family), daemon=True)
    with watch._lock:  # as if another thread were reading a bus that hangs
        asking.start()
        asking.join(5)
    assert told == ["orin-nano"]


def test_a_look_says_by_the_watchs_own_clock_how_old_it_is(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 1234.5
    assert Watch(orin_nano(tmp_path), clock=clock).now().at == 1234.5


def test_drivers_that_come_later_than_the_first_look(tmp_path: Path) -> None:
    clock = Clock()
    watch = Watch(tmp_path, clock=clock)
    assert watch.now().rails == {}
    orin_nano(tmp_path)
    clock.now = ANEW_S - 1
    assert watch.now().rails == {}
    clock.now = ANEW_S
    look = watch.now()
    assert list(look.rails) == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    assert (look.gpu is not None, look.heat.hottest_c) == (True, 51.312)
    found = watch.sensors
    clock.now = 3 * ANEW_S
    watch.now()
    assert watch.sensors is found, "nothing is missing"


def test_rails_that_are_gone_are_named_and_looked_for_now_and_then(tmp_path: Path) -> None:
    root, clock = orin_nano(tmp_path), Clock()
    watch = Watch(root, clock=clock)
    watch.now()
    real = (root / "sys/class/hwmon/hwmon1").resolve()
    real.rename(real.with_name("hwmon9"))
    clock.now = 2.0
    look = watch.now()
    assert look.rails == {}
    assert "in1_input: No such file" in look.unread["VDD_IN"]
    clock.now = ANEW_S + 2.0
    assert list(watch.now().rails) == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    assert watch.sensors.board.family == "orin-nano"
