"""The appliance's own camera on the page: a sign while it watches, what it read, and a look that is asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect

from appliance.app.camera import described
from appliance.channels.camera.showing import Showing
from appliance.channels.http.reply import reply_json
from appliance.values import Feature
from appliance.vision.camera import Camera
from appliance.vision.moment import Moment
from tests.channels.camera.test_showing import QUICK, RULES, view
from tests.vision.fake_camera import FakeCamera

pytestmark = pytest.mark.browser


class SeeingDoor(FakeDoor):
    """A door with a camera above the counter."""

    camera: Camera
    attract_s = 0.0

    def greeting(self, language: str = "zh") -> dict[str, object]:
        return {**super().greeting(language), "attract_s": self.attract_s}

    def features(self) -> tuple[Feature, ...]:
        return (*super().features(), described(self.camera.state))


class Above:
    """What a camera above the counter sees."""

    def __init__(self) -> None:
        self.fake = FakeCamera(fps=60)
        self.desk, self.waybill = view(), view("waybill")
        self.fake.picture = self.desk
        self.door = SeeingDoor()
        self.door.camera = Camera("fake", rate=60, open=self.fake.open, patience=QUICK)
        self.door.shown = Showing(
            self.door.camera, self.door.look, reply_json, end=self.door.end, moment=lambda: Moment(RULES)
        )
        self.door.shown.start()

    def show(self) -> None:
        self.fake.picture = self.waybill

    def clear(self) -> None:
        self.fake.picture = self.desk


@pytest.fixture
def above() -> Iterator[Above]:
    made = Above()
    yield made
    assert made.door.shown is not None
    made.door.shown.close()


def watched(page: Page) -> None:
    expect(page.locator("#sight")).to_be_visible()
    page.wait_for_timeout(600)  # it has seen the empty counter


def test_a_sign_says_that_the_camera_is_on(above: Above, serve: Any, kiosk: Any) -> None:
    page = kiosk(serve(above.door))
    watched(page)
    expect(page.locator("#sight-text")).to_contain_text("摄像头开着")
    page.locator("#en").click()
    expect(page.locator("#sight-text")).to_contain_text("The camera is on")
    above.fake.node = None
    expect(page.locator("#sight")).to_be_hidden()


def test_the_sign_stands_on_the_invitation_too(above: Above, serve: Any, kiosk: Any) -> None:
    above.door.attract_s = 1.0
    page = kiosk(serve(above.door))
    expect(page.locator("#attract")).to_be_visible()
    expect(page.locator("#attract .watching")).to_be_visible()
    expect(page.locator("#attract .watching")).to_contain_text("摄像头开着")
    above.fake.node = None
    expect(page.locator("#attract .watching")).to_be_hidden()


def test_without_a_camera_there_is_no_sign_and_no_offer(serve: Any, kiosk: Any) -> None:
    page = kiosk(serve(FakeDoor()))
    expect(page.locator("#sight")).to_be_hidden()
    page.locator("#photo").click()
    expect(page.locator("#camera-file")).to_be_visible()
    expect(page.locator("#camera-own")).to_be_hidden()


def test_what_is_held_under_it_is_read_and_answered_in_the_conversation(above: Above, serve: Any, kiosk: Any) -> None:
    server = serve(above.door)
    page = kiosk(server)
    watched(page)
    page.locator("#text").fill("你好")
    page.locator("#send").click()
    expect(page.locator(".kiosk .bubble")).to_have_count(1)
    above.show()
    expect(page.locator("#log")).to_contain_text("SF1392847561002")
    assert len(above.door.images) == 1
    assert above.door.opened == 1, "it was answered in a session of its own"


def test_an_appliance_that_was_started_again_is_told_who_stands_here(above: Above, serve: Any, kiosk: Any) -> None:
    server = serve(above.door)
    page = kiosk(server)
    watched(page)
    page.locator("#text").fill("你好")
    page.locator("#send").click()
    expect(page.locator(".kiosk .bubble")).to_have_count(1)
    assert above.door.shown is not None
    above.door.shown.attend(None, "zh")  # as after a start
    server.events.close()  # the streams break
    expect(page.locator("#sight")).to_be_hidden()
    server.events._closed.clear()  # and the page comes again
    expect(page.locator("#sight")).to_be_visible(timeout=15_000)
    page.wait_for_timeout(300)
    above.show()
    expect(page.locator("#log")).to_contain_text("SF1392847561002")
    assert above.door.opened == 1


def test_whoever_has_left_is_shown_nothing(above: Above, serve: Any, kiosk: Any) -> None:
    page = kiosk(serve(above.door))
    watched(page)
    above.door.hold = threading.Event()
    above.show()
    expect(page.locator("#sight-text")).to_contain_text("正在识别")
    page.locator("#restart").click()
    page.wait_for_timeout(300)
    above.door.hold.set()
    page.wait_for_timeout(1000)
    expect(page.locator("#log")).not_to_contain_text("SF1392847561002")
    assert above.door.sessions == set(), "the session of somebody who has left lives on"


def test_the_appliances_camera_takes_the_photo_where_the_browser_has_none(above: Above, serve: Any, kiosk: Any) -> None:
    page = kiosk(serve(above.door))
    watched(page)
    page.locator("#photo").click()
    page.locator("#camera-own").click()
    expect(page.locator("#log")).to_contain_text("SF1392847561002")
    assert len(above.door.images) == 1
