"""The camera: opened for those who look, lost and found again, hung, and never more than one picture kept."""

from __future__ import annotations

import gc
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from appliance.vision.camera import MOST_HUNG, Camera
from appliance.vision.capture import Wanted
from appliance.vision.devices import Node
from appliance.vision.faults import Busy
from appliance.vision.frame import CameraState, Patience
from benchmarks.camera.scenes import Scene, film
from tests.vision.fake_camera import FakeCamera, _Source

QUICK = Patience(opening=0.6, silent=0.3, covered=0.2, linger=0.1, first=0.02, most=0.05)


class Events:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        assert event == "camera"
        self.heard.append(fields)

    @property
    def states(self) -> list[str]:
        return [str(fields["state"]) for fields in self.heard]


@pytest.fixture
def fake() -> FakeCamera:
    return FakeCamera()


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def camera(fake: FakeCamera, events: Events) -> Iterator[Camera]:
    with Camera("fake", open=fake.open, rate=100, listener=events, patience=QUICK) as opened:
        yield opened
    fake.hang.clear()
    eventually(lambda: fake.open_now == 0)


def eventually(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def in_state(camera: Camera, *states: str) -> CameraState:
    eventually(lambda: camera.state.state in states)
    return camera.state


def test_it_is_open_only_while_somebody_looks(camera: Camera, fake: FakeCamera, events: Events) -> None:
    time.sleep(0.1)
    assert camera.state.state == "resting"
    assert not fake.opened
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        assert camera.state.device == "Fake Cam"
        assert (camera.state.width, camera.state.height, camera.state.format) == (160, 120, "MJPG")
    in_state(camera, "resting")
    eventually(lambda: fake.open_now == 0)
    assert events.states == ["opening", "watching", "resting"]
    assert camera.newer(0, 0) is None, "a camera that rests has kept a picture"


def test_what_is_asked_of_the_device_is_what_was_said() -> None:
    fake = FakeCamera()
    wanted = Wanted("YUYV", 640, 480, 10)
    with Camera("fake", wanted, open=fake.open, patience=QUICK) as camera, camera.watched(5) as watcher:
        assert watcher.next(5) is not None
    assert fake.opened[0] == ("fake", wanted, None)


def test_the_newest_picture_comes_and_none_twice(camera: Camera, fake: FakeCamera) -> None:
    with camera.watched(math.inf) as watcher:
        first = watcher.next(5)
        assert first is not None
        time.sleep(0.2)  # twenty pictures that nobody fetched
        later = watcher.next(5)
        assert later is not None
        assert later.number > first.number + 5
        assert later.at > first.at + 0.1
        following = watcher.next(5)
        assert following is not None
        assert following.number > later.number


def test_the_rate_bounds_what_is_decoded_and_can_be_changed(camera: Camera, fake: FakeCamera) -> None:
    with camera.watched(math.inf) as watcher:
        assert watcher.next(5) is not None

        def decoded(seconds: float) -> int:
            before = camera.state.frames
            time.sleep(seconds)
            return camera.state.frames - before

        camera.rate = 10
        decoded(0.1)
        assert 3 <= decoded(1.0) <= 12
        watcher.rate = 2  # who looks wants less than may be
        decoded(0.6)
        assert decoded(1.0) <= 3
        camera.rate = 0
        assert in_state(camera, "paused").reason
        eventually(lambda: fake.open_now == 0)
        assert watcher.next(0.2) is None
        camera.rate = 5
        assert in_state(camera, "watching").reason == ""


def test_a_device_that_is_pulled_out_is_found_under_another_number(
    camera: Camera, fake: FakeCamera, events: Events
) -> None:
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        plugged, fake.node = fake.node, None
        assert plugged is not None
        lost = in_state(camera, "lost", "absent")
        assert camera.fault is not None
        assert " / " in lost.reason
        eventually(lambda: camera.state.state == "absent" and camera.state.retries >= 3)
        assert watcher.next(0.05) is None, "a picture from before the loss was taken for a new one"
        fake.node = Node("/dev/video2", plugged.name, plugged.links)
        again = in_state(camera, "watching")
        assert (again.node, again.retries, again.reason) == ("/dev/video2", 0, "")
        assert camera.fault is None
        assert fake.opened[-1][2] is plugged, "what it was when it was open last is what it is found by"
        assert watcher.next(5) is not None
    assert events.states[:3] == ["opening", "watching", "lost"]


def test_a_device_that_another_program_holds_is_opened_when_it_is_free(camera: Camera, fake: FakeCamera) -> None:
    fake.fault = Busy("camera 'Fake Cam': expected it to open, got: it is held")
    with camera.watched(50) as watcher:
        assert "占用" in in_state(camera, "busy").reason
        fake.fault = None
        in_state(camera, "watching")
        assert watcher.next(5) is not None


def test_a_read_that_hangs_is_left_behind_and_the_camera_opened_anew(camera: Camera, fake: FakeCamera) -> None:
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        fake.hang.set()
        in_state(camera, "lost")
        assert watcher.next(0.1) is None
        eventually(lambda: camera.hung >= 1)
        fake.hang.clear()
        in_state(camera, "watching")
        assert watcher.next(5) is not None
        eventually(lambda: camera.hung == 0)
        eventually(lambda: fake.open_now == 1)  # the thread that was left behind has let go of its device
        assert len(fake.decoded) == 2, "a thread that was left behind went on"


def test_threads_that_hang_are_counted(camera: Camera, fake: FakeCamera) -> None:
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        fake.hang.set()
        eventually(lambda: camera.hung == MOST_HUNG)
        time.sleep(1.0)
        assert len(fake.opened) == MOST_HUNG, "threads pile up behind a driver that hangs"
        assert "重新插拔" in camera.state.reason
        fake.hang.clear()
        in_state(camera, "watching")


def test_close_does_not_wait_for_a_driver_that_hangs(fake: FakeCamera) -> None:
    camera = Camera("fake", open=fake.open, rate=100, patience=QUICK)
    camera.start()
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        fake.hang.set()
        time.sleep(0.05)
        began = time.monotonic()
        camera.close()
        assert time.monotonic() - began < 8
        assert camera.state.state == "off"
        assert watcher.next(0.05) is None
    fake.hang.clear()
    eventually(lambda: fake.open_now == 0)


def test_its_threads_end_when_it_is_closed(fake: FakeCamera) -> None:
    before = set(threading.enumerate())
    camera = Camera("fake", open=fake.open, rate=100, patience=QUICK)
    camera.start()
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        camera.close()
        camera.close()
    assert set(threading.enumerate()) <= before
    assert fake.open_now == 0


def test_rubbish_is_no_picture_and_a_camera_that_sends_nothing_else_is_lost(camera: Camera, fake: FakeCamera) -> None:
    with camera.watched(50) as watcher:
        good = fake.picture
        assert watcher.next(5) is not None
        fake.picture = None
        assert "something else" in in_state(camera, "lost").reason
        fake.picture = good
        in_state(camera, "watching")


def test_a_covered_lens_is_said(camera: Camera, fake: FakeCamera) -> None:
    fake.picture = np.full((120, 160, 3), 9, np.uint8)
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        assert "镜头" in in_state(camera, "covered").reason
        fake.picture = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
        assert in_state(camera, "watching").reason == ""


def test_pictures_that_were_old_when_they_came_are_passed_over(camera: Camera, fake: FakeCamera) -> None:
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
        fake.behind_s = 10  # what the driver kept while nobody fetched
        time.sleep(0.1)
        watcher.next(0)
        assert watcher.next(0.2) is None
        fake.behind_s = 0
        assert watcher.next(5) is not None


def test_what_nobody_foresaw_ends_no_thread(camera: Camera, fake: FakeCamera) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError("a defect")

    whole = camera._open
    camera._open = broken
    with camera.watched(50) as watcher:
        assert "ZeroDivisionError" in in_state(camera, "lost").reason
        camera._open = whole
        assert watcher.next(5) is not None


def test_opening_it_again_and_again_leaks_neither_memory_nor_files_nor_threads(tmp_path: Path) -> None:
    path = film(Scene(1.0, size=(1280, 720)), tmp_path / "desk.avi")
    process = psutil.Process()
    with Camera(str(path), rate=100, patience=Patience(linger=0, first=0.01)) as camera:

        def open_once() -> None:
            with camera.watched(math.inf) as watcher:
                for _ in range(3):
                    assert watcher.next(10) is not None
            in_state(camera, "resting")
            eventually(lambda: camera.hung == 0)

        for _ in range(5):
            open_once()
        gc.collect()
        memory, files, threads = process.memory_info().rss, process.num_fds(), threading.active_count()
        for _ in range(25):
            open_once()
        gc.collect()
        # A picture has 2.8 MB: one kept of each opening would be 69 MB.
        assert process.memory_info().rss - memory < 25e6
        assert process.num_fds() <= files
        assert threading.active_count() <= threads


def test_a_camera_that_is_lost_keeps_no_picture(fake: FakeCamera) -> None:
    made: list[weakref.ref[Any]] = []
    decode = _Source.picture

    def picture(source: _Source) -> Any:
        pixels = decode(source)
        made.append(weakref.ref(pixels))
        return pixels

    with pytest.MonkeyPatch.context() as patch, Camera("fake", open=fake.open, rate=100) as camera:
        patch.setattr(_Source, "picture", picture)
        with camera.watched(50) as watcher:
            assert watcher.next(5) is not None
            fake.node = None
            assert "lost" in in_state(camera, "lost").state
            gc.collect()
            assert camera.fault is not None
            assert [each for each in made if each() is not None] == []


def test_it_is_opened_again_only_when_its_own_thread_has_let_it_go(camera: Camera, fake: FakeCamera) -> None:
    whole, fake.fps = fake.open, 5.0  # it is slow to let go
    refused: list[Any] = []

    def alone(*asked: Any) -> Any:
        if fake.open_now:
            refused.append(asked)
            raise Busy("camera 'Fake Cam': expected it to open, got: it is held")
        return whole(*asked)

    camera._open = alone
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
    in_state(camera, "resting")
    assert fake.open_now == 1
    with camera.watched(50) as watcher:
        assert watcher.next(5) is not None
    assert refused == []


def test_a_system_without_threads_ends_no_camera(camera: Camera, fake: FakeCamera) -> None:
    start = threading.Thread.start

    def full(thread: threading.Thread) -> None:
        if thread.name == "camera-pump":
            raise RuntimeError("can't start new thread")
        start(thread)

    with pytest.MonkeyPatch.context() as patch, camera.watched(50) as watcher:
        patch.setattr(threading.Thread, "start", full)
        assert "thread" in in_state(camera, "lost").reason
        patch.undo()
        assert watcher.next(5) is not None


def test_a_camera_whose_pictures_are_all_old_is_lost_and_not_opening_for_ever(camera: Camera, fake: FakeCamera) -> None:
    fake.behind_s = 5
    with camera.watched(50) as watcher:
        assert "5 s old" in in_state(camera, "lost").reason
        fake.behind_s = 0
        assert watcher.next(5) is not None
