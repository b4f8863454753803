"""Lines of the log: their fields, and what is kept out of them."""

from __future__ import annotations

import io
import itertools
import time
from types import SimpleNamespace

import pytest

from appliance import lines as lines_module
from appliance.request import under
from tests.logged import lines, ours, started, theirs


@pytest.mark.usefixtures("root_logger")
def test_a_line_is_one_object_with_time_level_logger_and_request(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    ticks = itertools.count(time.monotonic(), 0.001)
    monkeypatch.setattr(lines_module, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
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


@pytest.mark.usefixtures("root_logger")
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


@pytest.mark.usefixtures("root_logger")
def test_other_libraries_are_redacted_and_not_heard_at_debug() -> None:
    stream = io.StringIO()
    log = started(stream)
    theirs.debug("tag: UserComment - value: b'ouyang mingyue'")
    theirs.warning("strange tag 13812345678")
    assert "ouyang" not in stream.getvalue() + str(log.lines())
    assert "13812345678" not in stream.getvalue() + str(log.lines())
    assert "strange tag" in stream.getvalue()


@pytest.mark.usefixtures("root_logger")
def test_text_is_for_eyes() -> None:
    stream = io.StringIO()
    started(stream, form="text")
    with under("request-one"):
        ours.warning("said")
    assert stream.getvalue().rstrip().endswith("WARNING appliance.tests said [request-one]")


@pytest.mark.usefixtures("root_logger")
def test_a_message_that_does_not_fit_its_arguments_is_no_reason_to_fail() -> None:
    stream = io.StringIO()
    started(stream)
    ours.warning("%d and %d", 1)
    assert "do not fit" in lines(stream)[0]["message"]


@pytest.mark.usefixtures("root_logger")
def test_a_long_message_is_cut_and_says_so() -> None:
    stream = io.StringIO()
    started(stream)
    ours.warning("x" * 100_000)
    (line,) = lines(stream)
    assert len(line["message"]) < 5000
    assert "100000 characters" in line["message"]


@pytest.mark.usefixtures("root_logger")
def test_half_characters_are_written_and_told() -> None:
    log = started(io.StringIO())
    ours.info("file %s", "a\udcff")
    assert log.lines()[-1]["message"] == "file a\\udcff"
