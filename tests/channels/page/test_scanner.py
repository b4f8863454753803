"""A barcode scanner's burst is a turn wherever the focus is; what a person types never is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

CODE = "SF1392847561002"


def scan(page: Page, text: str = CODE, suffix: str = "Enter", gaps_ms: Sequence[int] = (5,)) -> None:
    """Keys as a scanner presses them, by the page's own clock: `gaps_ms` apart in turn, and a suffix if it has one."""
    for key, gap in zip(text, cycle(gaps_ms)):
        page.keyboard.type(key)
        page.clock.run_for(gap)
    if suffix:
        page.keyboard.press(suffix)
    page.clock.run_for(600)  # silence


@pytest.mark.parametrize("suffix", ["Enter", "Tab", "NumpadEnter", ""])
@pytest.mark.parametrize("focus", ["body", "#text", "#restart"])
def test_a_burst_becomes_a_turn(serve, kiosk, suffix: str, focus: str) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    if focus != "body":
        page.focus(focus)
    scan(page, suffix=suffix)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    (turn,) = server.door.turns
    assert (turn.text, turn.source) == (CODE, "barcode")
    assert page.input_value("#text") == ""
    expect(page.locator(".customer .bubble")).to_have_text(CODE)
    page.clock.run_for(1000)
    assert len(server.door.turns) == 1


