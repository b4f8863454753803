"""Typing at the kiosk: by finger on the screen, by scanner, and with the appliance's own suggestions."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Running

pytestmark = pytest.mark.browser


@pytest.fixture(params=[(1080, 1920), (1280, 800)], ids=["portrait", "landscape"])
def page(browser: Browser, running: Running, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page on a touch screen; afterwards nothing may have left the machine, or been said on the console."""
    width, height = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True)
    opened = context.new_page()
    wrong: list[str] = []
    host = urlsplit(running.url).netloc

    def requested(url: str) -> None:
        if urlsplit(url).scheme not in ("blob", "data") and urlsplit(url).netloc != host:
            wrong.append(url)

    opened.on("request", lambda request: requested(request.url))
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(running.url)
    expect(opened.locator("#tiles button").first).to_be_visible()
    yield opened
    assert opened.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    context.close()
    assert wrong == []


def tap(page: Page, *names: str) -> None:
    """Tap keys of the on-screen keyboard."""
    for name in names:
        page.locator(f'.hg-button[data-skbtn="{name}"]').tap()


def scan(page: Page, code: str) -> None:
    """A scanner's burst and its Enter.

    Playwright sends key by key: where the machine stands still for half a second in between, the page rightly hears two
    halves, and the customer begins again.
    """
    for _ in range(3):
        page.keyboard.type(code, delay=5)
        page.keyboard.press("Enter")
        said = page.locator(".customer .bubble").last
        expect(said).to_be_visible()
        if said.inner_text() == code:
            return
        page.reload()
        expect(page.locator("#tiles button").first).to_be_visible()
    raise AssertionError(f"{code} was never heard whole")


@pytest.mark.parametrize("letters", ["xiyiye", "xyy"])
def test_laundry_liquid_by_pinyin_as_a_word(page: Page, letters: str) -> None:
    page.tap("#text")
    tap(page, *letters)
    expect(page.locator(".candidate").first).to_have_text("洗衣液")
    page.locator(".candidate").first.tap()
    expect(page.locator("#text")).to_have_value("洗衣液")
    tap(page, "{send}")
    expect(page.locator(".customer .bubble")).to_have_text("洗衣液")
    expect(page.locator(".kiosk .bubble")).to_contain_text("货架")


def test_laundry_liquid_by_pinyin_character_by_character(page: Page) -> None:
    page.tap("#text")
    for letters, character in (("xi", "洗"), ("yi", "衣"), ("ye", "液")):
        tap(page, *letters)
        wanted = page.locator(".candidate").get_by_text(character, exact=True)
        expect(wanted).to_be_visible()
        wanted.tap()
    expect(page.locator("#text")).to_have_value("洗衣液")
    tap(page, "{send}")
    expect(page.locator(".kiosk .bubble")).to_contain_text("货架")


def test_a_suggestion_by_initials_is_tapped(page: Page) -> None:
    page.tap("#text")
    tap(page, *"xyy")
    with page.expect_request("**/v1/turns") as sent:
        page.locator("#suggest [role=option]").get_by_text("洗衣液", exact=True).tap()
    turn = sent.value.post_data_json
    assert (turn["source"], turn["intent"]) == ("tap", "find_product")
    assert "洗衣液" in turn["text"]
    expect(page.locator(".kiosk .bubble")).to_contain_text("货架")
    expect(page.locator("#suggest")).to_be_hidden()


def test_a_scanners_burst_is_answered(page: Page) -> None:
    sent = []
    page.on("request", lambda request: sent.append(request) if request.url.endswith("/v1/turns") else None)
    scan(page, "SF1392847561002")
    turn = sent[-1].post_data_json
    assert (turn["text"], turn["source"]) == ("SF1392847561002", "barcode")
    expect(page.locator(".kiosk .bubble")).to_contain_text("顺丰")
    expect(page.locator("#text")).to_have_value("")


def test_a_scanned_product_is_answered_with_its_shelf_and_price(page: Page) -> None:
    scan(page, "2000000009018")
    answer = page.locator(".kiosk .bubble").last
    expect(answer).to_contain_text("洗衣液在 9 号通道")
    expect(answer).to_contain_text("39.9 元")


def test_a_scanned_product_that_is_not_listed_is_said_to_be_none(page: Page) -> None:
    scan(page, "6901234567892")
    answer = page.locator(".kiosk .bubble").last
    expect(answer).to_contain_text("没有找到“6901234567892”")
    expect(answer).not_to_contain_text("快递")


def test_a_person_who_types_a_number_is_no_scanner(page: Page) -> None:
    page.focus("#text")
    page.keyboard.type("SF1392847561002", delay=90)
    expect(page.locator("#text")).to_have_value("SF1392847561002")
    with page.expect_request("**/v1/turns") as sent:
        page.keyboard.press("Enter")
    assert sent.value.post_data_json.get("source", "text") == "text"
    expect(page.locator(".kiosk .bubble")).to_contain_text("顺丰")


def test_a_parcels_number_is_typed_on_the_pad(page: Page) -> None:
    page.get_by_role("button", name="查快递").first.tap()
    expect(page.locator("#keyboard")).to_have_attribute("data-layout", "number")
    expect(page.locator(".kiosk .bubble").last).to_be_in_viewport()
    tap(page, "{letters}", "S", "F", "{digits}", *"1392847561002", "{send}")
    expect(page.locator(".customer .bubble").last).to_have_text("SF1392847561002")
    expect(page.locator(".kiosk .bubble").last).to_contain_text("顺丰")
    expect(page.locator("#keyboard")).to_be_hidden()
    page.locator("#restart").tap()
    page.get_by_role("button", name="查快递").first.tap()
    expect(page.locator("#keyboard")).to_have_attribute("data-layout", "number")


def test_a_number_that_is_confirmed_needs_no_pad(page: Page) -> None:
    scan(page, "690123456789")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator(".kiosk .bubble")).to_contain_text("对吗")
    expect(page.locator("#keyboard")).to_be_hidden()
