"""A photo whose lines appear while they are read, and what leaves the page with its customer."""

from __future__ import annotations

import threading

import pytest
from fake_door import FakeDoor
from playwright.sync_api import Page, expect
from visitor import ask, picture, until

from appliance.errors import DeadlineExceeded, InvalidInput

pytestmark = pytest.mark.browser


LOADS = """(url) => new Promise((tell) => {
  const image = new Image();
  [image.onload, image.onerror] = [() => tell(true), () => tell(false)];
  image.src = url;
})"""


def show(page: Page) -> None:
    """Hand the page a photo."""
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})


def test_lines_appear_one_by_one(serve, visit):
    step = threading.Semaphore(0)
    page = visit(serve(FakeDoor(step=step)))
    show(page)
    photo = page.locator(".photo")
    expect(photo).to_be_visible()
    expect(photo).to_have_attribute("aria-busy", "true")
    expect(page.locator(".count")).to_have_text("已读 0 / 3 行")
    assert page.locator(".overlay polygon").count() == 0
    for done in (1, 2):
        step.release()
        expect(page.locator(".overlay polygon")).to_have_count(done)
        expect(page.locator(".count")).to_have_text(f"已读 {done} / 3 行")
        assert page.evaluate("document.querySelector('progress.read').value") == done
    page.locator(".photo summary").click()
    page.locator(".photo .lines button").nth(1).click()
    expect(page.locator(".chosen-text")).to_have_text("运单号 SF1392847561002")
    step.release()
    expect(page.locator(".overlay polygon")).to_have_count(3)
    expect(page.locator(".count")).to_have_text("识别到 3 行文字")
    expect(page.locator(".chosen-text")).to_have_text("运单号 SF1392847561002")  # what was chosen stays chosen
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator("progress.read")).to_be_hidden()
    assert photo.get_attribute("aria-busy") is None
    assert page.locator(".photo .stop:visible").count() == 0


def test_a_reading_that_is_stopped_keeps_what_is_known(serve, visit):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step))
    page = visit(server)
    show(page)
    step.release()
    expect(page.locator(".overlay polygon")).to_have_count(1)
    url = page.locator(".photo .stage img").get_attribute("src")
    page.locator(".photo .stop").click()
    expect(page.locator(".count")).to_have_text("已停止，读到 1 行，还有 2 行未读")
    expect(page.locator("#toast")).to_contain_text("已停止")
    expect(page.locator(".photo")).to_have_class("photo partial")
    expect(page.locator(".photo .stop")).to_be_hidden()
    expect(page.locator("progress.read")).to_be_hidden()
    expect(page.locator(".error")).to_have_count(0)
    expect(page.locator("#send")).to_be_enabled()
    expect(page.locator(".chip")).to_have_count(4)  # there is no answer, but something to go on with
    for _ in range(2):
        page.wait_for_timeout(700)  # a server notices that nobody listens when it looks, or when it writes
        step.release()
    until_read(server.door)
    assert server.door.read_lines[0] < 3
    assert server.door.sessions == set(), "half a photo fills no session"
    assert page.evaluate(LOADS, url) is True
    page.locator(".overlay polygon").click()
    expect(page.locator(".chosen-text")).to_have_text("顺丰速运")
    page.locator(".photo .enlarge").click()
    expect(page.locator("#zoom .lines button")).to_have_text(["顺丰速运"])
    page.locator("#zoom .lines button").click()
    page.locator("#zoom").get_by_role("button", name="用这行提问").click()
    expect(page.locator("#text")).to_have_value("顺丰速运")
    page.press("#text", "Enter")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.click("#restart")
    expect(page.locator(".photo")).to_have_count(0)
    assert page.evaluate(LOADS, url) is False
    assert "顺丰速运" not in page.content()


def test_a_reading_that_is_stopped_before_its_first_line(serve, visit):
    server = serve(FakeDoor(step=threading.Semaphore(0)))
    page = visit(server)
    page.click("#en")
    expect(page.locator("#welcome")).to_contain_text("Hello")
    show(page)
    expect(page.locator(".count")).to_have_text("0 of 3 lines read")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".count")).to_have_text("Stopped before any text was read")
    expect(page.locator(".photo img")).to_be_visible()
    expect(page.locator(".photo .enlarge")).to_be_hidden()
    expect(page.locator("#send")).to_be_enabled()


def test_without_a_place_to_stream_from_the_whole_answer_is_asked_for_once(serve, visit):
    server = serve(ocr_streams=0)
    page = visit(server)
    accepted: list[str] = []
    page.on("request", lambda r: accepted.append(r.headers["accept"]) if "/v1/turns" in r.url else None)
    show(page)
    expect(page.locator(".count")).to_have_text("识别到 3 行文字")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator(".error")).to_have_count(0)
    assert [accept.partition(",")[0] for accept in accepted] == ["text/event-stream", "application/json"]


def test_a_house_that_is_full_says_so_after_the_second_refusal(serve, visit):
    server = serve(FakeDoor(is_full=True))
    page = visit(server)
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/v1/turns" in r.url else None)
    show(page)
    expect(page.locator(".error")).to_be_visible()
    assert len(asked) == 2
    server.door.is_full = False
    page.get_by_role("button", name="再试一次").click()
    expect(page.locator(".count")).to_have_text("识别到 3 行文字")


def until_read(door: FakeDoor) -> None:
    """Wait until the door's reading has ended."""
    for _ in range(200):
        if door.read_lines:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the reading goes on")


