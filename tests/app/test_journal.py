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


def test_a_camera_that_is_lost_is_logged_and_one_that_rests_is_not(caplog: pytest.LogCaptureFixture) -> None:
    listener = journal(lambda event, /, **fields: None)
    for state in ("opening", "watching", "resting", "paused"):
        listener("camera", state=state, device="Cam", reason="", retries=0)
    assert caplog.text == ""
    listener("camera", state="lost", device="Cam", reason="摄像头已断开 / gone", retries=1)
    assert "state=lost device=Cam" in caplog.text
