"""One picture of a camera, what the camera does, and how long it waits for what."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.vision.image import Pixels

UNWELL = ("absent", "busy", "refused", "lost")
"""States in which no pictures come, and the camera is tried again."""
COVERED = (
    "画面一片均匀，镜头可能被遮住 → 请移开遮挡物 / "
    "The picture is the same all over: something may cover the lens → Take it away"
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a camera waits for what; seconds."""

    opening: float = 15.0
    """For the first picture: OpenCV waits 10 for a device that is held."""
    silent: float = 3.0
    """Without any picture it is lost."""
    covered: float = 5.0
    """Of pictures that show nothing it is covered."""
    linger: float = 5.0
    """The device stays open after the last who looked: opening it again takes a second."""
    first: float = 0.5
    """Before the first retry; each further one waits twice as long."""
    most: float = 15.0
    """Longest wait before a retry."""

    def before(self, retries: int) -> float:
        """Seconds before retry number `retries`, the first being 1."""
        return min(self.most, self.first * 2.0 ** min(retries - 1, 30))


PATIENT = Patience()


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture."""

    pixels: Pixels
    """BGR; nobody changes it."""
    at: float
    """The moment that it shows, seconds of the clock."""
    number: int
    """Counts up from 1."""


@dataclass(frozen=True, slots=True)
class CameraState:
    """What the camera does now."""

    state: str = "off"
    """`off`, `resting` (nobody looks), `paused` (rate 0), `opening`, `watching`, `covered`, `absent`, `busy`, `refused`
    or `lost`."""
    device: str = ""
    """What it calls itself; what was asked for, before it was opened."""
    node: str = ""
    """Where it is plugged in now."""
    format: str = ""
    """Four characters, as it says."""
    width: int = 0
    """Pixels across, as they come."""
    height: int = 0
    """Pixels down, as they come."""
    fps: float = 0.0
    """Pictures a second that the device makes, as it says."""
    reason: str = ""
    """What is wrong and what to do, Chinese then English; empty when all is well."""
    retries: int = 0
    """Attempts to open it since it worked last."""
    frames: int = 0
    """Pictures decoded since the start."""
