"""The camera as a feature: its state in words, and what the settings ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.app.camera import OPENING, build_sight, described
from appliance.errors import SettingInvalid
from appliance.listener import silent
from appliance.settings import Settings, load_settings
from appliance.values import Reply
from appliance.vision.faults import Lost
from appliance.vision.frame import CameraState
from appliance.vision.watch import UNWATCHED, Watch
from tests.vision.fake_camera import FakeCamera


def unasked(image: bytes, session: str | None, language: str, *, watch: Watch = UNWATCHED) -> Reply:
    raise AssertionError("nothing was shown")


@pytest.mark.parametrize(
    "state, served, backend",
    [
        ("resting", "ready", "v4l2"),
        ("watching", "ready", "v4l2"),
        ("covered", "fallback", "v4l2"),
        ("paused", "fallback", "none"),
        ("opening", "off", "none"),
        ("absent", "failed", "none"),
        ("busy", "failed", "none"),
        ("refused", "failed", "none"),
        ("lost", "failed", "none"),
    ],
)
def test_each_state_is_said_in_both_languages(state: str, served: str, backend: str) -> None:
    now = CameraState(state, "Cam", "/dev/video0", "MJPG", 1920, 1080, 15.0, Lost("gone").account)
    feature = described(now)
    assert (feature.name, feature.state, feature.backend) == ("camera", served, backend)
    assert feature.said("zh") != feature.said("en") or state == "watching"
    assert "\n" not in feature.reason


def test_one_that_is_opened_again_after_a_rest_is_not_off_meanwhile() -> None:
    now = CameraState("opening", "Cam", "/dev/video0", "MJPG", 1920, 1080, 15.0, "", frames=7)
    assert (described(now).state, described(now).reason) == ("ready", OPENING)
    assert described(replace(now, frames=0)).state == "off"
    assert described(replace(now, state="lost", reason="gone / gone")).state == "failed"


def test_without_a_name_no_camera_is_opened() -> None:
    sight = build_sight(Settings(), unasked, lambda _: None, lambda _: {}, None, silent)
    assert (sight.camera, sight.showing) == (None, None)
    assert sight.feature().state == "off"
    assert "APPLIANCE_CAMERA_DEVICE" in sight.feature().reason
    sight.close()


def test_the_camera_is_asked_for_what_the_settings_say() -> None:
    fake = FakeCamera()
    settings = replace(
        Settings(), camera_device="Fake", camera_format="YUYV", camera_width=640, camera_height=480, camera_rate=3.0
    )
    sight = build_sight(settings, unasked, lambda _: None, lambda _: {}, None, silent, fake.open)
    try:
        assert sight.camera is not None
        assert sight.camera.rate == 3.0
        assert sight.feature().reason == OPENING or sight.feature().state == "ready"
        with sight.camera.watched(3) as watcher:
            assert watcher.next(10) is not None
        device, wanted, _ = fake.opened[0]
        assert (device, wanted.format, wanted.width, wanted.height) == ("Fake", "YUYV", 640, 480)
    finally:
        sight.close()
    assert sight.feature().state == "off"


def test_a_format_has_four_characters() -> None:
    with pytest.raises(SettingInvalid, match="camera_format"):
        load_settings(environ={"APPLIANCE_CAMERA_FORMAT": "JPEG2000"})
    assert load_settings(environ={"APPLIANCE_CAMERA_FORMAT": ""}).camera_format == ""
