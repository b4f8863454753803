"""The on-screen keyboard: pinyin, letters, pads for numbers, and when it is there at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect

from tests.channels.page.conftest import settled

pytestmark = pytest.mark.browser

SIZES = [(1080, 1920), (1280, 800)]


def key(page: Page, name: str):
    return page.locator(f'.hg-button[data-skbtn="{name}"]')


def tap(page: Page, *names: str) -> None:
    for name in names:
        key(page, name).tap()


def pick(page: Page, text: str) -> None:
    page.locator(".candidate").get_by_text(text, exact=True).tap()


def keyboard(page: Page):
    return page.locator("#keyboard")


@pytest.mark.parametrize("letters", ["xiyiye", "xiyiy"])
def test_a_word_by_pinyin(serve, kiosk, letters: str) -> None:
    server = serve()
    page = kiosk(server)
    page.tap("#text")
    expect(keyboard(page)).to_be_visible()
    tap(page, *letters)
    expect(page.locator(".candidate").first).to_have_text("洗衣液")
    expect(page.locator("#suggest [role=option]")).to_have_text(["洗衣液"])
    pick(page, "洗衣液")
    expect(page.locator("#text")).to_have_value("洗衣液")
    expect(page.locator("#candidates-spelt")).to_be_hidden()
    tap(page, "{send}")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(keyboard(page)).to_be_hidden()
    settled(page)
    assert [(turn.text, turn.source) for turn in server.door.turns] == [("洗衣液", "text")]
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")  # the tap ended on the key and on nothing beneath


def test_character_by_character(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, width=1280, height=800)
    page.tap("#text")
    tap(page, *"xiyiye")
    expect(page.locator("#candidates-spelt")).to_have_text("xi yi ye")
    page.tap("#candidates-more")
    pick(page, "洗")
    expect(page.locator("#candidates-spelt")).to_have_text("yi ye")
    page.tap("#candidates-more")
    pick(page, "衣")
    expect(page.locator("#candidates-spelt")).to_have_text("ye")
    pick(page, "液")
    expect(page.locator("#text")).to_have_value("洗衣液")
    tap(page, "{send}")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert server.door.turns[0].text == "洗衣液"


def test_the_first_candidate_by_space_and_by_the_send_key(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.tap("#text")
    tap(page, *"women", "{space}", "{space}")
    expect(page.locator("#text")).to_have_value("我们")
    tap(page, *"hao")
    expect(key(page, "{send}")).to_contain_text("选定")
    tap(page, "{send}")
    expect(page.locator("#text")).to_have_value("我们好")
    expect(key(page, "{send}")).to_contain_text("发送")
    assert server.door.turns == []
    tap(page, *"a", "？")
    expect(page.locator("#text")).to_have_value("我们好阿？")


def test_the_composers_own_send_button_takes_what_is_spelt_along(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.tap("#text")
    tap(page, *"xiyiye")
    expect(page.locator(".candidate").first).to_have_text("洗衣液")
    page.tap("#send")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.tap("#text")
    tap(page, *"abc")
    expect(page.locator("#candidates-spelt")).to_have_text("a b c")
    settled(page)
    page.tap("#send")
    expect(page.locator(".kiosk .meta")).to_have_count(2)
    assert [turn.text for turn in server.door.turns] == ["洗衣液", "abc"]


def test_erasing_clearing_and_writing_in_the_middle(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#text")
    tap(page, *"xiyi", "{bksp}", "{bksp}")
    expect(page.locator("#candidates-spelt")).to_have_text("xi")
    tap(page, "{bksp}", "{bksp}")
    expect(page.locator("#candidates-spelt")).to_be_hidden()
    tap(page, "{bksp}")
    page.fill("#text", "你们😀好")
    page.evaluate("document.getElementById('text').setSelectionRange(4, 4)")
    tap(page, "{bksp}")
    expect(page.locator("#text")).to_have_value("你们好")
    page.evaluate("document.getElementById('text').setSelectionRange(1, 2)")
    tap(page, "{bksp}", *"men", "{space}")
    expect(page.locator("#text")).to_have_value("你们好")
    tap(page, "{clear}")
    expect(page.locator("#text")).to_have_value("")
    tap(page, *"xi", "{clear}")
    expect(page.locator("#candidates-spelt")).to_be_hidden()


def test_backspace_repeats_while_it_is_held_and_letters_do_not(serve, kiosk) -> None:
    page = kiosk(serve(), "/?keyboard=on", touch=False)
    page.click("#text")
    page.fill("#text", "洗" * 40)

    def hold(name: str) -> None:
        key(page, name).hover()
        page.mouse.down()
        page.wait_for_timeout(1200)
        page.mouse.up()

    hold("{bksp}")
    left = len(page.input_value("#text"))
    assert left < 38
    settled(page)
    assert len(page.input_value("#text")) == left
    key(page, "{language}").click()
    hold("q")
    assert page.input_value("#text").count("q") == 1


def test_english_letters_signs_and_capitals(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#text")
    tap(page, "{language}", "{shift}", "W", *"here", "{space}", "{symbols}", "2", "{letters}", "a", "?")
    expect(page.locator("#text")).to_have_value("Where 2a?")
    expect(page.locator("#candidates")).to_be_hidden()
    tap(page, "{language}")
    expect(page.locator("#candidates")).to_be_visible()


def test_the_page_in_english_types_english(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#en")
    expect(page.locator("#welcome")).to_contain_text("Hello")
    page.tap("#text")
    tap(page, *"milk")
    expect(page.locator("#text")).to_have_value("milk")
    expect(keyboard(page)).to_have_attribute("aria-label", "On-screen keyboard")
    expect(key(page, "{bksp}")).to_have_attribute("aria-label", "Backspace")
    assert not any("\u4e00" <= c <= "\u9fff" for c in keyboard(page).inner_text().replace("中", ""))


def test_no_more_is_written_than_the_field_holds(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#text")
    page.fill("#text", "a" * 511)
    tap(page, "{language}", "b", "c")
    assert page.input_value("#text") == "a" * 511 + "b"


# --- when it is there ------------------------------------------------------------------------------------------------


def test_a_mouse_does_not_open_it_and_a_finger_does(serve, kiosk) -> None:
    page = kiosk(serve())
    page.click("#text")
    settled(page)
    expect(keyboard(page)).to_be_hidden()
    page.tap("#text")
    expect(keyboard(page)).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "text"
    assert page.evaluate("document.getElementById('text').inputMode") == "none"
    tap(page, "{close}")
    expect(keyboard(page)).to_be_hidden()
    page.tap("#keys")
    expect(keyboard(page)).to_be_visible()
    expect(page.locator("#keys")).to_have_attribute("aria-expanded", "true")
    page.tap("#keys")
    expect(keyboard(page)).to_be_hidden()


def test_a_real_keyboard_hides_it(serve, kiosk) -> None:
    page = kiosk(serve(), "/?keyboard=on", touch=False)
    page.click("#text")
    expect(keyboard(page)).to_be_visible()
    page.keyboard.press("Shift")
    page.keyboard.press("ArrowLeft")
    expect(keyboard(page)).to_be_visible()
    page.keyboard.type("h", delay=60)
    expect(keyboard(page)).to_be_hidden()
    expect(page.locator("#text")).to_have_value("h")


@pytest.mark.parametrize(
    "address, width, touch", [("/?keyboard=off", 1080, True), ("/", 390, True), ("/", 1080, False)]
)
def test_where_it_stays_away(serve, kiosk, address: str, width: int, touch: bool) -> None:
    page = kiosk(serve(), address, touch=touch, width=width)
    expect(page.locator("#keys")).to_be_hidden()
    page.tap("#text") if touch else page.click("#text")
    settled(page)
    expect(keyboard(page)).to_be_hidden()
    assert page.evaluate("document.getElementById('text').inputMode") == ""


def test_the_page_setting_survives_a_token_in_the_address(serve, kiosk) -> None:
    token = "a-token-of-enough-length"
    server = serve(http_token=token)
    page = kiosk(server, f"/?keyboard=on#token={token}", touch=False)
    assert page.url.endswith("/?keyboard=on")
    page.click("#text")
    expect(keyboard(page)).to_be_visible()


def test_keys_by_arrow_keys_and_enter_and_no_trap(serve, kiosk) -> None:
    page = kiosk(serve(), "/?keyboard=on", touch=False)
    page.click("#text")
    key(page, "{language}").click()
    stops = []
    for _ in range(30):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.closest('#keyboard')?.id ?? document.activeElement.tagName"))
    assert stops.count("keyboard") >= 1
    assert "BODY" in stops  # the Tab key leaves the keyboard again
    assert all(pair != ("keyboard", "keyboard") for pair in zip(stops, stops[1:], strict=False))
    page.focus('.hg-button[data-skbtn="q"]')
    for step in ("ArrowRight", "ArrowDown", "Enter", " "):
        page.keyboard.press(step)
    expect(page.locator("#text")).to_have_value("ss")
    page.keyboard.press("Escape")
    expect(keyboard(page)).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "text"


def test_starting_over_forgets_what_was_spelt(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#text")
    tap(page, *"xiyi")
    expect(page.locator("#suggest [role=option]")).to_have_count(2)
    page.tap("#restart")
    expect(keyboard(page)).to_be_hidden()
    settled(page)
    assert "洗衣" not in page.content()
    assert page.locator(".candidate").count() == 0
    assert page.locator("#candidates-spelt").inner_text() == ""
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    held = "Object.values(window.SimpleKeyboardInstances).map((each) => JSON.stringify(each.input))"
    assert page.evaluate(held) == ['{"default":""}']
    page.tap("#text")
    tap(page, "a")
    expect(page.locator("#candidates-spelt")).to_have_text("a")


def test_the_library_keeps_nothing_of_what_is_typed(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#text")
    tap(page, "{language}", *"secret")
    held = "Object.values(window.SimpleKeyboardInstances).map((each) => JSON.stringify(each.input))"
    assert page.evaluate(held) == ['{"default":""}']


# --- pads for numbers ------------------------------------------------------------------------------------------------


class Asking(FakeDoor):
    """Asks for a slot in every answer."""

    def __init__(self, flow: str, slot: str, confirm: bool = False) -> None:
        super().__init__()
        self.asked = {"flow": flow, "expects": slot}
        self.confirm = confirm

    def greeting(self, language="zh"):
        asks = {
            "track_parcel": {"tracking_no": ["tracking_no"]},
            "pick_up_parcel": {"code": ["pickup_code"]},
            "return_exchange": {"product": ["product", "text"]},
        }
        return {**super().greeting(language), "asks": asks}

    def turn(self, turn, session=None):
        reply = super().turn(turn, session)
        chips = reply.answer.suggestions
        if self.confirm:
            chips = (replace(chips[0], intent="affirm"), *chips[1:])
        return replace(reply, answer=replace(reply.answer, suggestions=chips, outcome="pending", **self.asked))


def test_a_pad_of_digits_for_a_number(serve, kiosk) -> None:
    server = serve(Asking("pick_up_parcel", "code"))
    page = kiosk(server)
    page.get_by_role("button", name="查快递").tap()
    expect(key(page, "5")).to_be_visible()
    expect(keyboard(page)).to_have_attribute("data-layout", "number")
    box = key(page, "5").bounding_box()
    assert box["width"] >= 150
    assert box["height"] >= 80
    expect(page.locator(".kiosk .bubble").last).to_be_in_viewport()
    tap(page, *"3-2-1046")
    expect(page.locator("#text")).to_have_value("3-2-1046")
    server.door.asked = {"flow": None, "expects": None}
    tap(page, "{send}")
    expect(page.locator(".kiosk .meta")).to_have_count(2)
    expect(keyboard(page)).to_be_hidden()
    assert [turn.text for turn in server.door.turns][1:] == ["3-2-1046"]


def test_a_tracking_number_has_letters_too(serve, kiosk) -> None:
    page = kiosk(serve(Asking("track_parcel", "tracking_no")), width=1280, height=800)
    page.get_by_role("button", name="查快递").tap()
    expect(keyboard(page)).to_have_attribute("data-layout", "number")
    tap(page, "{letters}", "S", "F", "{digits}", *"139", "{letters}", "-", "A", "{language}")
    expect(page.locator("#text")).to_have_value("SF139-A")
    expect(keyboard(page)).to_have_attribute("data-layout", "zh")


@pytest.mark.parametrize(
    "asked, touch",
    [
        (Asking("return_exchange", "product"), True),  # words fit as well
        (Asking("track_parcel", "tracking_no", confirm=True), True),  # yes or no is wanted
        (Asking("track_parcel", "tracking_no"), False),  # nobody uses fingers here
    ],
)
def test_no_pad_by_itself(serve, kiosk, asked: Asking, touch: bool) -> None:
    page = kiosk(serve(asked), touch=touch)
    button = page.get_by_role("button", name="查快递")
    button.tap() if touch else button.click()
    expect(page.locator(".kiosk .meta")).to_be_visible()
    settled(page)
    expect(keyboard(page)).to_be_hidden()


# --- how it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width, height", SIZES)
@pytest.mark.parametrize("large", [False, True])
def test_keys_are_large_and_the_conversation_stays_in_sight(serve, kiosk, width: int, height: int, large: bool) -> None:
    page = kiosk(serve(), width=width, height=height)
    if large:
        page.tap("#large")
    page.fill("#text", "洗衣液")
    page.press("#text", "Enter")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.tap("#text")
    expect(keyboard(page)).to_be_visible()
    tap(page, *"xi")
    for switch in ("", "{symbols}"):
        if switch:
            tap(page, switch)
        settled(page)
        for button in page.locator("#keyboard button:visible").all():
            box = button.bounding_box()
            assert box["height"] >= 52, button.inner_text()
            assert box["width"] >= 52, button.inner_text()
        for button in page.locator(".hg-button").all():
            box = button.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    page.wait_for_timeout(400)  # the conversation moves up smoothly
    field = page.locator("#text").bounding_box()
    assert field["y"] + field["height"] <= keyboard(page).bounding_box()["y"]
    expect(page.locator(".kiosk .bubble").last).to_be_in_viewport()
    bottom = keyboard(page).bounding_box()
    assert bottom["y"] + bottom["height"] <= height + 0.5
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_key_has_a_name(serve, kiosk) -> None:
    page = kiosk(serve())
    page.tap("#text")
    for switch in (None, "{shift}", "{symbols}"):
        if switch == "{shift}":
            tap(page, "{language}")
        if switch:
            tap(page, switch)
        nameless = page.locator("#keyboard button:visible").evaluate_all(
            "(all) => all.filter((b) => !(b.getAttribute('aria-label') || b.textContent.trim())).length"
        )
        assert nameless == 0


class Talkative(FakeDoor):
    """Answers at some length."""

    def _reply(self, turn, session):
        reply = super()._reply(turn, session)
        return replace(
            reply,
            answer=replace(reply.answer, text="洗衣液在 9 号通道的 A1 货架，每瓶卖 39.9 元。现在有优惠：买一送一。"),
        )


WHOLE = """(selector) => {
  const room = document.getElementById('main').getBoundingClientRect();
  return [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).map((e) => {
    const box = e.getBoundingClientRect();
    return box.top >= room.top - 1 && box.bottom <= room.bottom + 1;
  });
}"""


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_above_the_keyboard_nothing_is_cut_in_two(serve, kiosk, size: tuple[int, int], large: bool) -> None:
    page = kiosk(serve(Talkative()), width=size[0], height=size[1])
    if large:
        page.tap("#large")
    page.tap("#text")
    expect(page.locator("#keyboard")).to_be_visible()
    expect(page.locator(".tile").first).to_be_hidden()
    chips = page.locator("#chips .chip")
    expect(chips).to_have_count(4)  # the questions of the tiles
    assert page.evaluate(WHOLE, ".welcome, .show") == [True] * (2 if size[0] < size[1] else 1)
    chips.nth(2).tap()
    expect(page.locator(".kiosk .meta")).to_be_attached()
    page.tap("#text")
    expect(page.locator("#keyboard")).to_be_visible()
    expect(chips.first).to_be_in_viewport()
    settled(page)
    assert page.evaluate(WHOLE, ".customer .bubble, .kiosk .bubble") == [True, True]
    page.tap("#restart")
    expect(page.locator(".tile").first).to_be_visible()
    expect(chips.first).to_be_hidden()
