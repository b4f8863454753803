"""What watching costs: CPU seconds of the whole process, its threads among them, while nobody shows anything."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from appliance.channels.camera.showing import Showing
from appliance.values import Reply
from appliance.vision.camera import Camera
from appliance.vision.capture import Shape, Wanted
from appliance.vision.devices import Node
from appliance.vision.image import Pixels
from appliance.vision.moment import Moment, Rules
from appliance.vision.watch import Watch
from benchmarks.camera.scenes import Scene, frames

FPS = Wanted().fps


class Replay:
    """Pictures as a USB camera sends them: JPEG, one after the other at the camera's rate, decoded only when wanted.

    That is what OpenCV's V4L2 backend does; what is missing is the kernel's part (USB, and one copy of the JPEG).
    """

    def __init__(self, size: tuple[int, int]) -> None:
        scene = Scene(1.0, size=size, print_on_desk=True)
        self._sent = [
            cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, 90])[1] for view in islice(frames(scene), 8)
        ]
        self.bytes = round(float(np.mean([len(sent) for sent in self._sent])))
        self.node = Node("replay", "replay")
        self.shape = Shape("MJPG", *size, FPS)
        self._due, self._number = time.monotonic(), 0

    def grab(self) -> float:
        time.sleep(max(0.0, self._due - time.monotonic()))
        self._due += 1 / FPS
        self._number += 1
        return time.monotonic()

    def picture(self) -> Pixels | None:
        return np.asarray(cv2.imdecode(self._sent[self._number % len(self._sent)], cv2.IMREAD_COLOR), np.uint8)

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One measurement."""

    size: tuple[int, int]
    """Pixels across and down."""
    lively: bool
    """Whether it looked as often as it may, or slowly because nothing happened."""
    looks: float
    """Pictures looked at, a second."""
    share: float
    """CPU seconds a second."""
    jpeg_bytes: int
    """Mean size of a picture as it was sent."""


def watching(size: tuple[int, int], *, lively: bool, rate: float, seconds: float) -> Cost:
    """Watch an empty counter for so long."""
    source = Replay(size)
    rules = Rules(lively_s=math.inf if lively else 0.0)
    with Camera("replay", rate=rate, open=lambda *_: source) as camera:
        showing = Showing(camera, _never, lambda _reply: {}, moment=lambda: Moment(rules))
        showing.start()
        try:
            end = time.monotonic() + 10
            while camera.state.frames < 5 and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(1.5)
            frames_before, cpu, began = camera.state.frames, time.process_time(), time.monotonic()
            time.sleep(seconds)
            passed = time.monotonic() - began
            looks = (camera.state.frames - frames_before) / passed
            return Cost(size, lively, looks, (time.process_time() - cpu) / passed, source.bytes)
        finally:
            showing.close()


def _never(image: bytes, session: str | None, language: str, *, watch: Watch) -> Reply:
    raise AssertionError("an empty counter was read")