def test_a_reading_that_begins_anew_shows_each_line_once(serve, visit):
    step = threading.Semaphore(0)
    page = visit(serve(FakeDoor(step=step, anew=2)))
    show(page)
    expect(page.locator(".overlay polygon")).to_have_count(2)
    expect(page.locator(".count")).to_have_text("已读 2 / 4 行")
    step.release()
    expect(page.locator(".count")).to_have_text("已读 0 / 3 行")
    expect(page.locator(".overlay polygon")).to_have_count(0)
    expect(page.locator(".photo .lines li")).to_have_count(0)
    step.release()
    expect(page.locator(".overlay polygon")).to_have_count(1)
    expect(page.locator(".count")).to_have_text("已读 1 / 3 行")
    step.release()
    step.release()
    expect(page.locator(".count")).to_have_text("识别到 3 行文字")
    expect(page.locator(".overlay polygon")).to_have_count(3)


def test_a_plain_answer_is_as_good(serve, visit):
    page = visit(serve())

    def plain(route):
        route.continue_(headers={**route.request.headers, "accept": "application/json"})

    page.route("**/v1/turns*", plain)
    show(page)
    expect(page.locator(".overlay polygon")).to_have_count(3)
    expect(page.locator(".count")).to_have_text("识别到 3 行文字")
    expect(page.locator(".kiosk .meta")).to_be_visible()


def test_an_error_in_the_middle_leaves_the_photo_for_another_try(serve, visit):
    server = serve(FakeDoor(late=DeadlineExceeded("reading: expected 1 s, got more")))
    page = visit(server)
    show(page)
    expect(page.locator(".error")).to_be_visible()
    expect(page.locator(".photo")).to_have_count(1)
    expect(page.locator(".photo .stop")).to_be_hidden()
    server.door.late = None
    page.get_by_role("button", name="再试一次").click()
    expect(page.locator(".overlay polygon")).to_have_count(3)
    expect(page.locator(".error")).to_have_count(0)
    expect(page.locator(".photo")).to_have_count(1)


def test_a_photo_that_nobody_can_read_is_taken_away(serve, visit):
    page = visit(serve(FakeDoor(late=InvalidInput("image: expected one, got noise"))))
    show(page)
    expect(page.locator(".error")).to_contain_text("这张图片打不开")
    expect(page.locator(".photo")).to_have_count(0)
    expect(page.locator(".error button")).to_have_text("再拍一次")


def test_lines_that_were_not_read_in_time_are_counted(serve, visit):
    page = visit(serve(FakeDoor(unread=1)))
    show(page)
    expect(page.locator(".count")).to_have_text("已读 2 / 3 行")
    expect(page.locator(".overlay polygon")).to_have_count(2)


def test_starting_over_while_it_reads(serve, visit):
    step = threading.Semaphore(0)
    server = serve(FakeDoor(step=step))
    page = visit(server)
    show(page)
    step.release()
    expect(page.locator(".overlay polygon")).to_have_count(1)
    page.click("#restart")
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#send")).to_be_enabled()
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    expect(page.locator(".photo")).to_have_count(0)
    assert "王芳" not in page.content()


def test_words_on_their_way_when_the_customer_leaves_are_forgotten(serve, visit):
    hold = threading.Event()
    server = serve(FakeDoor(hold=hold))
    page = visit(server)
    ask(page, "我的电话是13812345678")
    expect(page.locator(".waiting")).to_be_visible()
    page.click("#restart")
    expect(page.locator("#send")).to_be_enabled()
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        hold.set()
    assert server.door.sessions == set()
    assert "13812345678" not in page.content()


@pytest.mark.parametrize("how", ["close", "reload", "leave"])
def test_a_page_that_goes_takes_its_session_with_it(serve, visit, how):
    server = serve()
    page = visit(server)
    ask(page, "我的电话是13812345678")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert len(server.door.sessions) == 1
    if how == "close":
        page.close()
    elif how == "reload":
        page.reload()
    else:
        page.goto(server.url + "/docs")
        page.go_back()
    for _ in range(100):
        if not server.door.sessions:
            break
        threading.Event().wait(0.05)
    assert server.door.sessions == set()
    if how != "close":
        expect(page.locator("#welcome")).to_be_visible()
        assert "13812345678" not in page.content()
        assert page.input_value("#text") == ""


def test_nothing_that_was_typed_comes_back(serve, visit):
    page = visit(serve())
    page.focus("#text")
    page.keyboard.type("13812345678")
    page.click("#restart")
    page.focus("#text")
    for keys in ("Control+z", "Control+Shift+z", "Control+y"):
        page.keyboard.press(keys)
        assert page.input_value("#text") == ""
    page.keyboard.type("ok")
    assert page.input_value("#text") == "ok"


def test_the_clipboard_leaves_with_its_customer(serve, visit):
    page = visit(serve())
    show(page)
    page.locator(".photo summary").click()
    page.locator(".photo .lines button").nth(1).click()
    page.get_by_role("button", name="复制").click()
    expect(page.locator("#toast")).to_contain_text("已复制")
    page.click("#restart")
    until(page, "navigator.clipboard.readText().then((text) => text === '')")


def test_large_text_lasts_one_visit(serve, visit):
    page = visit(serve())
    size = "parseFloat(getComputedStyle(document.querySelector('#text')).fontSize)"
    before = page.evaluate(size)
    page.click("#large")
    expect(page.locator("#large")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(size) == pytest.approx(1.3 * before)
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_in_viewport()
    page.click("#restart")
    expect(page.locator("#large")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(size) == before
