"""What the board did against too much current or heat."""

from __future__ import annotations

from pathlib import Path

from appliance.device.alarms import Alarms, find_bells
from appliance.device.rails import find_rails
from tests.device.boards import BOARDS, OFF, orin_nano, thor, write


def test_a_board_at_peace_counts_what_was(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    alarms = find_bells(find_rails(root), root).look()
    assert alarms == Alarms((), {"oc1": 0, "oc2": 15, "oc3": 37}, (), ())


def test_what_is_amiss(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    bells = find_bells(find_rails(root), root)
    before = bells.look()
    hwmon = root / "sys/class/hwmon"
    write(hwmon, {"hwmon1": {"curr1_crit_alarm": 1}, "hwmon3": {"oc1_event_cnt": 2, "oc3_event_cnt": 38}})
    write(root / "sys/class/thermal/cooling_device2", {"cur_state": 1})
    write(root / "sys/class/thermal/cooling_device3", {"cur_state": 9})  # devfreq's own, no alert
    now = bells.look()
    assert (now.over, now.throttled, now.unread) == (("VDD_IN",), ("gpu",), ())
    assert now.since(before) == {"oc1": 2, "oc3": 1}
    assert before.since(now) == {}


def test_a_counter_that_could_not_be_read_before_has_no_new_events() -> None:
    before = Alarms((), {"oc1": 2}, (), ("oc3",))
    assert Alarms((), {"oc1": 3, "oc3": 37}, (), ()).since(before) == {"oc1": 1}


def test_what_cannot_be_asked_is_not_silent(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    bells = find_bells(find_rails(root), root)
    for path in (root / "sys/class/hwmon/hwmon3/oc2_event_cnt", root / "sys/class/thermal/cooling_device1/cur_state"):
        path.unlink()
        write(path.parent, {path.name: OFF})
    (root / "sys/class/hwmon/hwmon1/curr2_max_alarm").unlink()
    alarms = bells.look()
    assert alarms.unread == ("VDD_CPU_GPU_CV", "oc2", "cpu")
    assert alarms.events == {"oc1": 0, "oc3": 37}


def test_a_counter_that_says_no_number_is_unread_and_ends_no_look(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    write(root / "sys/class/hwmon/hwmon3", {"oc1_event_cnt": "nan", "oc3_event_cnt": "1e999"})
    alarms = find_bells(find_rails(root), root).look()
    assert (alarms.events, alarms.unread) == ({"oc2": 15}, ("oc1", "oc3"))


def test_machines_without_alarms(tmp_path: Path) -> None:
    root = thor(tmp_path)
    rails = [rail for rail in find_rails(root) if rail.name == "VIN"]
    for bells in (find_bells((), BOARDS["pc"](tmp_path / "pc")), find_bells(rails, root)):
        assert bells.look() == Alarms((), {}, (), ())
