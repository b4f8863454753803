"""A stranger at the kiosk: the real page, the real appliance, the real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import cv2
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from appliance.artifacts.cases import Case
from tests.e2e.conftest import Running

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, running: Running) -> Iterator[Page]:
    """The kiosk page on a portrait screen; afterwards nothing may have gone to another host or to the console."""
    opened = browser.new_page(viewport={"width": 1080, "height": 1920})
    foreign: list[str] = []
    said: list[str] = []
    host = urlsplit(running.url).netloc

    def requested(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and parts.netloc != host:
            foreign.append(url)

    opened.on("request", lambda request: requested(request.url))
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(running.url)
    expect(opened.locator("#tiles button").first).to_be_visible()
    yield opened
    opened.close()
    assert foreign == []
    assert said == []


def test_a_tapped_question_is_answered(page: Page) -> None:
    page.get_by_role("button", name="洗手间在哪").click()
    expect(page.locator("#log")).to_contain_text("洗手间在")


def test_a_typed_question_is_answered_and_its_chip_goes_on(page: Page) -> None:
    page.fill("#text", "洗衣液在哪个货架")
    page.press("#text", "Enter")
    expect(page.locator("#log")).to_contain_text("货架")
    page.locator("#chips").get_by_role("button", name="查库存").click()
    expect(page.locator("#log")).to_contain_text("还有货")


def test_a_photo_is_read_and_its_lines_are_drawn(page: Page, pages: dict[str, Case]) -> None:
    case = pages["waybill-photo.jpg"]
    page.set_input_files("#file", case.path)
    drawn = page.locator("svg.overlay polygon")
    expect(page.locator(".kiosk .meta")).to_be_visible(timeout=60_000)  # lines appear one by one until the answer
    assert drawn.count() >= 0.8 * len(case.truth["lines"])
    expect(page.locator("#log")).to_contain_text("SF1392847561002")
    photo = page.locator(".stage img").bounding_box()
    box = drawn.first.bounding_box()
    assert photo is not None
    assert box is not None
    assert photo["x"] <= box["x"] <= photo["x"] + photo["width"]
    assert photo["y"] <= box["y"] <= photo["y"] + photo["height"]


def turned_pixels(case: Case) -> dict[str, Any]:
    """The case's photo with its page lying on its side, as a camera that is held wrongly takes it."""
    image = cv2.rotate(cv2.imread(str(case.path)), cv2.ROTATE_90_CLOCKWISE)
    return {"name": "a.png", "mimeType": "image/png", "buffer": cv2.imencode(".png", image)[1].tobytes()}


def turned_by_exif(case: Case) -> dict[str, Any]:
    """The same as a phone writes it: pixels as they were, and an EXIF orientation that turns them when displayed."""
    exif, taken = Image.Exif(), BytesIO()
    exif[0x0112] = 6
    Image.open(case.path).convert("RGB").save(taken, "jpeg", quality=95, exif=exif)
    return {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": taken.getvalue()}


@pytest.mark.parametrize("taken", [turned_pixels, turned_by_exif])
@pytest.mark.parametrize("name", ["receipt.png", "waybill.png"])
def test_lines_of_a_turned_photo_are_drawn_where_they_stand_on_it(
    page: Page, pages: dict[str, Case], name: str, taken: Callable[[Case], dict[str, Any]]
) -> None:
    case = pages[name]
    page.set_input_files("#file", taken(case))
    expect(page.locator(".kiosk .meta")).to_be_visible(timeout=60_000)
    photo, drawn = page.evaluate(  # at one moment: the conversation scrolls
        """() => {
          const sides = (shape) => {
            const box = shape.getBoundingClientRect();
            return [box.left, box.top, box.right, box.bottom];
          };
          const texts = [...document.querySelectorAll('.photo .lines li')].map((line) => line.textContent);
          const shapes = [...document.querySelectorAll('.overlay polygon')];
          return [sides(document.querySelector('.stage img')), shapes.map((shape, i) => [texts[i], sides(shape)])];
        }"""
    )
    left, top, right, bottom = photo
    wide, high = case.truth["width"], case.truth["height"]
    assert (right - left) / (bottom - top) == pytest.approx(high / wide, rel=0.02)
    scale = (right - left) / high
    found = 0
    for line in case.truth["lines"]:
        # A point (x, y) of the upright page stands at (height - y, x) of the photo.
        xs, ys = [left + scale * (high - y) for _, y in line["box"]], [top + scale * x for x, _ in line["box"]]
        true = pytest.approx([min(xs), min(ys), max(xs), max(ys)], abs=0.75 * (max(xs) - min(xs)) + 2)
        places = [place for text, place in drawn if text.replace(" ", "") == line["text"].replace(" ", "")]
        if places:  # how well it reads is another test's matter
            assert any(place == true for place in places), (line["text"], places, true)
            found += 1
    assert found >= 0.8 * len(case.truth["lines"])


def test_english_from_the_switch_to_the_answer(page: Page) -> None:
    page.locator("#en").click()
    page.fill("#text", "where is the toilet")
    page.press("#text", "Enter")
    answer = page.locator("#log")
    expect(answer).to_contain_text("floor", ignore_case=True)
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize(
    "language, model, words",
    [("zh", "vosk-small-cn", "语音功能未开启"), ("en", "vosk-small-en", "Speech is off on this machine")],
)
def test_the_microphone_is_off_and_says_what_staff_can_run(page: Page, language: str, model: str, words: str) -> None:
    page.locator(f"#{language}").click()
    speak = page.locator("#speak")
    expect(speak).to_have_attribute("aria-disabled", "true")
    speak.click(force=True)
    expect(page.locator("#microphone-problem")).to_contain_text(words)
    expect(page.locator("#microphone-command")).to_have_text(f"appliance models pull {model}")
    page.click("#microphone-off summary")
    expect(page.locator("#microphone-reason")).to_contain_text(f"`appliance models pull {model}`")
    page.keyboard.press("Escape")
    expect(page.locator("#microphone")).to_be_hidden()


def test_the_state_is_visible_with_the_reason(page: Page) -> None:
    page.locator("#state").click()
    features = page.locator("#features")
    expect(features).to_contain_text("appliance models pull")


def test_starting_over_wipes_the_page_and_the_session(page: Page, running: Running) -> None:
    with page.expect_response("**/v1/turns") as answered:
        page.fill("#text", "我要退货")
        page.press("#text", "Enter")
    session = answered.value.json()["session"]
    expect(page.locator("#log")).to_contain_text("我要退货")
    with page.expect_response(f"**/v1/sessions/{session}"):
        page.locator("#restart").click()
    expect(page.locator("#log")).not_to_contain_text("我要退货")
    assert running.ask(f"/v1/sessions/{session}", method="DELETE")[0] == 404
