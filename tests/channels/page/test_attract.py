"""The invitation on a screen that nobody uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect
from visitor import ask, pass_by

pytestmark = pytest.mark.browser


class Inviting(FakeDoor):
    """Says after how many seconds its page invites."""

    attract_s = 100.0

    def greeting(self, language: str = "zh") -> dict[str, Any]:
        return {**super().greeting(language), "attract_s": self.attract_s}


def invited(serve: Any, visit: Any, **more: Any) -> Page:
    """A page that invites already."""
    page: Page = visit(serve(Inviting()), stopped=True, **more)
    expect(page.locator(".tile").first).to_be_visible()
    expect(page.locator("#state-text")).to_have_text("服务中")
    page.keyboard.press("Shift")  # the time begins here
    pass_by(page, 96)
    expect(page.locator("#attract")).to_be_hidden()
    comes(page)
    return page


def comes(page: Page, pass_by: Callable[[Page, float], None] = pass_by) -> None:
    """Wait for the invitation; a clock that runs so fast breaks a connection now and then, and then it comes later."""
    for _ in range(100):
        pass_by(page, 4)
        page.wait_for_timeout(30)
        if page.locator("#attract").is_visible():
            return
    raise AssertionError("nobody is invited")


def skip(page: Page, seconds: float) -> None:
    """Let `seconds` go by at once, with every timer due in them running once; time itself goes on."""
    page.clock.fast_forward(round(seconds * 1000))


def test_nobody_is_invited_in_both_languages_and_a_tap_begins(serve, visit):
    page = invited(serve, visit)
    attract = page.locator("#attract")
    for words in ("您好!想找什么", "Hello! Ask me anything", "轻触屏幕开始", "Touch to start", "Store guide"):
        expect(attract).to_contain_text(words)
    expect(attract.locator("[lang=en]").first).to_be_attached()
    page.mouse.click(300, 300)
    expect(attract).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#log")).to_be_hidden()  # the tap touched nothing of what lies beneath
    assert attract.inner_text() == ""


def test_what_can_be_done_changes_and_never_stands_at_the_same_place(serve, visit):
    page = invited(serve, visit)
    said, places = set(), set()
    stage = page.locator(".attract-stage")
    for _ in range(10):
        said.add(page.locator(".attract-thing").inner_text().split("\n")[0])
        place = stage.get_attribute("style") or ""
        places.add(place)
        pass_by(page, 8)
        expect(stage).not_to_have_attribute("style", place)  # a busy machine draws later than its clock says
    assert {"厕所在哪里?", "查快递", "退货换货", "几点关门?", "拍照识字"} <= said
    assert "直接说话" not in said  # nobody is invited to what is off
    assert len(places) >= 9
    assert page.locator("#attract").get_attribute("data-palette") != "0"


@pytest.mark.parametrize("sign", ["key", "swipe"])
def test_a_key_or_a_swipe_begins(serve, visit, sign):
    page = invited(serve, visit)
    if sign == "key":
        page.keyboard.press("x")
    else:
        page.mouse.move(200, 200)
        page.mouse.down()
        page.mouse.move(500, 300, steps=4)
        page.mouse.up()
    expect(page.locator("#attract")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()
    pass_by(page, 96)
    expect(page.locator("#attract")).to_be_hidden()
    comes(page)


def test_english_begins_in_english(serve, visit):
    page = invited(serve, visit)
    page.get_by_role("button", name="Start in English").click()
    expect(page.locator("#welcome")).to_contain_text("Hello")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    pass_by(page, 80)  # asked, counted down: whoever comes next begins in Chinese again
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#welcome")).to_contain_text("您好")


def test_a_scan_begins_and_is_taken_whole(serve, visit):
    server = serve(Inviting())
    page = visit(server)
    page.clock.install()
    expect(page.locator("#state-text")).to_have_text("服务中")
    skip(page, 96)
    comes(page, skip)
    with page.expect_response("**/v1/turns"):
        page.keyboard.type("SF1392847561002", delay=4)
        page.keyboard.press("Enter")
    expect(page.locator("#attract")).to_be_hidden()
    expect(page.locator(".customer .bubble")).to_contain_text("SF1392847561002")
    assert server.door.turns[-1].source == "barcode"


def test_trouble_is_never_covered(serve, visit):
    server = serve(Inviting())
    page = visit(server)
    page.clock.install()
    expect(page.locator("#state-text")).to_have_text("服务中")
    skip(page, 96)
    comes(page, skip)
    server.door.is_ready = False
    expect(page.locator("#attract")).to_be_hidden()
    expect(page.locator("#state-text")).to_have_text("正在准备")
    skip(page, 300)
    page.wait_for_timeout(1500)
    expect(page.locator("#attract")).to_be_hidden()
    server.door.is_ready = True
    expect(page.locator("#state-text")).to_have_text("服务中")
    skip(page, 96)
    comes(page, skip)


def test_whoever_is_served_is_not_invited(serve, visit):
    page = visit(serve(Inviting()), stopped=True)
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    pass_by(page, 52)
    expect(page.locator("#idle")).to_be_visible()
    expect(page.locator("#attract")).to_be_hidden()
    pass_by(page, 10)
    expect(page.locator("#log")).to_be_hidden()
    expect(page.locator("#attract")).to_be_hidden()
    comes(page)


def test_zero_seconds_is_never(serve, visit):
    class Silent(Inviting):
        attract_s = 0.0

    page = visit(serve(Silent()), stopped=True)
    expect(page.locator(".tile").first).to_be_visible()
    pass_by(page, 900)
    expect(page.locator("#attract")).to_be_hidden()


def test_no_invitation_without_an_appliance(serve, visit):
    page = visit(serve(Inviting()), stopped=True)
    expect(page.locator("#state-text")).to_have_text("服务中")
    page.route("**/v1/greeting*", lambda route: route.abort())
    pass_by(page, 120)
    expect(page.locator("#attract")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()


def test_with_reduced_motion_nothing_moves(serve, visit):
    page = invited(serve, visit, reduced_motion="reduce")
    running = """() => document.getAnimations().filter((a) => a.playState === 'running'
      && a.effect.getComputedTiming().duration > 10 && a.effect.getComputedTiming().iterations !== 1).length"""
    page.clock.resume()
    page.wait_for_timeout(300)
    assert page.evaluate(running) == 0
    expect(page.locator(".attract-thing")).to_have_text(re.compile("."))
