"""Suggestions while typing: ARIA's combobox, by finger, arrow keys and Enter."""

from __future__ import annotations

import threading

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect

from appliance.values import Suggestion
from tests.channels.page.conftest import settled

pytestmark = pytest.mark.browser


def options(page: Page):
    return page.locator("#suggest [role=option]")


def active(page: Page) -> str | None:
    """Words of the option that the field points to."""
    return page.evaluate(
        "document.getElementById(document.getElementById('text').getAttribute('aria-activedescendant'))?.textContent"
    )


def test_a_tapped_suggestion_is_a_turn_with_its_intent(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.focus("#text")
    page.keyboard.type("xiyi", delay=60)
    expect(options(page)).to_have_text(["洗衣液", "洗衣粉"])
    expect(page.locator("#text")).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#suggest-count")).to_contain_text("2")
    options(page).nth(1).tap()
    expect(page.locator(".kiosk .meta")).to_be_visible()
    (turn,) = server.door.turns
    assert (turn.text, turn.source, turn.intent.name) == ("洗衣粉在哪里", "tap", "find_product")
    assert page.input_value("#text") == ""
    expect(page.locator("#suggest")).to_be_hidden()
    expect(page.locator("#text")).to_have_attribute("aria-expanded", "false")


def test_arrow_keys_and_enter(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, touch=False)
    page.focus("#text")
    page.keyboard.type("xiyi", delay=60)
    expect(options(page)).to_have_count(2)
    assert active(page) is None
    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(active(page))
        assert page.locator("[aria-selected=true]").count() == (seen[-1] is not None)
    assert seen == ["洗衣液", "洗衣粉", None, "洗衣粉", "洗衣液"]
    assert page.input_value("#text") == "xiyi"
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Enter")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert [(turn.text, turn.source) for turn in server.door.turns] == [("洗衣液在哪里", "tap")]


def test_a_choice_stays_when_the_same_list_comes_again(serve, kiosk) -> None:
    page = kiosk(serve(), touch=False)
    page.focus("#text")
    page.keyboard.type("xiy", delay=60)
    expect(options(page)).to_have_count(2)
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/v1/suggestions"):
        page.keyboard.type("i")
    settled(page)
    assert active(page) == "洗衣液"
    with page.expect_response("**/v1/suggestions"):
        page.keyboard.type("y")
    expect(options(page)).to_have_count(1)
    assert active(page) is None


def test_enter_without_a_choice_sends_what_was_typed(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, touch=False)
    page.focus("#text")
    page.keyboard.type("xiyi", delay=60)
    expect(options(page)).to_have_count(2)
    page.keyboard.press("Enter")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert [(turn.text, turn.source) for turn in server.door.turns] == [("xiyi", "text")]
    settled(page)
    expect(page.locator("#suggest")).to_be_hidden()


def test_escape_and_leaving_the_field_close_the_list(serve, kiosk) -> None:
    page = kiosk(serve(), touch=False)
    page.focus("#text")
    page.keyboard.type("tuih", delay=60)
    expect(options(page)).to_have_text(["退货"])
    page.keyboard.press("Escape")
    expect(page.locator("#suggest")).to_be_hidden()
    assert page.input_value("#text") == "tuih"
    page.keyboard.type("u", delay=60)
    expect(options(page)).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.locator("#suggest")).to_be_hidden()
    page.focus("#text")
    page.fill("#text", "tui")
    expect(options(page)).to_have_count(1)
    page.fill("#text", "")
    expect(page.locator("#suggest")).to_be_hidden()


def test_english(serve, kiosk) -> None:
    page = kiosk(serve(), touch=False)
    page.click("#en")
    expect(page.locator("#welcome")).to_contain_text("Hello")
    page.focus("#text")
    page.keyboard.type("laun", delay=60)
    expect(options(page)).to_have_text(["laundry liquid"])
    expect(page.locator("#suggest-count")).to_contain_text("1 suggestion,")
    assert options(page).first.get_attribute("lang") == "en"


class Many(FakeDoor):
    """Suggests eight questions for anything."""

    def suggest(self, text, language="zh", limit=8):
        return tuple(Suggestion(f"第 {n} 个问题", f"问题 {n}", "find_product") for n in range(limit))


@pytest.mark.parametrize("width, height", [(1080, 1920), (1280, 800)])
@pytest.mark.parametrize("large", [False, True])
def test_the_list_is_on_the_screen_above_the_field(serve, kiosk, width: int, height: int, large: bool) -> None:
    page = kiosk(serve(Many()), width=width, height=height)
    if large:
        page.tap("#large")
    page.tap("#text")
    page.locator('.hg-button[data-skbtn="x"]').tap()
    expect(options(page)).to_have_count(8)
    listed, field = page.locator("#suggest").bounding_box(), page.locator("#text").bounding_box()
    assert listed["y"] >= 0
    assert listed["y"] + listed["height"] <= field["y"]
    for option in options(page).all()[:4]:
        expect(option).to_be_in_viewport(ratio=1)
        assert option.bounding_box()["height"] >= 55.5


class Slow(FakeDoor):
    """Answers what begins with `tui` only when let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def suggest(self, text, language="zh", limit=8):
        if text.startswith("tui"):
            self.let.wait(10)
        return super().suggest(text, language, limit)


def test_a_late_answer_to_an_older_text_is_dropped(serve, kiosk) -> None:
    door = Slow()
    page = kiosk(serve(door), touch=False)
    with page.expect_request(lambda r: "/v1/suggestions" in r.url and r.post_data_json["text"] == "tui"):
        page.fill("#text", "tui")
    page.fill("#text", "xiyif")
    expect(options(page)).to_have_text(["洗衣粉"])
    door.let.set()
    settled(page)
    expect(options(page)).to_have_text(["洗衣粉"])


def test_fast_keys_are_asked_for_once(serve, kiosk) -> None:
    page = kiosk(serve(), touch=False)
    asked: list[str] = []
    addresses: list[str] = []
    page.on("request", lambda r: asked.append(r.post_data_json["text"]) if "/v1/suggestions" in r.url else None)
    page.on("request", lambda r: addresses.append(r.url))
    page.focus("#text")
    page.keyboard.type("xiyiye", delay=55)
    expect(options(page)).to_have_text(["洗衣液"])
    settled(page)
    assert len(asked) < 4
    assert asked[-1] == "xiyiye"
    assert not any("xi" in url for url in addresses), "what is half-typed stands in no address: proxies log them"


def test_starting_over_forgets_what_was_suggested(serve, kiosk) -> None:
    page = kiosk(serve(), touch=False)
    page.focus("#text")
    page.keyboard.type("xiyi", delay=60)
    expect(options(page)).to_have_count(2)
    page.click("#restart")
    expect(page.locator("#suggest")).to_be_hidden()
    settled(page)
    assert "洗衣" not in page.content()
    assert page.input_value("#text") == ""


@pytest.mark.parametrize("status", [404, 500, 503])
def test_typing_goes_on_without_suggestions(serve, browser, status: int) -> None:
    server = serve()
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []

    def refuse(route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=status, content_type="application/problem+json", body="{}")

    page.route("**/v1/suggestions", refuse)
    page.goto(server.url)
    expect(page.locator(".tile").first).to_be_visible()
    for text in ("xi", "xiyi", "洗衣液"):
        page.fill("#text", text)
        settled(page)
    expect(page.locator("#suggest")).to_be_hidden()
    assert len(asked) == (1 if status == 404 else 3)  # an appliance that has none is not asked again
    page.press("#text", "Enter")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator(".error")).to_have_count(0)
    context.close()
