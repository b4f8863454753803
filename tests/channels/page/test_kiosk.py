"""The kiosk's own microphone on the page: what it hears and answers is seen while it happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fake_door import FakeDoor, FakeUtterances
from playwright.sync_api import expect

from appliance.channels.http.reply import reply_json
from appliance.channels.voice.conversation import Conversation
from appliance.channels.voice.manners import Manners
from appliance.errors import Unavailable
from appliance.values import Feature

pytestmark = pytest.mark.browser


class Ears:
    """Gives half a second of sound whenever it may, a tenth at a time as a device does."""

    def __init__(self) -> None:
        self.may = threading.Semaphore(0)
        self.left = 0

    def read(self, timeout_s: float) -> np.ndarray:
        if not self.left and self.may.acquire(timeout=0.01):
            self.left = 5
        if not self.left:
            return np.zeros(0, np.float32)
        self.left -= 1
        return np.full(1600, 0.2, np.float32)


class Words:
    """Words that are over when somebody breaks them off."""

    error = None

    def __init__(self) -> None:
        self.over = threading.Event()

    @property
    def done(self) -> bool:
        return self.over.is_set()

    def stop(self) -> None:
        self.over.set()


class Mouth:
    def __init__(self) -> None:
        self.words: list[Words] = []

    def say(self, text: str, language: str) -> Words:
        self.words.append(Words())
        return self.words[-1]


class KioskDoor(FakeDoor):
    """A door of a kiosk with a microphone and a loudspeaker of its own."""

    def features(self) -> tuple[Feature, ...]:
        return (*super().features(), Feature("microphone", "ready", "portaudio", "USB: 48000 Hz / 48000 Hz"))


@pytest.fixture(params=[Manners(patience=20.0)])
def kiosk(serve, request) -> Iterator[tuple[Any, Ears, Mouth]]:
    door, ears, mouth = KioskDoor(asr="ready"), Ears(), Mouth()

    def hear(language: str) -> FakeUtterances:
        if language == "en":
            raise Unavailable("nothing hears English")
        return FakeUtterances()

    door.conversation = Conversation(ears, hear, door.heard, reply_json, mouth=mouth, manners=lambda: request.param)
    door.conversation.start()
    yield serve(door), ears, mouth
    door.conversation.close()


def test_the_button_makes_the_kiosk_listen_and_words_answer_and_phases_are_seen(kiosk, visit):
    server, ears, mouth = kiosk
    page = visit(server)
    expect(page.locator("#voice")).to_be_hidden()
    page.click("#speak")
    expect(page.locator("#voice-phase")).to_have_text("正在听，请讲")
    assert page.locator("#microphone").is_hidden(), "the browser's own microphone stays off"
    ears.may.release(3)
    expect(page.locator("#voice-words")).to_have_text("洗衣液")
    ears.may.release(2)
    expect(page.locator("#voice-words")).to_have_text("洗衣液在哪")
    page.click("#voice-stop")
    expect(page.locator(".customer .bubble")).to_have_text("洗衣液在哪")
    expect(page.locator(".kiosk .bubble")).to_contain_text("洗衣液在 B3 货架")
    expect(page.locator("#voice-phase")).to_have_text("正在回答，按“停止”可打断")
    page.click("#voice-stop")
    expect(page.locator("#voice")).to_be_hidden()
    assert mouth.words[0].done, "enough of it"
    # The next typed words go on in the same session.
    page.fill("#text", "多少钱")
    page.click("#send")
    expect(page.locator(".customer .bubble")).to_have_count(2)
    assert server.door.opened == 1


@pytest.mark.parametrize("kiosk", [Manners(patience=20.0, barge_in=True)], indirect=True)
def test_where_echo_is_cancelled_the_page_says_that_speaking_breaks_the_answer_off(kiosk, visit):
    server, ears, mouth = kiosk
    page = visit(server)
    page.click("#speak")
    expect(page.locator("#voice-phase")).to_have_text("正在听，请讲")  # of what came before, only the last is heard
    ears.may.release(3)
    expect(page.locator("#voice-words")).to_have_text("洗衣液")
    page.click("#voice-stop")
    expect(page.locator("#voice-phase")).to_have_text("正在回答，您可以直接插话")
    page.click("#en")
    expect(page.locator("#voice-phase")).to_have_text("Answering, you may speak into it")
    ears.may.release(1)
    expect(page.locator("#voice-phase")).to_have_text("Listening, please speak")
    assert mouth.words[0].done, "the customer's word was enough"


def test_what_goes_wrong_is_said_on_the_page(kiosk, visit):
    server, _, _ = kiosk
    page = visit(server)
    page.click("#en")
    page.click("#speak")
    expect(page.locator(".bubble.error .code")).to_have_text("unavailable")
    expect(page.locator("#voice")).to_be_hidden()


def test_starting_over_forgets_what_was_being_said(kiosk, visit):
    server, ears, _ = kiosk
    page = visit(server)
    page.click("#speak")
    expect(page.locator("#voice-phase")).to_have_text("正在听，请讲")
    ears.may.release(2)
    expect(page.locator("#voice-words")).to_have_text("洗衣")
    page.click("#restart")
    expect(page.locator("#voice")).to_be_hidden()
    ears.may.release(2)
    page.wait_for_timeout(300)
    assert page.locator(".bubble").count() == 0
    assert server.door.opened == 0


def test_a_page_that_comes_later_shows_the_phase(kiosk, visit):
    server, ears, _ = kiosk
    server.post("/v1/voice/listen", json={})
    page = visit(server)
    expect(page.locator("#voice-phase")).to_have_text("正在听，请讲")
    page.click("#en")
    expect(page.locator("#voice-phase")).to_have_text("Listening, please speak")
