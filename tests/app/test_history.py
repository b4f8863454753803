"""Energy in the event log: an answer's joules with its session, power by the minute with the log itself."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from appliance.app.board import Instruments
from appliance.app.build import build
from appliance.app.history import History
from appliance.device.bill import Cost
from appliance.device.trace import Energy
from appliance.records.events import EventLog
from appliance.settings import Settings
from appliance.values import Turn
from tests.app.test_board import until
from tests.device.boards import orin_nano
from tests.device.test_energy import Clock


def cost(joules: float = 1.23456) -> Cost:
    return Cost("look", {"detect": Energy(joules, 0.4, 0.5), "other": Energy(0.0, 0.0, 0.001)}, True)


def masked(text: str) -> str:
    return text.replace("detect", "*")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events() -> EventLog:
    return EventLog(None, redact=masked)


def test_an_answers_joules_stand_with_its_session_and_are_redacted_like_all(
    tmp_path: Path, clock: Clock, events: EventLog
) -> None:
    history = History(events, Instruments(tmp_path, clock=clock), clock)
    history.keep("a session", cost())
    assert events.of_kind("energy") == (), "not by whoever came to know it"
    history.tend()
    (event,) = events.read("a session")
    assert event.kind == "energy"
    assert event.payload == {
        "door": "look",
        "joules": 1.235,
        "stages": {"*": 1.235, "other": 0.0},
        "seconds": 0.501,
        "covered_s": 0.4,
        "net": True,
    }
    assert events.verify() is None


def test_power_is_one_event_a_quarter_of_an_hour_with_the_mean_of_each_minute(
    tmp_path: Path, clock: Clock, events: EventLog
) -> None:
    board = Instruments(orin_nano(tmp_path), clock=clock)
    history = History(events, board, clock)
    for second in range(1, 15 * 60 + 2):
        clock.now = float(second)
        board.meter.sample()
        if second == 301:
            board._see(board._watch.now())
        history.tend()
    (event,) = events.of_kind("power")
    said = event.payload
    assert said["source"] == "VDD_IN"
    assert said["minutes"] == [9.58] * 15
    assert said["hottest_c"] == [None] * 5 + [51.312] + [None] * 9, "a look that is old is none"
    assert said["mode"] == "MAXN_SUPER"
    assert said["idle_w"] == 9.58
    assert said["idle_j"] == pytest.approx(9.576 * 899, rel=0.01)
    assert (said["shared_j"], said["rest_j"]) == (0.0, 0.0)
    clock.now += 20.0
    history.close()
    assert len(events.of_kind("power")) == 1, "less than half a minute is no minute"


def test_what_is_not_read_is_no_figure_and_where_nothing_is_nothing_is_written(
    tmp_path: Path, clock: Clock, events: EventLog
) -> None:
    history = History(events, Instruments(tmp_path, clock=clock), clock)
    clock.now = 3600.0
    history.tend()
    history.close()
    assert events.of_kind("power") == ()


def test_the_last_answer_of_a_closing_appliance_is_kept_and_old_ones_go_with_the_rest(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path / "data"), device_root=str(orin_nano(tmp_path / "root")))
    with build(settings, senses=()) as appliance:
        until(lambda: appliance._rooms.board.watts is not None)
        reply = appliance.turn(Turn("厕所在哪里"))
    with closing(EventLog(tmp_path / "data/records/events.sqlite", redact=str)) as log:
        (event,) = log.read(reply.session)[-1:]
        assert (event.kind, event.payload["door"]) == ("energy", "turn")
        assert set(event.payload["stages"]) >= {"understand"}
        assert event.payload["covered_s"] == pytest.approx(event.payload["seconds"], abs=0.002)
        assert log.verify() is None
        assert log.prune(event.time + 1) > 0
        assert log.of_kind("energy") == ()
