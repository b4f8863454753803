"""The log: where it goes, what the process remembers of it, its level for a while, and streams that break."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest

from appliance.logs import KEPT_LINES, Log, in_journal
from appliance.scarce import MOST_ALIKE, WINDOW_S
from tests.logged import lines, ours, started


def test_the_journal_is_known_by_what_systemd_says(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert in_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not in_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not in_journal(stream, {})
    assert not in_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


@pytest.mark.usefixtures("root_logger")
def test_in_the_journal_lines_are_json_with_their_priority_in_front(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        found = os.fstat(stream.fileno())
        Log("info", stream, environ={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}).take_over()
        ours.warning("said")
    line = (tmp_path / "out").read_text("utf-8")
    assert line.startswith("<4>{")
    assert json.loads(line[3:])["message"] == "said"


@pytest.mark.usefixtures("root_logger")
def test_the_level_comes_back_by_itself() -> None:
    stream = io.StringIO()
    log = started(stream, "info")
    ours.debug("unheard")
    log.louder("debug", 0.3)
    ours.debug("heard")
    state = log.state()
    assert (state["level"], state["usual"]) == ("debug", "info")
    assert 0 < state["returns_in_s"] <= 0.3  # type: ignore[operator]
    until = time.monotonic() + 20
    while log.state()["level"] != "info" and time.monotonic() < until:
        time.sleep(0.01)
    ours.debug("unheard again")
    said = [line["message"] for line in lines(stream)]
    assert said == ["log level: debug for 0 s", "heard", "log level: info again"]
    assert log.state() == {"level": "info", "usual": "info", "returns_in_s": None, "left_out": 0}


@pytest.mark.usefixtures("root_logger")
def test_the_last_lines_are_kept_and_no_more() -> None:
    log = started(io.StringIO())
    for number in range(KEPT_LINES + 10):
        ours.info(f"kind {number}")
    assert len(log.lines()) == KEPT_LINES
    assert log.lines()[-1]["message"] == f"kind {KEPT_LINES + 9}"


@pytest.mark.usefixtures("root_logger")
def test_a_stream_that_breaks_tells_nothing_and_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    started(stream)
    stream.close()
    ours.warning("said %s", "13812345678")
    assert "13812345678" not in capsys.readouterr().err


class Unwritable:
    """An argument whose own text cannot be made."""

    def __str__(self) -> str:
        raise RuntimeError("13812345678")


@pytest.mark.usefixtures("root_logger")
def test_a_line_that_cannot_be_made_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    log = started(stream)
    now = [0.0]
    monkeypatch.setattr(log._limit, "_clock", lambda: now[0])
    for _ in range(MOST_ALIKE + 5):
        ours.info("counted %d", "x")
    now[0] = WINDOW_S * 2 + time.monotonic()
    ours.info("counted %d", "x")
    ours.info("%s", Unwritable())
    ours.info(Unwritable())
    said = [line["message"] for line in lines(stream)]
    assert said[-3].startswith("counted %d (arguments that do not fit)")
    assert "left out: 5" in said[-3]
    assert said[-2:] == ["%s (arguments that do not fit)", "Unwritable (arguments that do not fit)"]
