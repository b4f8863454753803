"""The log: its lines, what is kept out of them, how many they may be, and its level for a while."""

from __future__ import annotations

import io
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.language.redact import redact
from appliance.logs import KEPT_LINES, MOST, MOST_ALIKE, MOST_ALIKE_DEBUG, WINDOW_S, Limit, Log, in_journal
from appliance.request import under

ours = logging.getLogger("appliance.tests")
theirs = logging.getLogger("PIL.TiffImagePlugin")


@pytest.fixture
def root() -> Iterator[None]:
    """The root logger is as it was, afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logging.captureWarnings(False)
    logger.handlers[:] = handlers
    logger.setLevel(level)


def started(stream: io.StringIO, level: str = "debug", form: str = "json", **more: Any) -> Log:
    log = Log(level, stream, form=form, environ={}, scrub=redact, **more)
    log.take_over()
    return log


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.usefixtures("root")
def test_a_line_is_one_object_with_time_level_logger_and_request() -> None:
    stream = io.StringIO()
    log = started(stream)
    with under("request-one"):
        ours.warning("two\nlines of %d", 7)
    ours.info("none")
    first, second = lines(stream)
    assert first["message"] == "two\nlines of 7"
    assert (first["level"], first["logger"], first["request_id"]) == ("warning", "appliance.tests", "request-one")
    assert first["ts"].endswith("Z")
    assert abs(first["mono"] - time.monotonic()) < 60
    assert "request_id" not in second
    assert log.lines() == [first, second]


@pytest.mark.usefixtures("root")
def test_an_error_is_written_by_its_trail() -> None:
    stream = io.StringIO()
    started(stream)
    try:
        int("13812345678号")
    except ValueError as error:
        ours.exception("could not be counted: %s", error)
    (line,) = lines(stream)
    assert line["message"] == "could not be counted: ValueError"
    assert line["trail"].startswith("ValueError\n")
    assert "13812345678" not in stream.getvalue()


@pytest.mark.usefixtures("root")
def test_other_libraries_are_redacted_and_not_heard_at_debug() -> None:
    stream = io.StringIO()
    log = started(stream)
    theirs.debug("tag: UserComment - value: b'ouyang mingyue'")
    theirs.warning("strange tag 13812345678")
    assert "ouyang" not in stream.getvalue() + str(log.lines())
    assert "13812345678" not in stream.getvalue() + str(log.lines())
    assert "strange tag" in stream.getvalue()


@pytest.mark.usefixtures("root")
def test_text_is_for_eyes() -> None:
    stream = io.StringIO()
    started(stream, form="text")
    with under("request-one"):
        ours.warning("said")
    assert stream.getvalue().rstrip().endswith("WARNING appliance.tests said [request-one]")


@pytest.mark.usefixtures("root")
def test_a_message_that_does_not_fit_its_arguments_is_no_reason_to_fail() -> None:
    stream = io.StringIO()
    started(stream)
    ours.warning("%d and %d", 1)
    assert "do not fit" in lines(stream)[0]["message"]


@pytest.mark.usefixtures("root")
def test_a_long_message_is_cut_and_says_so() -> None:
    stream = io.StringIO()
    started(stream)
    ours.warning("x" * 100_000)
    (line,) = lines(stream)
    assert len(line["message"]) < 5000
    assert "100000 characters" in line["message"]


def test_the_journal_is_known_by_what_systemd_says(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert in_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        assert not in_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"})
        assert not in_journal(stream, {})
    assert not in_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


@pytest.mark.usefixtures("root")
def test_in_the_journal_lines_are_json_with_their_priority_in_front(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream:
        found = os.fstat(stream.fileno())
        Log("info", stream, environ={"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}).take_over()
        ours.warning("said")
    line = (tmp_path / "out").read_text("utf-8")
    assert line.startswith("<4>{")
    assert json.loads(line[3:])["message"] == "said"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(text: str, *arguments: object, level: int = logging.WARNING, about: str = "") -> logging.LogRecord:
    made = logging.LogRecord("appliance.x", level, __file__, 1, text, arguments, None)
    if about:
        made.about = about
    return made


def test_what_comes_again_and_again_is_counted() -> None:
    clock = Clock()
    limit = Limit(clock)
    passed = [limit.filter(record("attempt %d failed", number)) for number in range(100)]
    assert passed == [True] * MOST_ALIKE + [False] * (100 - MOST_ALIKE)
    assert limit.filter(record("something else"))
    assert limit.left_out == 100 - MOST_ALIKE
    clock.now = WINDOW_S
    again = record("attempt %d failed", 100)
    assert limit.filter(again)
    assert again.getMessage().startswith("attempt 100 failed (")
    assert str(100 - MOST_ALIKE) in again.getMessage()
    plain = record("attempt %d failed", 101)
    assert limit.filter(plain)
    assert plain.getMessage() == "attempt 101 failed"


def test_kinds_are_told_apart_by_what_they_are_about() -> None:
    limit = Limit(Clock())
    for _ in range(MOST_ALIKE):
        limit.filter(record("%s", "first", about="first"))
    assert not limit.filter(record("%s", "first", about="first"))
    assert limit.filter(record("%s", "second", about="second"))


def test_all_lines_together_are_bounded_also_at_debug() -> None:
    limit = Limit(Clock())
    passed = [limit.filter(record("again", level=logging.DEBUG)) for _ in range(MOST_ALIKE_DEBUG + 1)]
    assert sum(passed) == MOST_ALIKE_DEBUG
    passed = [limit.filter(record(f"kind {number}", level=logging.DEBUG)) for number in range(MOST)]
    assert sum(passed) == MOST - MOST_ALIKE_DEBUG


@pytest.mark.usefixtures("root")
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


@pytest.mark.usefixtures("root")
def test_the_last_lines_are_kept_and_no_more() -> None:
    log = started(io.StringIO())
    for number in range(KEPT_LINES + 10):
        ours.info(f"kind {number}")
    assert len(log.lines()) == KEPT_LINES
    assert log.lines()[-1]["message"] == f"kind {KEPT_LINES + 9}"


@pytest.mark.usefixtures("root")
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


@pytest.mark.usefixtures("root")
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


@pytest.mark.usefixtures("root")
def test_half_characters_are_written_and_told() -> None:
    log = started(io.StringIO())
    ours.info("file %s", "a\udcff")
    assert log.lines()[-1]["message"] == "file a\\udcff"