def test_what_was_typed_before_stays(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.fill("#text", "我的快递")
    page.evaluate("document.getElementById('text').setSelectionRange(1, 3)")
    scan(page)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert page.input_value("#text") == "我的快递"
    assert [turn.text for turn in server.door.turns] == [CODE]


@pytest.mark.parametrize("gaps_ms", [(1,), (30,), (8, 8, 45), (5, 5, 5, 5, 150), (5, 5, 5, 5, 5, 5, 450)])
def test_scanners_of_every_speed_and_a_machine_that_stalls(serve, kiosk, gaps_ms: Sequence[int]) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.focus("#text")
    scan(page, gaps_ms=gaps_ms)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert [(turn.text, turn.source) for turn in server.door.turns] == [(CODE, "barcode")]


@pytest.mark.parametrize("gaps_ms", [(60,), (70,), (120,), (250,), (40, 80, 90), (30, 110)])
@pytest.mark.parametrize("suffix", ["Enter", ""])
def test_a_person_is_no_scanner(serve, kiosk, gaps_ms: Sequence[int], suffix: str) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.focus("#text")
    scan(page, suffix="", gaps_ms=gaps_ms)
    assert page.input_value("#text") == CODE
    assert server.door.turns == []
    if suffix:
        page.keyboard.press(suffix)
        expect(page.locator(".kiosk .meta")).to_be_visible()
        assert [(turn.text, turn.source) for turn in server.door.turns] == [(CODE, "text")]


def test_short_held_and_rolled_keys_are_no_scan(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.focus("#text")
    scan(page, "AB123")  # too short for a code: Enter sends it as any text
    expect(page.locator(".kiosk .meta")).to_be_visible()
    for _ in range(20):
        page.keyboard.down("1")  # a key that is held repeats without coming up
        page.clock.run_for(30)
    page.keyboard.up("1")
    page.clock.run_for(300)
    scan(page, "abcdefgh", suffix="")  # fingers that roll over the keys: no digit, no suffix
    assert [(turn.text, turn.source) for turn in server.door.turns] == [("AB123", "text")]
    assert page.input_value("#text") == "1" * 20 + "abcdefgh"


def test_shifted_letters_and_signs_come_through(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.evaluate(
        """() => {
          const key = (key, code, shiftKey = false) => document.body.dispatchEvent(
            new KeyboardEvent('keydown', { key, code, shiftKey, bubbles: true, cancelable: true }));
          key('Shift', 'ShiftLeft', true);
          for (const c of 'WL-2024 #A1') key(c, '');
          key('Enter', 'Enter');
        }"""
    )
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert server.door.turns[0].text == "WL-2024 #A1"


def test_keys_that_an_input_method_swallows_are_read_by_their_place(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.focus("#text")
    page.evaluate(
        """() => {
          const key = (code, shiftKey) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown',
            { key: 'Process', code, shiftKey, keyCode: 229, bubbles: true, cancelable: true }));
          for (const c of 'SF1392847') key(/\\d/.test(c) ? `Digit${c}` : `Key${c}`, !/\\d/.test(c));
          key('Enter', false);
        }"""
    )
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert (server.door.turns[0].text, server.door.turns[0].source) == ("SF1392847", "barcode")


@pytest.mark.parametrize("opener", ["#state", "#photo"])
def test_a_dialog_makes_room_for_the_answer(serve, kiosk, opener: str) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.click(opener)
    expect(page.locator("dialog[open]")).to_have_count(1)
    scan(page)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert [turn.source for turn in server.door.turns] == ["barcode"]


class Inviting(FakeDoor):
    """Has a page that invites passers-by after five seconds."""

    def greeting(self, language="zh"):
        return {**super().greeting(language), "attract_s": 5}


def test_the_invitation_gives_way_to_a_scan(serve, kiosk) -> None:
    server = serve(Inviting())
    page = kiosk(server, stopped=True)
    expect(page.locator("#state-text")).to_have_text("服务中")
    page.clock.run_for(7000)
    expect(page.locator("#attract")).to_be_visible()
    scan(page)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator("#attract")).to_be_hidden()
    assert [(turn.text, turn.source) for turn in server.door.turns] == [(CODE, "barcode")]


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
    page = kiosk(server, stopped=True)
    page.tap("#text")
    for key in "xi":
        page.tap(f'.hg-button[data-skbtn="{key}"]')
    scan(page)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator("#keyboard")).to_be_hidden()
    assert page.input_value("#text") == ""
    assert [turn.text for turn in server.door.turns] == [CODE]


# Keys as a busy machine delivers them: each with the time at which it was pressed, whenever it comes.
DELIVER = """([keys, start]) => {
  for (const [at, key] of keys) {
    const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
    Object.defineProperty(event, 'timeStamp', { value: start + at });
    document.activeElement.dispatchEvent(event);
  }
}"""


def deliver(page: Page, text: str, *, since: float, first: int = 0, suffix: bool = False) -> None:
    """`text`, pressed 5 ms apart from `since` on, its first key being the scan's key number `first`."""
    keys: list[tuple[float, str]] = [(5.0 * (first + index), key) for index, key in enumerate(text)]
    if suffix:
        keys.append((5.0 * (first + len(text)), "Enter"))
    page.evaluate(DELIVER, [keys, since])


def test_a_scan_that_a_busy_machine_delivers_in_two_is_one(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    since = page.evaluate("performance.now()")
    deliver(page, CODE[:8], since=since)
    page.clock.run_for(400)
    deliver(page, CODE[8:], since=since, first=8, suffix=True)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.clock.run_for(1500)
    assert [(turn.text, turn.source) for turn in server.door.turns] == [(CODE, "barcode")]


def test_silence_does_not_count_while_the_page_itself_was_busy(serve, kiosk) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    since = page.evaluate("performance.now()")
    deliver(page, CODE[:8], since=since)
    page.clock.fast_forward(900)  # every timer that is due fires once, late
    deliver(page, CODE[8:], since=since, first=8)
    page.clock.run_for(600)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert [turn.text for turn in server.door.turns] == [CODE]


@pytest.mark.parametrize("rest", [9, 3, 0])
def test_the_rest_of_a_scan_that_comes_much_too_late_is_told_and_asked_of_nobody(serve, kiosk, rest: int) -> None:
    server = serve()
    page = kiosk(server, stopped=True)
    page.focus("#text")
    cut = len(CODE) - rest
    since = page.evaluate("performance.now()")
    deliver(page, CODE[:cut], since=since)
    page.clock.run_for(700)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.fill("#text", "我还在写")
    deliver(page, CODE[cut:], since=since, first=cut, suffix=True)
    page.clock.run_for(700)
    if rest:
        expect(page.locator("#toast")).to_have_text("请稍候，再扫一次")
    assert page.input_value("#text") == "我还在写"
    assert [turn.text for turn in server.door.turns] == [CODE[:cut]]
