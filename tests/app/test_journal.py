"""Trouble in a lower room reaches the log; the rest is only counted."""

from __future__ import annotations

import pytest

from appliance.app.journal import journal


def test_trouble_is_logged_and_everything_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    listener = journal(lambda event, /, **fields: counted.append(event))
    listener("timings", door="turn")
    listener("inference", model="m", ok=True)
    assert caplog.text == ""
    listener("inference", model="m", ok=False, trace="boom")
    listener("sweep_failed", code="storage_failed")
    assert "trace=boom" in caplog.text
    assert "sweep_failed code=storage_failed" in caplog.text
    assert counted == ["timings", "inference", "inference", "sweep_failed"]
