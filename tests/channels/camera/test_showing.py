"""What is shown becomes turns: once each, in whose conversation it is, and what happens to it meanwhile.

The camera is the fake one, with pictures that are drawn; reading is a script, the way through a real door is tested in
tests/e2e.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_door import FakeDoor

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.channels.camera.jpeg import encoded, preview
from appliance.channels.camera.showing import Showing
from appliance.errors import BackendFailed, Overloaded, Unavailable
from appliance.values import OcrLine, OcrResult, Reply, Turn
from appliance.vision.camera import Camera
from appliance.vision.frame import Frame, Patience
from appliance.vision.image import Pixels, decode
from appliance.vision.moment import Moment, Pick, Rules, Seen
from appliance.vision.sharpness import Quality
from appliance.vision.watch import UNWATCHED, Watch
from benchmarks.camera.scenes import Knot, Scene, Shown, frames
from tests.vision.fake_camera import FakeCamera

QUICK = Patience(opening=0.6, silent=0.3, linger=0.1, first=0.02, most=0.05)
RULES = Rules(settle_s=0.1, hold_s=0.06, choose_s=0.06, focus_s=0.2, gone_s=0.2)
BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
TEXT = "示例速运 SF1392847561002"


def view(*names: str) -> Pixels:
    """The counter with pages of the shipped cases on it."""
    cases = {case.path.stem: case.path for case in load_manifests(shipped_root())["pp-ocrv6-small"].cases()}
    sheets = [cv2.imread(str(cases[name])) for name in names]
    shown = tuple(Shown(np.asarray(sheet), (Knot(0, 0.5), Knot(9, 0.5)), 0.8) for sheet in sheets)
    return next(islice(frames(Scene(1, shown, (640, 360))), 2, None))


class ScriptedReading:
    """Reads `text` in whatever it is given; raises `fails`; waits for `hold`, and `answering` later."""

    def __init__(self) -> None:
        self.door = FakeDoor()
        self.text, self.confidence = TEXT, 0.95
        self.fails: Exception | None = None
        self.hold: threading.Event | None = None
        self.answering: threading.Event | None = None
        self.asked: list[tuple[str | None, str]] = []
        self.images: list[Pixels] = []
        self.ended: list[str] = []

    def __call__(self, image: bytes, session: str | None, language: str, *, watch: Watch = UNWATCHED) -> Reply:
        self.images.append(decode(image, max_bytes=1 << 24, max_pixels=1 << 24))
        self.asked.append((session, language))
        if self.hold is not None:
            assert self.hold.wait(10)
        if self.fails is not None:
            raise self.fails
        lines = (OcrLine(self.text, self.confidence, BOX),) if self.text else ()
        ocr = OcrResult(lines, 640, 360, "scripted")
        if watch.stopped() or not watch.enough(ocr):
            raise Unavailable("no turn came of it")
        made = self.door._reply(Turn(ocr.text, "image", ocr.confidence, language), session)
        if self.answering is not None:
            assert self.answering.wait(10)
        return Reply(made.session, made.turn, made.parse, made.answer, ocr=ocr)


class Counter:
    """A counter with a camera above it."""

    def __init__(self, **more: Any) -> None:
        self.fake = FakeCamera(fps=60)
        self.desk, self.waybill = view(), view("waybill")
        self.fake.picture = self.desk
        self.camera = Camera("fake", rate=60, open=self.fake.open, patience=QUICK)
        self.reading = ScriptedReading()
        self.heard: list[dict[str, Any]] = []
        self.showing = Showing(
            self.camera,
            self.reading,
            lambda reply: {"session": reply.session, "text": reply.turn.text},
            end=self.reading.ended.append,
            moment=lambda: Moment(RULES),
            listener=lambda event, /, **fields: self.heard.append({"event": event, **fields}),
            **more,
        )
        self.events: list[tuple[str, dict[str, Any]]] = []

    def gather(self) -> None:
        while (event := self.queue.get(0)) is not None:
            self.events.append((event.name, dict(event.data)))

    def told(self, name: str) -> list[dict[str, Any]]:
        self.gather()
        return [data for which, data in self.events if which == name]

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end, f"it did not come to that: {self.told('state')[-3:]} {self.heard[-3:]}"
            time.sleep(0.005)

    @property
    def outcomes(self) -> list[str]:
        return [fields["what"] for fields in self.heard if fields["event"] == "camera_shown"]

    def phase(self) -> str:
        return str(self.showing.state()["phase"])

    def settle(self) -> None:
        """The camera has seen the empty desk for long enough."""
        self.until(lambda: self.camera.state.frames > 2)
        time.sleep(0.5)

    def show(self, picture: Pixels) -> None:
        self.fake.picture = picture

    def clear(self) -> None:
        self.show(self.desk)
        self.until(lambda: self.phase() == "empty")


@contextmanager
def counter(**more: Any) -> Iterator[Counter]:
    scene = Counter(**more)
    with scene.showing.feed.listening(scene.showing.first) as scene.queue:
        scene.showing.start()
        try:
            yield scene
        finally:
            scene.showing.close()
    assert not scene.showing._thread.is_alive()
    assert scene.fake.open_now == 0


def test_what_is_held_becomes_one_turn_and_is_told() -> None:
    with counter() as scene:
        scene.settle()
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))
        assert scene.told("reply") == [{"session": "session-0001", "text": TEXT}]
        time.sleep(0.5)
        assert len(scene.reading.asked) == 1, "it was read again"
        assert scene.reading.images[0].shape == (360, 640, 3)
        phases = [data["phase"] for data in scene.told("state")]
        assert phases[0] == "empty"
        assert phases[-2:] == ["reading", "read"]
        scene.clear()
        scene.show(scene.waybill)
        scene.until(lambda: len(scene.told("reply")) == 2)
        assert scene.reading.asked == [(None, "zh"), ("session-0001", "zh")], "the conversation goes on"
        assert scene.outcomes == ["answered", "answered"]


def test_what_is_shown_belongs_to_whom_the_screen_says() -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.door.sessions.add("typed")
        scene.showing.attend("typed", "en")
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))
        assert scene.reading.asked == [("typed", "en")]


def test_whoever_left_while_it_was_read_is_told_nothing() -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.hold = threading.Event()
        scene.show(scene.waybill)
        scene.until(lambda: scene.reading.asked)
        scene.showing.attend(None, "zh")
        scene.reading.hold.set()
        scene.until(lambda: scene.phase() == "read" and not scene.showing._asked.locked())
        assert scene.told("reply") == scene.told("error") == []
        assert not scene.reading.door.sessions, "a session was opened for whoever has left"


def test_whoever_left_while_it_was_answered_is_told_nothing_and_the_next_one_keeps_the_session() -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.answering = threading.Event()
        scene.show(scene.waybill)
        scene.until(lambda: scene.reading.asked)
        scene.until(lambda: scene.reading.door.sessions)
        scene.showing.attend(None, "zh")
        scene.showing.attend("next", "en")
        scene.reading.answering.set()
        scene.until(lambda: scene.reading.ended == ["session-0001"])
        scene.until(lambda: not scene.showing._asked.locked())
        assert scene.told("reply") == []
        assert scene.showing._session == "next"


def test_an_error_about_what_one_customer_showed_is_not_told_to_the_next() -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.hold, scene.reading.fails = (
            threading.Event(),
            BackendFailed("detector: expected to run, got none"),
        )
        scene.show(scene.waybill)
        scene.until(lambda: scene.reading.asked)
        scene.showing.attend(None, "zh")
        scene.showing.attend("next", "en")
        scene.reading.hold.set()
        scene.until(lambda: scene.phase() == "read" and not scene.showing._asked.locked())
        assert scene.told("error") == []
        assert scene.outcomes == []


class SlowConversation:
    """Somebody speaks until `over`; only then comes what is shown, as in a Conversation."""

    def __init__(self) -> None:
        self.waiting, self.over, self.came = threading.Event(), threading.Event(), threading.Event()

    def attend(self, session: str | None, language: str) -> None:
        pass

    def show(self, answer: Any, stopped: Callable[[], bool]) -> Reply | None:
        self.waiting.set()
        assert self.over.wait(10)
        reply: Reply | None = answer(None, "zh")
        self.came.set()
        return reply


def test_what_one_customer_showed_is_never_read_in_the_session_of_the_next() -> None:
    talk: Any = SlowConversation()
    with counter(conversation=talk) as scene:
        scene.settle()
        scene.reading.door.sessions.add("next")
        scene.show(scene.waybill)
        assert talk.waiting.wait(10)
        scene.showing.attend(None, "zh")
        scene.showing.attend("next", "en")
        talk.over.set()
        assert talk.came.wait(10)
        assert scene.reading.asked == []
        assert scene.reading.ended == [], "the next customer's session was ended"


def test_a_picture_from_before_somebody_left_is_not_read_afterwards() -> None:
    with counter() as scene:
        seen = Seen("read", pick=Pick(scene.waybill, Quality("good", 1.0), time.monotonic(), 3))
        scene.showing.attend(None, "zh")
        scene.showing._moment.see = lambda _frame: seen  # type: ignore[method-assign]
        scene.show(scene.waybill)
        time.sleep(0.5)
        assert scene.reading.asked == []
        seen = replace(seen, pick=Pick(scene.waybill, Quality("good", 1.0), time.monotonic(), 3))
        scene.until(lambda: scene.told("reply"))


def test_the_next_customer_does_not_wait_for_what_the_last_one_showed_in_vain() -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.text, scene.showing._pause = "", 60.0
        scene.show(scene.waybill)
        scene.until(lambda: scene.outcomes == ["nothing"])
        scene.until(lambda: not scene.showing._asked.locked())
        scene.reading.text = TEXT
        scene.showing.attend(None, "zh")
        scene.show(view("receipt"))
        scene.until(lambda: scene.told("reply"))


@pytest.mark.parametrize("text, confidence", [("", 0.0), ("LOGO", 0.4), ("3", 0.99)])
def test_what_says_nothing_is_no_turn_and_is_not_looked_at_all_the_time(text: str, confidence: float) -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.text, scene.reading.confidence = text, confidence
        scene.showing._pause = 60.0  # however slow this machine is
        scene.show(scene.waybill)
        scene.until(lambda: scene.outcomes)
        for _ in range(4):  # it is stirred, and held again
            scene.show(view("waybill", "receipt"))
            time.sleep(0.1)
            scene.show(scene.waybill)
            time.sleep(0.3)
        assert scene.outcomes == ["nothing"]
        assert scene.told("reply") == scene.told("error") == []
        scene.clear()
        scene.reading.text, scene.reading.confidence = TEXT, 0.9
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))


def test_the_same_text_again_is_no_turn_though_the_picture_has_changed() -> None:
    with counter() as scene:
        scene.settle()
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))
        scene.show(view("receipt"))  # to the eye it is another document, and is read as the same
        scene.until(lambda: scene.outcomes == ["answered", "same"])
        assert len(scene.told("reply")) == 1


def test_what_goes_wrong_is_told_and_the_next_document_is_read() -> None:
    with counter() as scene:
        scene.settle()
        scene.reading.fails = BackendFailed("detector: expected to run, got a broken one")
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("error"))
        assert scene.told("error")[0]["code"] == "backend_failed"
        assert scene.outcomes == ["failed"]
        scene.clear()
        scene.reading.fails = ZeroDivisionError("a customer's words")
        scene.show(scene.waybill)
        scene.until(lambda: scene.outcomes == ["failed", "failed"])
        scene.clear()
        scene.reading.fails = None
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))


def test_a_look_that_is_asked_for_takes_a_picture_from_now_on() -> None:
    with counter(watches=False) as scene:
        scene.until(lambda: scene.camera.state.frames)  # it has been tried once
        scene.until(lambda: scene.camera.state.state == "resting")
        assert scene.reading.asked == []
        scene.show(scene.waybill)
        reply = scene.showing.look("s-1", "en")
        assert reply.turn.text == TEXT
        assert scene.reading.asked == [("s-1", "en")]
        assert float(np.abs(scene.reading.images[0].astype(int) - scene.waybill).mean()) < 4
        scene.until(lambda: scene.camera.state.state == "resting")
        scene.until(lambda: scene.fake.open_now == 0)


def test_a_picture_from_before_it_was_asked_for_is_not_read() -> None:
    with counter() as scene:
        scene.settle()
        scene.camera._patience = Patience(silent=5, linger=0.1)
        scene.fake.behind_s = 1.5  # what the driver had kept
        time.sleep(0.2)
        began = time.monotonic()
        scene.showing.look(None, "zh")
        assert time.monotonic() - began > 2.4, "it was read before a picture of now had come"


def test_of_the_pictures_of_a_second_the_sharpest_is_read() -> None:
    with counter(watches=False) as scene:
        scene.until(lambda: scene.camera.state.frames)
        scene.until(lambda: scene.camera.state.state == "resting")
        blurred = cv2.GaussianBlur(scene.waybill, (0, 0), 4)
        scene.show(np.asarray(blurred, np.uint8))
        threading.Timer(1.2, lambda: scene.show(scene.waybill)).start()
        threading.Timer(1.4, lambda: scene.show(np.asarray(blurred, np.uint8))).start()
        scene.showing.look(None, "zh")
        assert float(np.abs(scene.reading.images[0].astype(int) - scene.waybill).mean()) < 4


def test_what_was_looked_at_by_hand_is_not_answered_again() -> None:
    with counter() as scene:
        scene.settle()
        scene.show(scene.waybill)
        scene.showing.look(None, "zh")  # takes a second, in which the document has long been held still
        assert len(scene.reading.asked) == 1, "it was read while somebody looked"
        scene.until(lambda: scene.outcomes == ["answered", "same"])


def test_one_look_at_a_time() -> None:
    with counter(watches=False) as scene:
        scene.reading.hold = threading.Event()
        scene.show(scene.waybill)
        asking = threading.Thread(target=lambda: scene.showing.look(None, "zh"))
        asking.start()
        scene.until(lambda: scene.reading.asked)
        with pytest.raises(Overloaded):
            scene.showing.look(None, "zh")
        scene.reading.hold.set()
        asking.join(10)
        assert scene.outcomes == ["answered"]


def test_without_pictures_a_look_says_why() -> None:
    with counter(watches=False) as scene:
        plugged, scene.fake.node = scene.fake.node, None
        scene.until(lambda: scene.camera.state.state in ("absent", "resting"))
        with pytest.raises(Unavailable, match="'fake'") as told:
            scene.showing.look(None, "zh")
        assert " / " in told.value.remedy
        time.sleep(0.3)  # nobody looks any more: what is wrong stays said until it works
        assert scene.camera.state.state == "absent"
        scene.fake.node = plugged
        scene.until(lambda: scene.camera.state.state == "resting")
        scene.camera.rate = 0
        with pytest.raises(Unavailable, match="paused"):
            scene.showing.look(None, "zh")
        with pytest.raises(Unavailable, match="paused"):
            scene.showing.picture()


def test_a_look_ends_when_whoever_asked_has_gone() -> None:
    with counter(watches=False) as scene, pytest.raises(Unavailable, match="stopped"):
        scene.showing.look(None, "zh", Watch(stopped=lambda: True))
    assert scene.reading.asked == []


def test_after_a_loss_what_the_camera_shows_first_is_the_shops_own() -> None:
    with counter() as scene:
        scene.settle()
        plugged, scene.fake.node = scene.fake.node, None
        scene.until(lambda: scene.camera.state.state == "absent")
        scene.show(scene.waybill)
        time.sleep(0.4)
        scene.fake.node = plugged
        scene.until(lambda: scene.camera.state.state == "watching")
        time.sleep(0.5)
        assert scene.reading.asked == []
        scene.show(view("receipt"))
        scene.until(lambda: scene.told("reply"))


def test_pictures_for_aiming_are_small() -> None:
    large = np.full((1080, 1920, 3), 200, np.uint8)
    shown = decode(preview(large), max_bytes=1 << 20, max_pixels=1 << 20)
    assert shown.shape == (360, 640, 3)
    assert decode(preview(large[:90, :160]), max_bytes=1 << 20, max_pixels=1 << 20).shape == (90, 160, 3)
    assert encoded(large)[:2] == b"\xff\xd8"


def test_no_picture_outlives_its_reading() -> None:
    with counter() as scene:
        scene.settle()
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))
        scene.until(lambda: scene.phase() == "read")
        scene.fake.hang.set()  # nothing newer comes that could replace it
        scene.until(lambda: scene.camera.state.state == "lost")
        time.sleep(0.5)
        gc.collect()
        kept = [each for each in gc.get_objects() if isinstance(each, Frame | Pick)]
        scene.fake.hang.clear()
        assert kept == []


def test_no_picture_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with counter() as scene:
        scene.settle()
        scene.show(scene.waybill)
        scene.until(lambda: scene.told("reply"))
        scene.showing.picture()
    assert list(tmp_path.iterdir()) == []
