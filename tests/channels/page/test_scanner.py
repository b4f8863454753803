"""A barcode scanner's burst is a turn wherever the focus is; what a person types never is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.channels.page.waiting import settled

pytestmark = pytest.mark.browser

CODE = "SF1392847561002"


def scan(page: Page, text: str = CODE, suffix: str = "Enter", gap_ms: int = 5) -> None:
    """Type as a scanner does: keys `gap_ms` apart, and a suffix if it has one."""
    page.keyboard.type(text, delay=gap_ms)
    if suffix:
        page.keyboard.press(suffix)


@pytest.mark.parametrize("suffix", ["Enter", "Tab", "NumpadEnter", ""])
@pytest.mark.parametrize("focus", ["body", "#text", "#restart"])
def test_a_burst_becomes_a_turn(serve, kiosk, suffix: str, focus: str) -> None:
    server = serve()
    page = kiosk(server)
    if focus != "body":
        page.focus(focus)
    scan(page, suffix=suffix)
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    (turn,) = server.door.turns
    assert (turn.text, turn.source) == (CODE, "barcode")
    assert page.input_value("#text") == ""
    expect(page.locator(".customer .bubble")).to_have_text(CODE)
    settled(page)
    assert len(server.door.turns) == 1


def test_what_was_typed_before_stays(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.fill("#text", "我的快递")
    page.evaluate("document.getElementById('text').setSelectionRange(1, 3)")
    before = []
    page.expose_function("note", lambda: before.append(1))
    scan(page)
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    assert page.input_value("#text") == "我的快递"
    assert [turn.text for turn in server.door.turns] == [CODE]


@pytest.mark.parametrize("gap_ms", [70, 120])
def test_a_person_is_no_scanner(serve, kiosk, gap_ms: int) -> None:
    server = serve()
    page = kiosk(server)
    page.focus("#text")
    page.keyboard.type(CODE, delay=gap_ms)
    assert page.input_value("#text") == CODE
    page.keyboard.press("Enter")
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    assert [(turn.text, turn.source) for turn in server.door.turns] == [(CODE, "text")]


def test_short_held_and_rolled_keys_are_no_scan(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.focus("#text")
    scan(page, "AB123")  # too short for a code: Enter sends it as any text
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    for _ in range(20):
        page.keyboard.down("a")  # a key that is held repeats without coming up
    page.keyboard.up("a")
    settled(page)
    scan(page, "abcdefgh", suffix="")  # fingers that roll over the keys: no digit, no suffix
    settled(page)
    assert [(turn.text, turn.source) for turn in server.door.turns] == [("AB123", "text")]
    assert page.input_value("#text") == "a" * 20 + "abcdefgh"


def test_shifted_letters_and_signs_come_through(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.evaluate(
        """() => {
          const key = (key, code, shiftKey = false) => document.body.dispatchEvent(
            new KeyboardEvent('keydown', { key, code, shiftKey, bubbles: true, cancelable: true }));
          key('Shift', 'ShiftLeft', true);
          for (const c of 'WL-2024 #A1') key(c, '');
          key('Enter', 'Enter');
        }"""
    )
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    assert server.door.turns[0].text == "WL-2024 #A1"


def test_keys_that_an_input_method_swallows_are_read_by_their_place(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.focus("#text")
    page.evaluate(
        """() => {
          const key = (code, shiftKey) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown',
            { key: 'Process', code, shiftKey, keyCode: 229, bubbles: true, cancelable: true }));
          for (const c of 'SF1392847') key(/\\d/.test(c) ? `Digit${c}` : `Key${c}`, !/\\d/.test(c));
          key('Enter', false);
        }"""
    )
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    assert (server.door.turns[0].text, server.door.turns[0].source) == ("SF1392847", "barcode")


@pytest.mark.parametrize("opener", ["#state", "#photo"])
def test_a_dialog_makes_room_for_the_answer(serve, kiosk, opener: str) -> None:
    server = serve()
    page = kiosk(server)
    page.click(opener)
    expect(page.locator("dialog[open]")).to_have_count(1)
    scan(page)
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert [turn.source for turn in server.door.turns] == ["barcode"]


def test_a_token_may_be_scanned_into_its_own_field(serve, kiosk, browser) -> None:
    token = "a-token-of-enough-length-1"
    server = serve(http_token=token)
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator("#token")).to_be_visible()
    page.focus("#token-text")
    scan(page, token)
    expect(page.locator("#state-text")).to_have_text("服务中")
    assert server.door.turns == []
    context.close()


def test_a_scan_ends_what_was_being_typed_on_the_screen(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server)
    page.tap("#text")
    for key in "xi":
        page.tap(f'.hg-button[data-skbtn="{key}"]')
    scan(page)
    expect(page.locator(".kiosk .bubble")).to_be_visible()
    expect(page.locator("#keyboard")).to_be_hidden()
    assert page.input_value("#text") == ""
    assert [turn.text for turn in server.door.turns] == [CODE]
