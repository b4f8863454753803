"""What a camera's pictures are and when they were taken: OpenCV on video files, and a small fake of its V4L2 side."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from appliance.vision.capture import BUFFERS, Capture, Film, Wanted, open_source
from appliance.vision.devices import Node
from appliance.vision.faults import Absent, Lost, Refused
from benchmarks.camera.scenes import Scene, film

NODE = Node("/dev/video0", "Fake Cam")
PICTURE = np.zeros((48, 64, 3), np.uint8)


class FakeVideo:
    """OpenCV's VideoCapture on a device: `stamp_ms` is the driver's moment, `clock` tells the time that grabs take."""

    def __init__(self, fps: float = 10.0) -> None:
        self.fps, self.now = fps, 1000.0
        self.stamp_ms = 0.0
        self.found: Any = PICTURE
        self.ends = False

    def clock(self) -> float:
        return self.now

    def grab(self) -> bool:
        self.now += 1 / self.fps
        return not self.ends

    def retrieve(self) -> tuple[bool, Any]:
        return self.found is not None, self.found

    def get(self, what: int) -> float:
        known = {
            cv2.CAP_PROP_POS_MSEC: self.stamp_ms,
            cv2.CAP_PROP_FPS: self.fps,
            cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"MJPG")),
            cv2.CAP_PROP_FRAME_WIDTH: 64.0,
            cv2.CAP_PROP_FRAME_HEIGHT: 48.0,
        }
        return known[what]

    def release(self) -> None:
        self.found = None


@pytest.fixture
def video() -> FakeVideo:
    return FakeVideo()


def test_the_moment_is_the_drivers_where_it_says_one(video: FakeVideo) -> None:
    capture = Capture(video, NODE, video.clock)
    video.stamp_ms = 1000.07 * 1000
    assert capture.grab() == pytest.approx(1000.07)
    assert (capture.shape.format, capture.shape.width, capture.shape.height, capture.shape.fps) == ("MJPG", 64, 48, 10)


@pytest.mark.parametrize("stamp_ms", [0.0, 1_796_080_000_000.0])
def test_without_one_it_is_the_end_of_the_picture_before(video: FakeVideo, stamp_ms: float) -> None:
    capture = Capture(video, NODE, video.clock)
    video.stamp_ms = stamp_ms  # none, or that of another clock
    capture.grab()
    assert capture.grab() == pytest.approx(1000.1)


def test_soon_after_the_machine_has_started_no_moment_is_still_none(video: FakeVideo) -> None:
    video.now = 12.0
    capture = Capture(video, NODE, video.clock)
    capture.grab()
    assert capture.grab() == pytest.approx(12.1)


def test_after_a_pause_the_drivers_buffers_hold_what_is_old(video: FakeVideo) -> None:
    capture = Capture(video, NODE, video.clock)
    for _ in range(3):
        capture.grab()
    paused = video.now
    video.now += 5  # this thread had no time; the driver kept pictures of its beginning
    moments = [capture.grab() for _ in range(BUFFERS + 1)]
    assert all(moment <= paused for moment in moments[:BUFFERS])
    assert moments[BUFFERS] > paused + 5


def test_what_is_no_picture_is_none(video: FakeVideo) -> None:
    capture = Capture(video, NODE, video.clock)
    assert capture.picture() is PICTURE
    for rubbish in (
        None,
        np.zeros((48, 64, 2), np.uint8),
        np.zeros((48, 64, 3), np.uint16),
        np.zeros((1, 3072), np.uint8),
    ):
        video.found = rubbish
        assert capture.picture() is None
    video.found = np.full((48, 64), 7, np.uint8)
    grey = capture.picture()
    assert grey is not None
    assert grey.shape == (48, 64, 3)
    assert (grey == 7).all()


def test_a_read_that_fails_says_so(video: FakeVideo) -> None:
    capture = Capture(video, NODE, video.clock)
    video.ends = True
    with pytest.raises(Lost, match="Fake Cam"):
        capture.grab()


def test_a_film_runs_in_its_own_time_and_its_last_picture_stays(tmp_path: Path) -> None:
    source = open_source(str(film(Scene(0.6, size=(320, 180)), tmp_path / "desk.avi")), Wanted())
    assert isinstance(source, Film)
    assert (source.shape.format, source.shape.width, source.node.name) == ("MJPG", 320, "desk.avi")
    began = time.monotonic()
    for _ in range(9):
        source.grab()
    assert 0.45 < time.monotonic() - began < 10
    last = source.picture()
    for _ in range(5):
        moment = source.grab()
    assert moment > began + 0.8
    stays = source.picture()
    assert last is not None
    assert stays is not None
    assert (stays == last).all()
    source.close()


def test_what_is_no_video_and_what_is_not_there(tmp_path: Path) -> None:
    text = tmp_path / "notes.avi"
    text.write_text("no video")
    with pytest.raises(Refused, match=r"notes\.avi"):
        open_source(str(text), Wanted())
    with pytest.raises(Absent, match="a camera of nobody"):
        open_source("a camera of nobody", Wanted())
