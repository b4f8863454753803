"""`appliance power`: one look, a recording, and what it says where there is nothing to read."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.app.board import Instruments
from appliance.app.device import device
from appliance.cli.exits import Exit
from appliance.cli.power import _bars
from appliance.device.recording import read
from tests.app.test_board import until
from tests.cli.conftest import Command
from tests.device.boards import OFF, orin_nano, pc, write


@pytest.fixture(autouse=True)
def nobody_serves(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """No appliance that happens to serve on this machine is asked; of all settings, the command's fixture clears."""
    monkeypatch.setenv("APPLIANCE_HTTP_PORT", "0")


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APPLIANCE_DEVICE_ROOT", str(tmp_path))
    return orin_nano(tmp_path)


def test_one_look_as_json(command: Command, board: Path) -> None:
    ended = command("power", "--json")
    assert ended.code == Exit.OK
    assert ended.json["from"] == "sensors"
    assert "http_port is 0" in ended.err, "one that serves without HTTP would not know of this"
    assert ended.json["power"]["source"] == "VDD_IN"
    assert ended.json["power"]["watts"] == 9.58
    assert ended.json["rails"]["VDD_SOC"]["watts"] == 2.026
    assert ended.json["mode"]["now"] == "MAXN_SUPER"


def test_a_picture_for_eyes_says_what_is_measured_and_what_is_not(command: Command, board: Path) -> None:
    write(board / "sys/class/hwmon/hwmon1", {"curr3_input": "broken"})
    write(board / "sys/class/hwmon/hwmon1", {"curr1_max_alarm": 1})
    ended = command("power")
    assert ended.code == Exit.OK
    shown = " ".join(ended.out.split())  # however wide the terminal is
    for said in (
        "9.58 W",
        "VDD_IN",
        "MAXN_SUPER",
        "不含载板",
        "without carrier board",
        "51.3",
        "84%",
        "关闭 / off: cv0",
    ):
        assert said in shown, said
    assert "读不到 / unread" in shown
    assert "超限 / over VDD_IN × 1" in shown
    assert "本命令直接读取" in shown


def test_a_machine_without_sensors_is_told_what_to_do(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_DEVICE_ROOT", str(tmp_path))
    ended = command("power")
    assert ended.code == Exit.UNAVAILABLE
    assert "没有可读的功率传感器" in ended.err
    assert "run it on a Jetson" in ended.err
    ended = command("power", "--json")
    assert ended.code == Exit.UNAVAILABLE
    assert ended.json["power"]["measured"] is False
    ended = command("power", "--record", str(tmp_path / "power.csv"))
    assert ended.code == Exit.UNAVAILABLE
    assert not (tmp_path / "power.csv").exists()


def test_temperatures_without_power_are_told(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_DEVICE_ROOT", str(pc(tmp_path)))
    for counter in (tmp_path / "sys/class/powercap").glob("*/energy_uj"):
        counter.unlink()
        write(counter.parent, {"energy_uj": OFF})
    ended = command("power")
    assert ended.code == Exit.OK
    assert "x86_pkg_temp 47.0" in ended.out
    assert "CVE-2020-8694" in ended.out


def test_a_recording_and_its_picture(command: Command, board: Path, tmp_path: Path) -> None:
    ended = command("power", "--record", str(tmp_path / "power.csv"), "--seconds", "1")
    assert ended.code == Exit.OK
    assert "9.58 W" in ended.out
    recording = read(tmp_path / "power.csv")
    assert 4 <= len(recording.readings) <= 7
    assert recording.readings[0].rails["VDD_SOC"] == 2.026
    assert recording.readings[-1].hottest_c == 51.312
    assert recording.joules == pytest.approx(9.576 * recording.covered_s, rel=0.01)
    assert "without carrier board" in recording.about
    assert (tmp_path / "power.svg").read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_recorded_until_it_was_ended_is_kept(
    command: Command, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    turns, real, before = iter(range(100)), time.sleep, signal.getsignal(number)

    def sleep(seconds: float) -> None:
        if next(turns) == 3:
            assert len(read(tmp_path / "power.csv").readings) >= 2  # on disk while it records
            os.kill(os.getpid(), number)
        real(seconds)

    monkeypatch.setattr("appliance.cli.recorder.time.sleep", sleep)
    ended = command("power", "--record", str(tmp_path / "power.csv"), "--seconds", "600")
    assert ended.code == Exit.OK
    assert "提前结束" in ended.err
    assert len(read(tmp_path / "power.csv").readings) >= 2
    assert (tmp_path / "power.svg").exists()
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("name", ["power.csv", "power.svg"])
def test_a_file_that_cannot_be_written_is_refused_before_the_first_reading(
    command: Command, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()

    def never(_: float) -> None:
        raise AssertionError("a reading was waited for")

    monkeypatch.setattr("appliance.cli.recorder.time.sleep", never)
    ended = command("power", "--record", str(tmp_path / "power.csv"), "--seconds", "3600")
    assert ended.code == Exit.FAILED
    assert f"{tmp_path / name}" in ended.err
    assert sorted(path.name for path in tmp_path.glob("power.*")) == [name]


@pytest.mark.parametrize("name", ["power.svg", "no folder/power.csv"])
def test_a_place_that_will_not_do_is_refused_before_an_hour_is_recorded(
    command: Command, board: Path, tmp_path: Path, name: str
) -> None:
    assert command("power", "--record", str(tmp_path / name), "--seconds", "3600").code == Exit.USAGE


@contextmanager
def answering(status: int, body: Any) -> Iterator[int]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
    assert set(asked) == {"/v1/status Bearer 0123456789abcdef"}


def test_an_appliance_that_serves_is_asked_and_nobody_reads_beside_it(
    command: Command, board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Instruments(board) as instruments:
        until(lambda: instruments.seen is not None and instruments.watts is not None)
        block = device(instruments)
    block["energy"] = {"idle_j": 1.0, "shared_j": 777.0, "rest_j": 2.0, "seconds": 3.0}
    monkeypatch.setattr("appliance.app.board.Instruments", None)
    monkeypatch.setenv("APPLIANCE_HTTP_TOKEN", "0123456789abcdef")
    with answering(200, {"ready": True, "device": block}) as port:
        monkeypatch.setenv("APPLIANCE_HTTP_PORT", str(port))
        ended = command("power")
        assert ended.code == Exit.OK
        assert "任务 / work 777.0 J" in ended.out
        assert "运行中的服务" in ended.out
        ended = command("power", "--json")
        assert ended.json["from"] == "appliance"
        assert "http_port" not in ended.err


@pytest.mark.parametrize(
    "status, body", [(401, {"code": "unauthorised"}), (200, ["not a status"]), (200, {"ready": 1})]
)
def test_a_server_that_tells_no_board_is_an_error_and_no_reason_to_read_beside_it(
    command: Command, board: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: Any
) -> None:
    monkeypatch.setenv("APPLIANCE_HTTP_TOKEN", "0123456789abcdef")
    with answering(status, body) as port:
        monkeypatch.setenv("APPLIANCE_HTTP_PORT", str(port))
        ended = command("power", "--json")
    assert ended.code == Exit.UNAVAILABLE
    assert "status" in ended.err


def test_bars_of_the_last_minute() -> None:
    from collections import deque

    assert _bars(deque([0.0, None, 5.0, 10.0])) == "▁ ▅█"
    assert _bars(deque([None])) == ""
