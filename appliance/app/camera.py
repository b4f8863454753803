"""Builds the appliance's own camera, and what customers show to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.channels.camera.showing import Looks, Showing
from appliance.channels.voice.conversation import Conversation
from appliance.listener import Listener
from appliance.settings import Settings
from appliance.values import Feature, Reply, statements
from appliance.vision.camera import Camera
from appliance.vision.capture import Opens, Wanted, open_source
from appliance.vision.frame import UNWELL, CameraState

OFF = "未启用，设置 APPLIANCE_CAMERA_DEVICE 可启用 / not in use; APPLIANCE_CAMERA_DEVICE turns it on"
OPENING = "camera: 正在打开 / opening"
CLOSED = "camera: 已关闭 / closed"
RESTING = "有人需要时才打开 / opened when somebody asks for a look"


@dataclass(frozen=True, slots=True)
class Sight:
    """The camera's side of an appliance."""

    camera: Camera | None
    """The camera; None where the settings name none."""
    showing: Showing | None
    """What customers show to it; None without a camera."""

    def feature(self) -> Feature:
        """State of `camera` now."""
        return described(self.camera.state if self.camera is not None else None)

    def close(self) -> None:
        """Release all of it."""
        if self.showing is not None:
            self.showing.close()


def build_sight(
    settings: Settings,
    look: Looks,
    end: Callable[[str], object],
    show: Callable[[Reply], Mapping[str, Any]],
    conversation: Conversation | None,
    listener: Listener,
    opens: Opens = open_source,
) -> Sight:
    """What the settings ask for; what is missing is said by the feature, and nothing raises."""
    if not settings.camera_device:
        return Sight(None, None)
    wanted = Wanted(settings.camera_format, settings.camera_width, settings.camera_height)
    camera = Camera(settings.camera_device, wanted, rate=settings.camera_rate, open=opens, listener=listener)
    showing = Showing(
        camera, look, show, watches=settings.camera_watch, conversation=conversation, end=end, listener=listener
    )
    showing.start()
    return Sight(camera, showing)


def described(now: CameraState | None) -> Feature:
    """The camera's state as a feature."""
    if now is None:
        return Feature("camera", "off", "none", statements((OFF,)))
    if now.state in UNWELL:
        return Feature("camera", "failed", "none", statements((f"{now.state}: {now.reason}",)))
    if now.state in ("covered", "paused"):
        return Feature("camera", "fallback", "v4l2" if now.state == "covered" else "none", statements((now.reason,)))
    if now.state == "resting":
        return Feature("camera", "ready", "v4l2", statements((RESTING,)))
    if now.state == "watching":
        size = f"{now.width}x{now.height} {now.format} {now.fps:g}/s".replace("  ", " ")
        return Feature("camera", "ready", "v4l2", statements((f"{now.device}: {size} / {size}",)))
    if now.state == "opening" and now.frames:  # after a rest or a pause: what has given pictures is not gone for that
        return Feature("camera", "ready", "v4l2", statements((OPENING,)))
    return Feature("camera", "off", "none", statements((OPENING if now.state == "opening" else CLOSED,)))
