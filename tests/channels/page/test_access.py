"""The page for everybody: axe-core finds nothing in any state, and what is touched is large, reachable and in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fake_door import FakeDoor
from playwright.sync_api import Page, expect
from visitor import ask, picture, until

from appliance.errors import Overloaded

pytestmark = pytest.mark.browser

UPRIGHT, LYING = (1080, 1920), (1280, 800)
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


class Lively(FakeDoor):
    """A door whose page invites soon, and that hears."""

    def __init__(self, **more: Any) -> None:
        super().__init__(asr="ready", **more)

    def greeting(self, language: str = "zh") -> dict[str, Any]:
        return {**super().greeting(language), "attract_s": 60}


def show(page: Page) -> None:
    """Hand the page a photo and wait for its lines."""
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".photo .overlay polygon")).to_have_count(3)
    expect(page.locator(".kiosk .meta").last).to_be_visible()


def start(page: Page, door: FakeDoor) -> None:
    """The start page as it is."""


def conversation(page: Page, door: FakeDoor) -> None:
    ask(page, "洗衣液")
    expect(page.locator(".chip").first).to_be_visible()


def trouble(page: Page, door: FakeDoor) -> None:
    door.error = Overloaded("all places taken", retry_after=2)
    ask(page, "洗衣液")
    expect(page.locator(".error")).to_be_visible()


def waiting(page: Page, door: FakeDoor) -> None:
    door.hold = threading.Event()
    ask(page, "洗衣液")
    expect(page.locator(".waiting")).to_be_visible()


def reading(page: Page, door: FakeDoor) -> None:
    door.step = threading.Semaphore(1)
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".photo .overlay polygon")).to_have_count(1)


def photo(page: Page, door: FakeDoor) -> None:
    show(page)
    page.locator(".photo summary").click()
    page.locator(".photo .lines button").nth(1).click()
    expect(page.locator(".chosen-text")).to_be_visible()


def zoom(page: Page, door: FakeDoor) -> None:
    show(page)
    page.locator(".photo .enlarge").click()
    page.locator("#zoom .lines button").nth(1).click()


def health(page: Page, door: FakeDoor) -> None:
    page.click("#state")
    expect(page.locator("#features li")).to_have_count(3)


def notice(page: Page, door: FakeDoor) -> None:
    page.click("#photo")
    expect(page.locator("#camera-open")).to_be_visible()


def camera(page: Page, door: FakeDoor) -> None:
    page.click("#photo")
    page.click("#camera-open")
    until(page, "document.getElementById('video').videoWidth > 0")
    expect(page.locator("#camera-take")).to_be_focused()


def microphone(page: Page, door: FakeDoor) -> None:
    page.click("#speak")
    expect(page.locator("#microphone-go")).to_be_visible()


def listening(page: Page, door: FakeDoor) -> None:
    page.click("#speak")
    page.click("#microphone-go")
    expect(page.locator("#microphone-live")).to_be_visible()


def idle(page: Page, door: FakeDoor) -> None:
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.clock.fast_forward(50_000)
    expect(page.locator("#idle")).to_be_visible()


def attract(page: Page, door: FakeDoor) -> None:
    if page.locator("html").get_attribute("lang") == "en" or page.locator("html.large").count():
        page.reload()  # nobody has chosen anything on a screen that nobody uses
        expect(page.locator("#state-text")).to_have_text("服务中")
    page.clock.fast_forward(65_000)
    expect(page.locator("#attract")).to_be_visible()


def keys(page: Page, door: FakeDoor) -> None:
    page.click("#keys")
    expect(page.locator("#keyboard")).to_be_visible()


def typing(page: Page, door: FakeDoor) -> None:
    page.focus("#text")
    page.keyboard.type("xiyi" if page.locator("html").get_attribute("lang") != "en" else "wash", delay=80)
    expect(page.locator("#suggest [role=option]").first).to_be_visible()


STATES: list[Callable[[Page, FakeDoor], None]] = [
    start,
    conversation,
    trouble,
    waiting,
    reading,
    photo,
    zoom,
    health,
    notice,
    camera,
    microphone,
    listening,
    idle,
    attract,
    keys,
    typing,
]


SPACIOUS = (start, conversation, photo, zoom, health, camera, keys, typing)
"""States whose room large letters take."""


def broken(page: Page) -> list[str]:
    """What axe-core finds wrong on the page as it stands now, with the element and its reason."""
    found = Axe().run(page, options=RULES).response
    assert len(found["passes"]) > 5
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


# Every pair of size, language and letters once: together they see what all eight would.
SMALL = """() => [...document.querySelectorAll('button, input:not([type=file]), summary')]
  .filter((e) => e.checkVisibility() && !(e.closest('dialog[open]') === null && document.querySelector('dialog[open]')))
  .map((e) => [e, e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 48 || box.height < 48)
  .map(([e, box]) => `${e.outerHTML.slice(0, 120)} ${box.width} x ${box.height}`)"""


@pytest.mark.parametrize(
    "width, height, language, large",
    [(*UPRIGHT, "zh", False), (*UPRIGHT, "en", True), (*LYING, "zh", True), (*LYING, "en", False)],
)
def test_axe_finds_nothing(serve, visit, width, height, language, large):
    wrong: dict[str, list[str]] = {}
    for state in SPACIOUS if large else STATES:
        server = serve(Lively())
        page = visit(
            server,
            "/?keyboard=on",
            viewport={"width": width, "height": height},
            has_touch=True,
            reduced_motion="reduce",
        )
        page.clock.install()
        expect(page.locator("#state-text")).to_have_text("服务中")
        expect(page.locator(".tile").first).to_be_visible()
        if language == "en":
            page.click("#en")
            expect(page.locator("#welcome")).to_contain_text("Hello")
        if large:
            page.click("#large")
        state(page, server.door)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state.__name__
        found = broken(page) + page.evaluate(SMALL)
        if found:
            wrong[state.__name__] = found
        if server.door.hold is not None:
            server.door.hold.set()
        if server.door.step is not None:
            server.door.step.release(9)
        page.close()
    assert wrong == {}


def tops(page: Page, selector: str) -> list[float]:
    """Where the visible elements begin, in pixels from above."""
    boxes = [element.bounding_box() for element in page.locator(selector).all() if element.is_visible()]
    return [box["y"] for box in boxes if box is not None]


def test_on_an_upright_screen_everything_is_within_reach(serve, visit):
    """On a 32 inch screen whose middle is at 1.2 m, what begins below 30 % of its height lies below 1.33 m."""
    page = visit(serve(Lively()), viewport={"width": 1080, "height": 1920})
    expect(page.locator(".tile").first).to_be_visible()
    assert min(tops(page, "button, input")) > 0.3 * 1920
    assert min(tops(page, "#dock button, #dock input")) > 0.75 * 1920
    assert page.evaluate("document.getElementById('dock').contains(document.getElementById('tools'))")
    conversation(page, FakeDoor())
    assert min(tops(page, "button, input")) > 0.6 * 1920
    for opener, dialog in (("#state", "#health"), ("#photo", "#camera"), ("#speak", "#microphone")):
        page.click(opener)
        assert min(tops(page, f"{dialog} button")) > 0.3 * 1920, dialog
        page.keyboard.press("Escape")
    show(page)
    page.locator(".photo .enlarge").click()
    assert min(tops(page, "#zoom button")) > 0.25 * 1920
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 1280, "height": 800})
    until(page, "document.getElementById('bar').contains(document.getElementById('tools'))")


@pytest.mark.parametrize("size", [UPRIGHT, LYING])
def test_the_tab_key_goes_where_the_eye_goes(serve, visit, size):
    page = visit(serve(Lively()), viewport={"width": size[0], "height": size[1]})
    expect(page.locator(".tile").first).to_be_visible()
    seen: list[tuple[str, float, float]] = []
    for _ in range(24):
        page.keyboard.press("Tab")
        name, bottom, ring = page.evaluate(
            """() => { const e = document.activeElement;
              return [e.id || e.className, e.getBoundingClientRect().bottom, getComputedStyle(e).outlineStyle]; }"""
        )
        if name in {entry[0] for entry in seen if entry[0] != "tile"}:
            break
        if name != "main" and page.evaluate("document.activeElement !== document.body"):
            seen.append((name, bottom, 0.0))
            focused = page.evaluate("!!document.activeElement.closest('.field')")
            assert ring == "solid" or focused, name  # the field shows it by its frame
    names = [name for name, _, _ in seen]
    assert {"show", "tile", "restart", "text", "photo", "speak", "state", "large", "zh", "en"} <= set(names)
    bottoms = [bottom for _, bottom, _ in seen]
    rows = [b for a, b in zip(bottoms, bottoms[1:], strict=False) if b < a - 200]
    assert rows == []  # never far back up


@pytest.mark.parametrize(
    "opener, dialog", [("#state", "#health"), ("#photo", "#camera"), ("#show", "#camera"), ("#speak", "#microphone")]
)
def test_escape_closes_and_the_focus_returns(serve, visit, opener, dialog):
    page = visit(serve(Lively()))
    expect(page.locator("#speak")).to_have_attribute("aria-disabled", "false")
    page.focus(opener)
    page.keyboard.press("Enter")
    expect(page.locator(dialog)).to_be_visible()
    assert page.evaluate(f"document.querySelector('{dialog}').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(page.locator(dialog)).to_be_hidden()
    expect(page.locator(opener)).to_be_focused()


def test_a_screen_reader_hears_who_speaks_and_what_is_the_matter(serve, visit):
    server = serve(Lively())
    page = visit(server)
    conversation(page, server.door)
    log = page.get_by_role("log", name="对话")
    expect(log).to_contain_text("您：洗衣液")
    expect(log).to_contain_text("助手：洗衣液在 B3 货架")
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.get_by_role("contentinfo").count() == 1
    told = page.locator("#state-told")
    expect(told).to_have_text("服务中")
    assert told.get_attribute("role") == "status"
    server.door.is_ready = False
    expect(told).to_have_text("正在准备")
