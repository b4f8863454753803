"""What systemd is asked, and what is made of its answer: one object a line, with time, level and unit."""

from __future__ import annotations

import json
import subprocess

import pytest

from appliance.settings import Settings
from appliance.support import journal
from appliance.support.case import Case
from appliance.support.masked import Mask

CASE = Case(Settings(), "", Mask((), name=lambda: "kiosk-17"))


def test_programs_that_are_missing_or_fail_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        journal.run(["appliance-no-such-program"])
    with pytest.raises(OSError, match="ended with 3"):
        journal.run(["sh", "-c", "exit 3"])
    monkeypatch.setattr(journal, "_PROGRAM_S", 0.2)
    with pytest.raises(subprocess.TimeoutExpired):
        journal.run(["sleep", "5"])


def test_lines_of_ours_stay_objects_others_become_some_and_what_is_neither_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = {"ts": "2026-12-01T10:00:00Z", "level": "info", "message": "POST /v1/turns 200"}
    rows = [
        {"MESSAGE": json.dumps(ours), "_SYSTEMD_UNIT": "appliance.service"},
        {
            "MESSAGE": "Of 13912345678",
            "UNIT": "appliance.service",
            "PRIORITY": "4",
            "__REALTIME_TIMESTAMP": "0",
        },
        {"MESSAGE": [104, 105], "PRIORITY": "6", "__REALTIME_TIMESTAMP": "1000000"},
        {"MESSAGE": "no time"},
    ]
    monkeypatch.setattr(journal, "run", lambda command: "\n".join([*map(json.dumps, rows), "no json"]))
    first, second, third = map(json.loads, journal.journal(CASE).decode().splitlines())
    assert first == ours | {"unit": "appliance.service"}
    assert (second["ts"], second["level"], second["unit"]) == ("1970-01-01T00:00:00Z", "warning", "appliance.service")
    assert "13912345678" not in second["message"]
    assert third["message"] == "hi"
    monkeypatch.setattr(journal, "run", lambda command: "")
    with pytest.raises(OSError, match="no line"):
        journal.journal(CASE)


def test_units_are_told_by_their_properties(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Id=appliance.service\nResult=success\n\nId=appliance-power.service\nStatusText=on kiosk-17"
    monkeypatch.setattr(journal, "run", lambda command: said)
    first, second = json.loads(journal.units(CASE))
    assert first == {"Id": "appliance.service", "Result": "success"}
    assert second["StatusText"] == "on [host]"
