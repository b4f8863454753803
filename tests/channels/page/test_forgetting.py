"""A session that cannot be ended at once: nobody is told that it was, and it is tried until it is."""

from __future__ import annotations

import threading

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect
from visitor import ask, pass_by

pytestmark = pytest.mark.browser

CLEARED = "已清除，欢迎下一位顾客"
SCREEN_ONLY = "屏幕已清除；机器内的记录最迟 2 分钟后自动清除"


def talk(page: Page, text: str = "我的电话是13812345678") -> None:
    """Say something and see the answer."""
    ask(page, text)
    expect(page.locator(".kiosk .meta")).to_be_visible()


class Refusals:
    """Lets some requests to end a session fail: `how` is a status, or `lost` for no answer at all."""

    def __init__(self, page: Page, how: int | str, times: int = 1000) -> None:
        self.asked: list[str] = []
        self.how, self.left = how, times
        page.route("**/v1/sessions/*", self._answer)

    def _answer(self, route) -> None:
        self.asked.append(route.request.url)
        self.left -= 1
        if self.left < 0:
            route.continue_()
        elif self.how == "lost":
            route.abort("connectionrefused")
        else:
            body = '{"code": "overloaded", "message": "系统繁忙", "remedy": "请稍候"}'
            route.fulfill(status=self.how, content_type="application/json", body=body)


def test_what_is_forgotten_is_said_when_it_is(serve, visit):
    server = serve()
    page = visit(server)
    talk(page)
    page.click("#restart")
    expect(page.locator("#toast")).to_have_text(CLEARED)
    assert server.door.sessions == set()


@pytest.mark.parametrize("how", ["lost", 503, 500])
def test_what_could_not_be_forgotten_is_not_said_to_be_and_is_tried_again(serve, visit, how):
    server = serve()
    page = visit(server, stopped=True)
    talk(page)
    refusals = Refusals(page, how, times=3)
    page.click("#restart")
    expect(page.locator("#toast")).to_have_text(SCREEN_ONLY)
    expect(page.locator("#welcome")).to_be_visible()
    assert "13812345678" not in page.content()
    assert len(server.door.sessions) == 1
    with page.expect_response(lambda response: response.request.method == "DELETE" and response.status == 204):
        for _ in range(4):
            page.clock.run_for(4000)
            page.wait_for_timeout(100)
    assert server.door.sessions == set()
    assert len(refusals.asked) == 4
    pass_by(page, 60)
    assert len(refusals.asked) == 4


def test_a_session_that_is_gone_already_counts_as_forgotten(serve, visit):
    server = serve()
    page = visit(server)
    talk(page)
    server.door.sessions.clear()
    page.click("#restart")
    expect(page.locator("#toast")).to_have_text(CLEARED)


def test_the_trying_ends_when_the_process_has_forgotten_by_itself(serve, visit):
    class Quick(FakeDoor):
        """Forgets by itself after ten seconds, and says so."""

        def greeting(self, language="zh"):
            return {**super().greeting(language), "forget_s": 10}

    page = visit(serve(Quick()), stopped=True)
    expect(page.locator(".tile").first).to_be_visible()
    talk(page)
    refusals = Refusals(page, "lost")
    page.click("#restart")
    expect(page.locator("#toast")).to_have_text(SCREEN_ONLY.replace("2", "1"))
    for _ in range(15):
        page.clock.run_for(2000)
        page.wait_for_timeout(60)
    tried = len(refusals.asked)
    assert 3 <= tried <= 6
    pass_by(page, 120)
    page.wait_for_timeout(200)
    assert len(refusals.asked) == tried


def test_a_page_that_is_closed_meanwhile_asks_a_last_time(serve, visit):
    server = serve()
    page = visit(server, stopped=True)
    talk(page)
    Refusals(page, "lost", times=1)
    page.click("#restart")
    expect(page.locator("#toast")).to_have_text(SCREEN_ONLY)
    assert len(server.door.sessions) == 1
    page.goto(server.url + "/docs")
    for _ in range(100):
        if not server.door.sessions:
            break
        threading.Event().wait(0.05)
    assert server.door.sessions == set()


def test_words_on_their_way_are_cleared_before_that_is_said(serve, visit):
    hold = threading.Event()
    server = serve(FakeDoor(hold=hold))
    page = visit(server)
    ask(page, "我的电话是13812345678")
    expect(page.locator(".waiting")).to_be_visible()
    page.click("#restart")
    expect(page.locator("#send")).to_be_enabled()
    page.wait_for_timeout(300)
    expect(page.locator("#toast")).to_be_hidden()
    hold.set()
    expect(page.locator("#toast")).to_have_text(CLEARED)
    assert server.door.sessions == set()
