"""One open camera: OpenCV's V4L2 backend, or a video file that stands in for one; pictures with the moment they show.

OpenCV asks the driver for four buffers. They fill while nobody fetches, and the driver then keeps what is in them: the
next pictures are old ones. So whoever has a camera open fetches every picture (`grab`, which decodes nothing) and
decodes those that are wanted; and each comes with its moment, the driver's own where it says one.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from appliance.vision.devices import Node, find, nodes
from appliance.vision.faults import PERMISSION, Absent, Busy, Lost, Refused
from appliance.vision.image import Pixels

BUFFERS = 4
"""Pictures that the driver may hold back (DEFAULT_V4L_BUFFERS of OpenCV's cap_v4l.cpp)."""
OLDEST_S = 30.0
"""A driver's moment further back than this is of another clock."""
SMALLEST = 16
"""Least side of what is taken for a picture."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a camera; it may give something else."""

    format: str = "MJPG"
    """Four characters; empty leaves the camera's own."""
    width: int = 1920
    """Pixels across."""
    height: int = 1080
    """Pixels down."""
    fps: int = 15
    """Pictures a second: more only warm the bus and the camera, fewer make a picture older when it comes."""


USUAL = Wanted()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a camera says that it gives."""

    format: str
    """Four characters, empty where it does not say."""
    width: int
    """Pixels across."""
    height: int
    """Pixels down."""
    fps: float
    """Pictures a second; 0 where it does not say."""


class Source(Protocol):
    """What a camera takes its pictures from."""

    @property
    def node(self) -> Node:
        """The camera."""

    @property
    def shape(self) -> Shape:
        """What it gives."""

    def grab(self) -> float:
        """Wait for the next picture and give the moment that it shows, of time.monotonic or before. Raises Lost."""

    def picture(self) -> Pixels | None:
        """The picture grabbed last, decoded; None when it was none."""

    def close(self) -> None:
        """Let the device go."""


Opens = Callable[[str, Wanted, Node | None], Source]
"""Opens what `device` names, as `Wanted`; the node is what it was when it was open last. Raises CameraFault."""


class Capture:
    """A V4L2 camera that is open."""

    def __init__(self, video: Any, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        """Take over `video`, an open cv2.VideoCapture."""
        self._video, self._clock = video, clock
        self.node, self.shape = node, _shape(video)
        self._period = 1 / self.shape.fps if self.shape.fps > 0 else 1 / 15
        self._ended = self._before = clock()
        self._queued = 0

    def grab(self) -> float:
        """See `Source.grab`."""
        import cv2

        late = self._clock() - self._ended > 2 * self._period
        if not self._video.grab():
            raise Lost(f"camera {self.node.name!r} ({self.node.path}): expected a picture, got none")
        self._queued = BUFFERS if late else max(0, self._queued - 1)
        if not self._queued:
            self._before = self._ended  # it came after the last one was fetched
        self._ended = self._clock()
        said = self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000  # the driver's, of the same clock on Linux
        # 0 is no moment: soon after the start of the machine it would pass for one.
        return said if said > 0 and 0 <= self._ended - said < OLDEST_S else self._before

    def picture(self) -> Pixels | None:
        """See `Source.picture`."""
        return picture(self._video)

    def close(self) -> None:
        """See `Source.close`; as long as the driver hangs, so does this."""
        self._video.release()


class Film:
    """A video file in a camera's place, for demonstrations and tests: in its own time, and its last picture stays."""

    def __init__(self, video: Any, node: Node, clock: Callable[[], float] = time.monotonic) -> None:
        """Take over `video`, a cv2.VideoCapture open on a file."""
        self._video, self._clock = video, clock
        self.node, self.shape = node, _shape(video)
        self._period = 1 / self.shape.fps if 0 < self.shape.fps <= 240 else 1 / 15
        self._due = clock()
        self._over = False
        self._last: Pixels | None = None

    def grab(self) -> float:
        """See `Source.grab`."""
        time.sleep(max(0.0, self._due - self._clock()))
        self._due = max(self._due, self._clock() - 1) + self._period
        self._over = self._over or not self._video.grab()
        if self._last is None:
            self._last = picture(self._video)
            if self._last is None:
                raise Lost(f"video {self.node.path}: expected pictures, got none")
        return self._clock()

    def picture(self) -> Pixels | None:
        """See `Source.picture`."""
        if not self._over:
            self._last = picture(self._video)
        return self._last

    def close(self) -> None:
        """See `Source.close`."""
        self._video.release()


def open_source(device: str, wanted: Wanted, known: Node | None = None) -> Source:
    """Open the camera that `device` names (see `devices.find`), or the video file. Raises Absent, Busy, Refused."""
    import cv2

    file = Path(device).expanduser()
    if file.is_file():
        film = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
        if not film.isOpened():
            raise Refused(
                f"camera_device: expected a camera or a video file, got {file.name}, which is no video",
                remedy=("请填写摄像头名称，或 AVI/MP4 视频文件", "Name a camera, or a video file (AVI, MP4)"),
            )
        return Film(film, Node(str(file), file.name))
    node = find(nodes(), device, known)
    _reach(node)
    video = cv2.VideoCapture(node.path, cv2.CAP_V4L2)
    if not video.isOpened():
        raise Busy(f"camera {node.name!r} ({node.path}): expected it to open, got: it is held, or in no form we read")
    if wanted.format:
        video.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*wanted.format))
    video.set(cv2.CAP_PROP_FRAME_WIDTH, wanted.width)
    video.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted.height)
    video.set(cv2.CAP_PROP_FPS, wanted.fps)
    return Capture(video, node)


def picture(video: Any) -> Pixels | None:
    """The picture that `video` grabbed last as BGR; None for what is none: nothing, or of another kind."""
    done, found = video.retrieve()
    if not done or found is None or found.dtype != np.uint8 or min(found.shape[:2]) < SMALLEST:
        return None
    if found.ndim == 2 or found.shape[2] == 1:
        return np.ascontiguousarray(np.repeat(found.reshape(*found.shape[:2], 1), 3, axis=2))
    return found if found.shape[2] == 3 else None


def _reach(node: Node) -> None:
    """Say why a node cannot be opened: OpenCV only says that."""
    try:
        os.close(os.open(node.path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        said = f"camera {node.name!r} ({node.path}): expected it to open, got: {error.strerror}"
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Refused(said, remedy=PERMISSION) from error
        raise (Busy(said) if error.errno == errno.EBUSY else Absent(said)) from error


def _shape(video: Any) -> Shape:
    import cv2

    code = int(video.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    letters = code.to_bytes(4, "little").decode("latin-1")
    return Shape(
        format=letters if letters.isascii() and letters.isprintable() else "",
        width=int(video.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(video.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        fps=round(max(0.0, float(video.get(cv2.CAP_PROP_FPS))), 2),
    )
