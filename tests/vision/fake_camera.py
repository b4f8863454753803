"""A camera that no machine here has: it can be pulled out, hang in its driver, come back under another number, and send
rubbish. Everything else about it is real: threads, times, pictures.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from appliance.vision.capture import Shape, Wanted
from appliance.vision.devices import Node
from appliance.vision.faults import Absent, CameraFault, Lost
from appliance.vision.image import Pixels


class FakeCamera:
    """Give its `open` to a Camera. `node` is where it is plugged in, None while it is not."""

    def __init__(self, node: Node | None = None, fps: float = 100.0) -> None:
        self.node: Node | None = node or Node(
            "/dev/video0", "Fake Cam", ("/dev/v4l/by-id/usb-Fake_Cam_1-video-index0",)
        )
        self.fps = fps
        self.fault: CameraFault | None = None
        self.hang = threading.Event()
        """Set: every read waits until it is cleared, as a driver may for ever."""
        self.picture: Pixels | None = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
        self.behind_s = 0.0
        """How old its pictures are when they come."""
        self.open_now = 0
        self.opened: list[tuple[str, Wanted, Node | None]] = []
        self.most_open = 0
        self.decoded: list[_Source] = []
        """Openings whose pictures were decoded, in order."""

    def open(self, device: str, wanted: Wanted, known: Node | None) -> _Source:
        self.opened.append((device, wanted, known))
        if self.fault is not None:
            raise self.fault
        if self.node is None:
            raise Absent(f"camera: expected one called {device!r}, got none")
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        return _Source(self, self.node)


class _Source:
    def __init__(self, camera: FakeCamera, node: Node) -> None:
        self._camera, self.node = camera, node
        self.shape = Shape("MJPG", 160, 120, camera.fps)

    def grab(self) -> float:
        time.sleep(1 / self._camera.fps)
        while self._camera.hang.is_set():
            time.sleep(0.005)
        if self._camera.node is not self.node:
            raise Lost(f"camera {self.node.name!r}: expected a picture, got none")
        return time.monotonic() - self._camera.behind_s

    def picture(self) -> Pixels | None:
        if not self._camera.decoded or self._camera.decoded[-1] is not self:
            self._camera.decoded.append(self)
        found = self._camera.picture
        return None if found is None else found.copy()

    def close(self) -> None:
        self._camera.open_now -= 1
