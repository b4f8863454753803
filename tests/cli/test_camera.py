"""`appliance camera list` and `look` where there is no camera; the look itself is tested in tests/e2e."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from appliance.cli import app
from appliance.cli import camera as command
from appliance.errors import Unavailable
from appliance.vision.devices import Format, Node


def test_no_camera_is_said() -> None:
    done = CliRunner().invoke(app, ["camera", "list"])
    assert done.exit_code == 0
    assert "摄像头 / cameras" in done.output


def test_cameras_are_listed_with_their_names_and_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node("/dev/video2", "Document Camera", ("/dev/v4l/by-id/usb-Other_4711-video-index0",))
    monkeypatch.setattr(command, "nodes", lambda: (node,))
    monkeypatch.setattr(
        command, "formats", lambda path: (Format("MJPG", ((1920, 1080), (640, 480))), Format("YUYV", ()))
    )
    shown = CliRunner().invoke(app, ["camera", "list"]).output
    for part in ("Document Camera  (/dev/video2)", "by-id/usb-Other_4711", "MJPG: 1920x1080, 640x480", "YUYV: ?"):
        assert part in shown
    (listed,) = json.loads(CliRunner().invoke(app, ["camera", "list", "--json"]).output)
    assert listed["name"] == "Document Camera"
    assert listed["formats"][0] == {"code": "MJPG", "sizes": [[1920, 1080], [640, 480]]}


def test_a_look_without_a_camera_says_which_option_names_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path))
    done = CliRunner().invoke(app, ["camera", "look"])
    assert isinstance(done.exception, Unavailable)
    assert "--device" in done.exception.remedy
