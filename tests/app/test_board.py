"""What the running appliance knows of its board: at once, from memory, whatever the sensors do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.app.board import Instruments
from appliance.app.build import build
from appliance.device.look import Look, Watch
from appliance.settings import Settings
from tests.app.test_appliance import Heard
from tests.device.boards import orin_nano, write

INA = "sys/class/hwmon/hwmon1"


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"board", "power-meter"}


def test_a_board_is_read_while_the_appliance_runs(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"), device_root=str(orin_nano(tmp_path / "root")))
    with build(settings, senses=()) as appliance:
        board = appliance._rooms.board
        until(lambda: board.mean_watts(0.3) is not None and board.seen is not None)
        assert board.measured
        assert board.health.source == "VDD_IN"
        assert "module" in board.health.covers[1]
        assert board.mean_watts(0.3) == pytest.approx(9.576, abs=0.001)
        assert board.watts == pytest.approx(9.576, abs=0.001)
        assert board.machine.family == "orin-nano"
        seen = board.seen
        assert seen is not None
        assert seen.look.heat.hottest_c == 51.312
        assert 0 <= seen.age_s < 5
        until(lambda: board.idle_watts is not None)
        assert board.idle_watts == pytest.approx(9.576, abs=0.001)
        assert threads() == {"board", "power-meter"}
    assert threads() == set()


def test_a_machine_without_sensors_has_no_thread_and_says_why(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"), device_root=str(tmp_path))
    with build(settings, senses=()) as appliance:
        board = appliance._rooms.board
        assert threads() == set()
        assert not board.measured
        assert not board.watching
        assert (board.seen, board.watts, board.idle_watts, board.mean_watts()) == (None, None, None, None)
        assert board.health.source == "none"
        assert "no rails" in board.health.covers[1]


def test_a_command_beside_the_service_leaves_the_alarms_alone(tmp_path: Path) -> None:
    with Instruments(orin_nano(tmp_path), watching=False) as board:
        until(lambda: board.watts is not None)
        assert threads() == {"power-meter"}
        assert board.seen is None


def test_a_bus_that_hangs_holds_nobody_and_shows_as_an_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.board.LOOK_S", 0.01)
    hung, go, real = threading.Event(), threading.Event(), Watch.now

    def now(watch: Watch) -> Look:
        if hung.is_set():
            assert go.wait(10)
        return real(watch)

    monkeypatch.setattr(Watch, "now", now)
    with Instruments(orin_nano(tmp_path)) as board:
        until(lambda: board.seen is not None)
        hung.set()
        until(lambda: board.seen is not None and board.seen.age_s > 0.2)
        began = time.perf_counter()
        assert board.seen is not None
        assert time.perf_counter() - began < 0.05
        go.set()
        until(lambda: board.seen is not None and board.seen.age_s < 0.2)


def test_looks_go_on_after_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.board.LOOK_S", 0.01)
    real, turns, heard = Watch.now, iter(range(1000)), Heard()

    def now(watch: Watch) -> Look:
        if next(turns) < 3:
            raise RuntimeError("a sensor as none was seen before")
        return real(watch)

    monkeypatch.setattr(Watch, "now", now)
    with Instruments(orin_nano(tmp_path), listener=heard) as board:
        until(lambda: board.seen is not None)
    assert len(heard.of("look_failed")) == 1, "told once, and not every second for years"


def test_alarms_are_told_when_they_begin_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.app.board.LOOK_S", 0.01)
    root, heard = orin_nano(tmp_path), Heard()
    with Instruments(root, listener=heard) as board:
        until(lambda: board.seen is not None)
        assert board.alarms == {}, "what the board had counted before is not ours"
        write(root / INA, {"curr1_crit_alarm": 1})
        write(root / "sys/class/hwmon/hwmon3", {"oc3_event_cnt": 40})
        write(root / "sys/class/thermal/cooling_device2", {"cur_state": 1})
        until(lambda: len(board.alarms) == 3)
        last = board.seen
        until(lambda: board.seen is not None and last is not None and board.seen.look.at > last.look.at)
        assert board.alarms == {("over", "VDD_IN"): 1, ("event", "oc3"): 3, ("throttled", "gpu"): 1}
        write(root / INA, {"curr1_crit_alarm": 0})
        until(lambda: board.seen is not None and board.seen.look.alarms.over == ())
        write(root / INA, {"curr1_crit_alarm": 1})
        until(lambda: board.alarms["over", "VDD_IN"] == 2)
    assert {"kind": "event", "name": "oc3", "count": 3} in heard.of("power_alarm")
    assert len(heard.of("power_alarm")) == 4
