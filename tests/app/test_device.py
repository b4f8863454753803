"""The board in the status: as the schema promises, on every board and on none, and what is missing is not 0."""

from __future__ import annotations

from pathlib import Path

import jsonschema_rs
import pytest

from appliance.app.board import Instruments
from appliance.app.device import device
from appliance.channels.http.openapi_device import DEVICE
from appliance.channels.http.reply import json_response
from tests.device.boards import BOARDS, OFF, orin_nano, write
from tests.device.test_energy import Clock


def seen(board: Instruments) -> dict[str, object]:
    board._see(board._watch.now())
    return told(board)


def told(board: Instruments) -> dict[str, object]:
    found = device(board)
    jsonschema_rs.validator_for(DEVICE).validate(found)
    json_response(found)  # no NaN, nothing that is no JSON
    return found


@pytest.mark.parametrize("family", BOARDS)
def test_every_board_is_told_as_promised(tmp_path: Path, family: str) -> None:
    clock = Clock()
    board = Instruments(BOARDS[family](tmp_path), clock=clock)
    assert told(board)["look_age_s"] is None
    for _ in range(15):
        clock.now += 0.2
        board.meter.sample()
    found = seen(board)
    assert found["board"]["family"] == family
    assert found["power"]["measured"]
    assert found["power"]["watts"] is not None
    assert found["power"]["mean_10s_watts"] is None, "3 s are not half of it"
    assert found["hottest_c"] is not None


def test_what_an_orin_nano_tells(tmp_path: Path) -> None:
    clock = Clock()
    board = Instruments(orin_nano(tmp_path), clock=clock)
    for _ in range(40):
        clock.now += 0.2
        board.meter.sample()
    write(tmp_path / "sys/class/hwmon/hwmon1", {"curr3_input": "broken", "curr1_max_alarm": 1})
    seen(board)
    clock.now += 7.0
    found = told(board)
    assert found["board"] == {
        "model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        "family": "orin-nano",
        "module": "p3767-0005",
        "l4t": "R36.4.3",
        "jetpack": "6.2",
    }
    power = found["power"]
    assert (power["source"], power["watts"], power["idle_watts"]) == ("VDD_IN", None, 9.58), "7 s ago is not now"
    assert power["mean_10s_watts"] is None
    assert "without carrier board" in power["covers"]["en"]
    assert "不含载板" in power["covers"]["zh"]
    assert found["energy"]["idle_j"] == pytest.approx(9.576 * 7.8, rel=0.01)
    assert found["look_age_s"] == 7.0
    assert found["mode"]["now"] == "MAXN_SUPER"
    assert found["rails"]["VDD_IN"]["watts"] == 9.576
    assert "VDD_SOC" not in found["rails"]
    assert "expected a number" in found["unread"]["VDD_SOC"]
    assert found["zones_off"] == ["cv0", "cv1"]
    assert found["gpu"] == {"load": 0.842, "megahertz": 1020.0, "most_megahertz": 1020.0}
    assert found["alarms"]["over"] == ["VDD_IN"]
    assert found["alarms_seen"] == [{"kind": "over", "name": "VDD_IN", "count": 1}]


def test_no_zone_that_can_be_read_is_not_cool(tmp_path: Path) -> None:
    root = orin_nano(tmp_path)
    for zone in (root / "sys/class/thermal").glob("thermal_zone*"):
        (zone / "temp").unlink(missing_ok=True) if (zone / "temp").is_file() else None
        write(zone, {"temp": OFF})
    found = seen(Instruments(root))
    assert found["hottest_c"] is None
    assert found["celsius"] == {}
    assert "cpu" in found["zones_off"]


def test_a_machine_without_sensors_says_so(tmp_path: Path) -> None:
    with Instruments(tmp_path) as board:
        found = told(board)
    assert found["power"]["measured"] is False
    assert found["power"]["watts"] is None
    assert "no power sensors" in found["power"]["covers"]["en"]
    assert "没有可读的功率传感器" in found["power"]["covers"]["zh"]
    assert set(found) == {"board", "power", "energy", "alarms_seen", "look_age_s"}
