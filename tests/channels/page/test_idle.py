"""A page that nobody touches asks, and then wipes everything."""

from __future__ import annotations

import re
import threading

import pytest
from fake_door import FakeDoor
from playwright.sync_api import expect
from visitor import ask, pass_by, picture, until

pytestmark = pytest.mark.browser


class Hurried(FakeDoor):
    """Says after how many seconds its page is to be wiped."""

    def greeting(self, language="zh"):
        return {**super().greeting(language), "idle_s": 20}


def test_an_idle_page_asks_and_then_wipes_everything(serve, visit):
    server = serve()
    page = visit(server, stopped=True)
    ask(page, "我的电话是13812345678")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.click("#photo")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".photo .overlay polygon")).to_have_count(3)
    url = page.locator(".photo .stage img").get_attribute("src")
    page.locator(".photo .enlarge").click()
    page.evaluate("document.getElementById('text').value = '还没发出的话'")
    assert len(server.door.sessions) == 1
    pass_by(page, 44)
    expect(page.locator("#idle")).to_be_hidden()
    pass_by(page, 2)
    expect(page.locator("#idle")).to_be_visible()
    expect(page.locator("#idle-title")).to_have_text("还在吗？")
    expect(page.locator("#idle-text")).to_have_attribute("aria-live", "assertive")
    expect(page.locator("#idle-text")).to_contain_text("自动清除")
    expect(page.locator("#idle-go")).to_be_focused()
    assert page.locator("#idle-go").bounding_box()["height"] >= 60
    assert 0 < int(page.locator("#idle-left").inner_text()) <= 15
    pass_by(page, 12)
    expect(page.locator("#log")).to_be_visible()  # 58 seconds
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        pass_by(page, 3)  # 61 seconds: it looks twice a second
    assert server.door.sessions == set()
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#log")).to_be_hidden()
    assert page.locator("dialog[open]").count() == 0
    assert "13812345678" not in page.content()
    assert "SF1392847561002" not in page.content()
    assert page.input_value("#text") == ""
    gone = """(url) => new Promise((tell) => {
      const image = new Image();
      [image.onload, image.onerror] = [() => tell(false), () => tell(true)];
      image.src = url;
    })"""
    assert page.evaluate(gone, url) is True
    pass_by(page, 200)
    expect(page.locator("#idle")).to_be_hidden()


@pytest.mark.parametrize("sign", ["button", "key", "beside"])
def test_whoever_is_still_there_goes_on(serve, visit, sign):
    server = serve()
    page = visit(server, stopped=True)
    page.click("#en")
    expect(page.locator("#welcome")).to_contain_text("Hello")
    ask(page, "laundry liquid")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    pass_by(page, 50)
    expect(page.locator("#idle-title")).to_have_text("Still there?")
    expect(page.locator("#idle")).not_to_contain_text(re.compile("[\u4e00-\u9fff]"))
    if sign == "button":
        page.get_by_role("button", name="Continue").click()
    elif sign == "key":
        page.keyboard.press("a")
    else:
        page.mouse.click(5, 5)
    expect(page.locator("#idle")).to_be_hidden()
    pass_by(page, 40)
    expect(page.locator("#idle")).to_be_hidden()
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert len(server.door.sessions) == 1
    pass_by(page, 10)
    expect(page.locator("#idle")).to_be_visible()


def test_a_touch_starts_the_time_again(serve, visit):
    page = visit(serve(), stopped=True)
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    for _ in range(3):
        pass_by(page, 40)
        page.mouse.click(5, 5)
    expect(page.locator("#idle")).to_be_hidden()
    expect(page.locator(".kiosk .meta")).to_be_visible()


def test_the_appliance_says_how_long_is_idle(serve, visit):
    server = serve(Hurried())
    page = visit(server, stopped=True)
    expect(page.locator(".tile").first).to_be_visible()
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    pass_by(page, 12)
    expect(page.locator("#idle")).to_be_hidden()
    pass_by(page, 4)  # a third of 20 seconds is for the question
    expect(page.locator("#idle")).to_be_visible()
    assert int(page.locator("#idle-left").inner_text()) <= 7
    expect(page.locator("#log")).to_be_visible()
    pass_by(page, 5)
    expect(page.locator("#log")).to_be_hidden()


def test_a_session_that_the_process_forgot_first_is_begun_anew(serve, visit):
    server = serve()
    page = visit(server)
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_have_count(1)
    server.door.sessions.clear()
    ask(page, "还有货吗")
    expect(page.locator(".kiosk .meta")).to_have_count(2)
    expect(page.locator(".error")).to_have_count(0)
    assert server.door.sessions == {"session-0002"}
    server.door.sessions.clear()
    page.click("#restart")
    expect(page.locator("#toast")).to_have_text("已清除，欢迎下一位顾客")


def test_nothing_happens_on_a_start_screen(serve, visit):
    page = visit(serve(), stopped=True)
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate("window.seen = []; document.getElementById('idle').showModal = () => window.seen.push('asked'); null")
    pass_by(page, 300)
    assert page.evaluate("window.seen") == []
    expect(page.locator("#toast")).to_be_hidden()


def test_a_camera_that_was_left_on_goes_off(serve, visit):
    page = visit(serve(), stopped=True)
    page.click("#show")
    page.click("#camera-open")
    until(page, "document.getElementById('video').videoWidth > 0")
    page.evaluate("window.track = document.getElementById('video').srcObject.getTracks()[0]")
    pass_by(page, 80)
    expect(page.locator("#camera")).to_be_hidden()
    until(page, "document.getElementById('video').srcObject === null")
    assert page.evaluate("window.track.readyState") == "ended"


def test_whoever_waits_for_an_answer_is_not_idle(serve, visit):
    hold = threading.Event()
    server = serve(FakeDoor(hold=hold))
    page = visit(server, stopped=True)
    page.click("#photo")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".photo.reading-now")).to_be_visible()
    pass_by(page, 80)
    expect(page.locator("#idle")).to_be_hidden()
    hold.set()
    expect(page.locator(".photo:not(.reading-now) .overlay polygon")).to_have_count(3)
    expect(page.locator("#send")).to_be_enabled()  # it waits no longer
    pass_by(page, 50)
    expect(page.locator("#idle")).to_be_visible()
