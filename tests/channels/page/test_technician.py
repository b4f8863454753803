"""The service page in a real Chromium: behind a corner and a PIN, with nothing of a customer on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fake_door import FakeDoor
from playwright.sync_api import Page, expect
from visitor import ask, pass_by, picture, until

from appliance.channels.http.page import PAGE
from appliance.channels.http.reply import reply_json
from appliance.channels.http.technician import HEADER
from appliance.channels.technician.pin import hashed
from appliance.channels.voice.conversation import Conversation
from appliance.values import Feature, Turn
from tests.device.fake_printer import OKAY, FakePrinter

pytestmark = pytest.mark.browser

PIN = "493817"
KEPT = hashed(PIN)
MODULES = "/assets/technician/"
PANELS = (
    *("machine", "models", "power", "microphone", "speaker", "camera"),
    *("touch", "scanner", "printer", "screen", "results"),
)
SMALL = """() => [...document.querySelectorAll('dialog[open] button')]
  .filter((e) => e.checkVisibility()).map((e) => [e, e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 48 || box.height < 48)
  .map(([e, box]) => `${e.outerHTML.slice(0, 90)} ${box.width} x ${box.height}`)"""


REFUSED = {"code": "unavailable", "message": "摄像头被占用 / camera: taken", "remedy": "请关闭占用它的程序 / End it"}


class Counter(FakeDoor):
    """A door with a microphone, a board that tells of itself, and a page that waits for nobody long."""

    def __init__(self, **more: Any) -> None:
        super().__init__(asr="ready", **more)

    def greeting(self, language: str = "zh") -> dict[str, Any]:
        return {**super().greeting(language), "attract_s": 60, "idle_s": 20}

    def voice_state(self) -> dict[str, object]:
        state = {"state": "listening", "device": "counter mic", "rate": 44_100, "channels": 1, "reason": ""}
        return {"mode": "push", "microphone": {**state, "level_db": -31.0, "peak_db": -20.5, "overflows": 2}}

    def status(self) -> dict[str, object]:
        network = {"network": "understand-zh", "name": "onnxruntime-cpu", "sha256": "c0ffee123456"}
        board = {"power": {"watts": 7.25, "covers": {"zh": "整个模块", "en": "the module"}}, "celsius": {"cpu": 51.5}}
        why = "tensorrt: 没有装 / none installed\nonnxruntime-cuda: 没有 GPU / no GPU"
        return {**super().status(), "networks": [{**network, "fallback": why}], "device": board}


Open = Callable[..., Page]


@pytest.fixture
def open_page(serve: Any, visit: Any) -> Open:
    """The customers' page of a server with a PIN, as `page.server`; what it loads is in `page.loaded`."""

    def start(door: FakeDoor | None = None, pin: str = KEPT, printer: str = "", **more: Any) -> Page:
        server = serve(door or Counter(), service_pin=pin, printer=printer)
        page: Page = visit(server, **more)
        page.server, page.loaded = server, []  # type: ignore[attr-defined]
        page.on("request", lambda request: page.loaded.append(request.url))  # type: ignore[attr-defined]
        expect(page.locator(".tile").first).to_be_visible()
        return page

    return start


def hold(page: Page, x: int = 30, y: int = 30, seconds: float = 3.1) -> None:
    """Press a place; the page's own clock decides how long, where it is stopped."""
    page.mouse.move(x, y)
    page.mouse.down()
    page.clock.run_for(round(seconds * 1000))
    page.mouse.up()


def enter(page: Page, pin: str = PIN) -> None:
    """Type a PIN on the pad's keys."""
    for digit in pin:
        page.locator(".t-keys").get_by_role("button", name=digit, exact=True).click()
    page.locator(".t-go").click()


def inside(page: Page) -> str:
    """Onto the service page, by keyboard alone; gives the visit's name."""
    page.keyboard.press("Control+Alt+s")
    expect(page.locator("#pad")).to_be_visible()
    page.keyboard.type(PIN)
    with page.expect_response("**/v1/technician/visits") as response:
        page.keyboard.press("Enter")
    expect(page.locator("#technician")).to_be_visible()
    return str(response.value.json()["visit"])


def panel(page: Page, name: str) -> None:
    page.locator(f'.t-card[data-panel="{name}"]').click()
    expect(page.locator(f'.t-panel[data-panel="{name}"]')).to_be_visible()


def modules(page: Page) -> set[str]:
    return {url.partition(MODULES)[2] for url in page.loaded if MODULES in url}  # type: ignore[attr-defined]


def test_a_corner_that_is_held_asks_for_the_pin_and_nothing_is_loaded_before(open_page) -> None:
    page = open_page(stopped=True)
    hold(page, seconds=2.5)
    hold(page, x=640, y=400)
    hold(page, x=30, y=200)
    page.mouse.move(20, 20)
    page.mouse.down()
    page.mouse.move(70, 60)  # a swipe
    page.clock.run_for(3100)
    page.mouse.up()
    page.wait_for_timeout(300)
    assert page.locator("#pad").count() == 0
    assert not [url for url in page.loaded if "technician" in url]
    hold(page)
    expect(page.locator("#pad")).to_be_visible()
    assert {"pad.js", "technician.css"} <= modules(page)
    assert "page.js" not in modules(page)
    page.keyboard.press("Escape")
    expect(page.locator("#pad")).to_have_count(0)
    ask(page, "洗衣液")  # and the customer goes on
    expect(page.locator(".kiosk .meta")).to_be_visible()


def test_a_finger_is_enough_and_two_are_too_many(open_page) -> None:
    page = open_page(stopped=True, has_touch=True, viewport={"width": 1080, "height": 1920})
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (40, 40))
    fingers("touchStart", (40, 40), (500, 900))
    page.clock.run_for(3100)
    fingers("touchEnd")
    page.wait_for_timeout(200)
    assert page.locator("#pad").count() == 0
    fingers("touchStart", (40, 40))
    fingers("touchMove", (44, 42))
    page.clock.run_for(3100)
    fingers("touchEnd")
    expect(page.locator("#pad")).to_be_visible()


def test_without_a_pin_nothing_happens(open_page) -> None:
    page = open_page(pin="", stopped=True)
    with page.expect_response("**/v1/technician") as response:
        hold(page)
    assert response.value.status == 404
    page.wait_for_timeout(300)
    assert page.locator("dialog[open]").count() == 0
    assert modules(page) == set()


def test_the_customer_is_gone_before_the_page_opens_and_a_wrong_pin_opens_nothing(open_page) -> None:
    page = open_page(stopped=True)
    ask(page, "我的电话是13812345678")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert len(page.server.door.sessions) == 1
    hold(page)
    enter(page, "271828")
    expect(page.locator(".t-said")).to_have_text("PIN 不正确")
    assert len(page.server.door.sessions) == 1
    assert "page.js" not in modules(page)
    enter(page)
    expect(page.locator("#technician")).to_be_visible()
    assert page.server.door.sessions == set()
    assert "13812345678" not in page.content()
    assert "page.js" in modules(page)
    page.locator("#technician-leave").click()
    expect(page.locator("#technician")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()
    assert page.locator(".log .entry").count() == 0


def test_several_wrong_pins_shut_the_pad_and_it_says_for_how_long(open_page) -> None:
    page = open_page()
    page.keyboard.press("Control+Alt+s")
    expect(page.locator("#pad")).to_be_visible()
    for _ in range(3):
        enter(page, "271828")
        expect(page.locator(".t-said")).not_to_have_text("")
    expect(page.locator(".t-said")).to_contain_text("秒后再试")
    expect(page.locator(".t-key").first).to_be_disabled()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(page.locator(".t-dots")).to_have_text("")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Alt+s")  # to come again is no way around
    expect(page.locator(".t-said")).to_contain_text("秒后再试")


def test_a_pad_that_nobody_touches_closes(open_page) -> None:
    page = open_page(stopped=True)
    hold(page)
    expect(page.locator("#pad")).to_be_visible()
    page.clock.run_for(31_000)
    expect(page.locator("#pad")).to_have_count(0)


def test_nobody_there_ends_it_and_it_is_the_customers_page_again(open_page) -> None:
    page = open_page(stopped=True)
    page.click("#en")
    expect(page.locator("#welcome")).to_contain_text("Hello")
    inside(page)
    expect(page.locator("#technician-title")).to_have_text("Service page")
    pass_by(page, 100)  # neither the customers' idle time nor the invitation comes over it
    expect(page.locator("#technician")).to_be_visible()
    assert page.locator("dialog[open]").count() == 1
    with page.expect_response("**/v1/technician/touch"):
        page.mouse.move(600, 5)
        page.mouse.down()
        page.mouse.up()
        page.clock.run_for(1000)
    pass_by(page, 280)
    expect(page.locator("#technician")).to_be_visible()
    with page.expect_response(lambda response: response.request.method == "DELETE") as left:
        pass_by(page, 24)
    assert left.value.status == 204
    expect(page.locator("#technician")).to_have_count(0)
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_a_page_that_is_closed_ends_the_visit(open_page) -> None:
    page = open_page()
    seen = {HEADER: inside(page)}
    assert page.server.get("/v1/technician/summary", headers=seen).status_code == 200
    page.goto(page.server.url + "/docs")
    for _ in range(100):
        if page.server.get("/v1/technician/summary", headers=seen).status_code == 403:
            break
        page.wait_for_timeout(50)
    assert page.server.get("/v1/technician/summary", headers=seen).json()["code"] == "visit_over"


def test_a_visit_that_is_over_at_the_appliance_is_over_here(open_page) -> None:
    page = open_page()
    inside(page)
    page.server.post("/v1/technician/visits", json={"pin": PIN})  # somebody else has come in
    page.locator('.t-card[data-panel="machine"]').click()
    expect(page.locator("#technician")).to_have_count(0)
    expect(page.locator("#welcome")).to_be_visible()


def test_models_power_and_the_machine_are_shown_with_reasons(open_page) -> None:
    page = open_page()
    inside(page)
    panel(page, "models")
    body = page.locator(".t-panel")
    expect(body).to_contain_text("pp-ocrv6-small@123456")
    expect(body).to_contain_text("no CUDA device found")
    expect(body).to_contain_text("sha256 c0ffee123456")
    expect(body.locator("dd p")).to_have_text(["tensorrt: 没有装", "onnxruntime-cuda: 没有 GPU"])
    page.keyboard.press("Escape")
    expect(page.locator('.t-card[data-panel="models"]')).to_be_focused()
    panel(page, "power")
    expect(body).to_contain_text("7.25")
    expect(body).to_contain_text("整个模块")
    expect(body).to_contain_text("温度 °C · cpu")
    expect(body).to_contain_text("51.5")
    expect(body).to_contain_text("不可用：本机没有报告这一项")  # no governor in this status
    page.locator(".switch button[lang=en]").last.click()
    expect(body).to_contain_text("the module")
    expect(body).to_contain_text("Not available")
    page.keyboard.press("Escape")
    panel(page, "machine")
    expect(body).to_contain_text("MB free")
    page.keyboard.press("Escape")
    panel(page, "printer")
    expect(body).to_contain_text("no printer is configured")
    expect(body.get_by_role("button", name="Print a test slip")).to_be_disabled()


def test_the_printer_says_how_it_is_and_prints_a_slip(open_page) -> None:
    fake = FakePrinter(OKAY | {4: 0x1E})
    try:
        page = open_page(printer=fake.path)
        inside(page)
        panel(page, "printer")
        body = page.locator(".t-body")
        expect(body).to_contain_text("纸快用完")
        expect(page.locator('.t-verdict[data-verdict="pass"]')).to_have_attribute("aria-pressed", "true")
        fake.status = OKAY | {4: 0x72, 1: 0x1A}
        body.get_by_role("button", name="打印测试页").click()
        expect(body).to_contain_text("没有纸")
        expect(page.locator('.t-verdict[data-verdict="fail"]')).to_have_attribute("aria-pressed", "true")
        assert fake.printed == b""
        fake.status = OKAY
        body.get_by_role("button", name="打印测试页").click()
        expect(body).to_contain_text("请看纸上文字")
        expect(page.locator('.t-verdict[data-verdict="pass"]')).to_have_attribute("aria-pressed", "true")
        assert "打印测试".encode("gb18030") in fake.printed
    finally:
        fake.close()


def test_both_microphones_show_their_level(open_page) -> None:
    page = open_page()
    inside(page)
    panel(page, "microphone")
    own, browsers = page.locator(".t-section").nth(0), page.locator(".t-section").nth(1)
    expect(own).to_contain_text("音量 -31.0 dB · 峰值 -20.5 dB")
    expect(own).to_contain_text("counter mic")
    expect(own).to_contain_text("44100 Hz × 1")
    expect(own).to_contain_text("2 处中断")
    expect(page.locator('.t-verdict[data-verdict="pass"]')).to_have_attribute("aria-pressed", "true")
    page.locator('.t-verdict[data-verdict="fail"]').click()
    page.wait_for_timeout(600)  # what is measured meanwhile does not overrule the technician
    expect(page.locator('.t-verdict[data-verdict="fail"]')).to_have_attribute("aria-pressed", "true")
    page.locator("#browser-microphone").click()
    expect(browsers.locator(".t-level-text")).to_contain_text("dB")
    until(page, "parseFloat(document.querySelectorAll('.t-level-text')[1].textContent.split('最高 ')[1]) > -40")
    assert page.server.events.open >= 1
    page.locator(".t-back").click()
    expect(page.locator('.t-card[data-panel="microphone"]')).to_contain_text("不通过")


def test_a_level_that_comes_no_more_does_not_stand_there(open_page) -> None:
    door = Counter()
    page = open_page(door)
    inside(page)
    panel(page, "microphone")
    own = page.locator(".t-section").first
    expect(own).to_contain_text("音量 -31.0 dB")
    door.voice_state = lambda: {"mode": "off"}  # type: ignore[method-assign]
    expect(own).to_contain_text("顾客使用浏览器的麦克风")
    expect(own).not_to_contain_text("-31.0 dB")
    del door.voice_state  # type: ignore[attr-defined]
    expect(own).to_contain_text("音量 -31.0 dB")  # plugged in again
    page.server.post("/v1/technician/visits", json={"pin": PIN})  # somebody else has come in
    expect(page.locator("#technician")).to_have_count(0)


def test_a_kiosk_without_a_microphone_of_its_own_says_whose_is_used(open_page) -> None:
    page = open_page(FakeDoor())
    inside(page)
    panel(page, "microphone")
    expect(page.locator(".t-section").first).to_contain_text("顾客使用浏览器的麦克风")


def test_loudspeaker_and_camera(open_page) -> None:
    page = open_page()
    inside(page)
    panel(page, "speaker")
    page.locator('[data-sound="left"]').click()
    expect(page.locator(".t-section").first).to_contain_text("fake box")
    page.locator('[data-sound="voice"]').click()
    expect(page.locator(".t-section").first).to_contain_text("48000 Hz × 2")
    expect(page.locator('[data-sound="voice"]')).to_be_enabled()
    assert page.server.door.sounds == [("left", "zh"), ("voice", "zh")]
    page.locator('[data-tone="right"]').click()
    page.keyboard.press("Escape")
    panel(page, "camera")
    page.locator("#browser-camera").click()
    until(page, "document.querySelector('.t-video')?.videoWidth > 0")
    expect(page.locator(".t-panel")).to_contain_text("帧/秒")
    page.evaluate("window.track = document.querySelector('.t-video').srcObject.getTracks()[0]")
    page.keyboard.press("Escape")  # goes back, though the button that had the focus is gone
    expect(page.locator('.t-card[data-panel="camera"]')).to_be_focused()
    assert page.evaluate("window.track.readyState") == "ended"


def test_the_appliances_own_camera_shows_its_picture_where_there_is_one(open_page) -> None:
    """The routes are made up here: a camera of its own is a device that this machine does not have."""
    page = open_page()
    state = {"state": "watching", "device": "fake camera", "width": 1920}
    page.route("**/v1/camera", lambda route: route.fulfill(json=state))
    part = b"--picture\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % len(picture()) + picture() + b"\r\n"
    kind = "multipart/x-mixed-replace; boundary=picture"
    page.route("**/v1/camera/view", lambda route: route.fulfill(body=3 * part, content_type=kind))
    inside(page)
    panel(page, "camera")
    expect(page.locator(".t-panel")).to_contain_text("fake camera")
    until(page, "document.querySelector('img.t-video')?.naturalWidth === 600")
    page.keyboard.press("Escape")
    panel(page, "results")
    expect(page.locator(".t-table tr").filter(has_text="摄像头")).to_contain_text("fake camera")
    page.keyboard.press("Escape")
    page.unroute("**/v1/camera/view")
    page.route("**/v1/camera/view", lambda route: route.fulfill(status=503, json=REFUSED))
    panel(page, "camera")
    expect(page.locator(".t-section").nth(1)).to_contain_text("摄像头被占用")
    expect(page.locator(".t-section").nth(1)).to_contain_text("fake camera")
    page.keyboard.press("Escape")
    page.unroute("**/v1/camera")
    panel(page, "camera")
    expect(page.locator(".t-section").nth(1)).to_contain_text("不可用：本机没有报告这一项")


def test_a_dead_cell_is_shown_and_fingers_are_counted(open_page) -> None:
    page = open_page(has_touch=True, viewport={"width": 800, "height": 480})
    inside(page)
    panel(page, "touch")
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def go_over(left_out: tuple[int, int] | None) -> None:
        for line in range(6):
            for column in range(10):
                if (line, column) != left_out:
                    fingers("touchStart", (column * 80 + 40, line * 80 + 40))
                    fingers("touchEnd")

    page.locator("#touch-start").click()
    expect(page.locator("#touch-grid")).to_be_visible()
    fingers("touchStart", (40, 40))
    fingers("touchStart", (40, 40), (120, 40))
    fingers("touchStart", (40, 40), (120, 40), (200, 40))
    fingers("touchEnd")
    go_over((1, 6))
    expect(page.locator(".t-grid-count")).to_have_text("59 / 60")
    page.keyboard.press("Escape")
    expect(page.locator("#touch-grid")).to_have_count(0)
    body = page.locator(".t-panel")
    expect(body).to_contain_text("2 行 7 列")
    expect(body).to_contain_text("59 / 60")
    expect(body.locator("dd").nth(1)).to_have_text("3")
    expect(body.locator("dd").nth(2)).to_have_text("touch")
    assert page.locator(".t-map i:not(.is-felt)").count() == 1
    expect(page.locator('.t-verdict[data-verdict="fail"]')).to_have_attribute("aria-pressed", "true")
    page.locator("#touch-start").click()
    go_over(None)  # it ends by itself
    expect(page.locator("#touch-grid")).to_have_count(0)
    expect(body).to_contain_text("60 / 60")
    expect(page.locator('.t-verdict[data-verdict="pass"]')).to_have_attribute("aria-pressed", "true")


def test_a_touch_test_on_a_dead_screen_ends_by_itself(open_page) -> None:
    page = open_page(stopped=True)
    inside(page)
    panel(page, "touch")
    page.locator("#touch-start").click()
    expect(page.locator("#touch-grid")).to_be_visible()
    page.clock.run_for(21_000)
    expect(page.locator("#touch-grid")).to_have_count(0)
    expect(page.locator(".t-panel")).to_contain_text("0 / 160")


def test_a_touch_test_on_a_screen_that_touches_itself_ends_by_itself(open_page) -> None:
    page = open_page(stopped=True)
    inside(page)
    panel(page, "touch")
    page.locator("#touch-start").click()
    expect(page.locator("#touch-grid")).to_be_visible()
    for _ in range(16):  # always the same place
        page.mouse.move(300, 300)
        page.mouse.down()
        page.mouse.up()
        page.clock.run_for(2_000)
    expect(page.locator("#touch-grid")).to_have_count(0)
    expect(page.locator(".t-panel")).to_contain_text("1 / 160")


def test_a_scan_is_shown_with_its_timing_and_asks_nothing(open_page) -> None:
    page = open_page(stopped=True)
    inside(page)
    panel(page, "scanner")
    for key in "SF1392847561002":
        page.keyboard.type(key)
        page.clock.run_for(8)
    page.keyboard.press("Enter")
    body = page.locator(".t-panel")
    expect(body).to_contain_text("SF1392847561002")
    expect(body).to_contain_text("中位 8.0 ms")
    expect(body).to_contain_text("Enter")
    expect(page.locator('.t-verdict[data-verdict="pass"]')).to_have_attribute("aria-pressed", "true")
    expect(body).to_be_visible()  # its Enter has pressed nothing
    for key in "ab12345":
        page.keyboard.type(key)
        page.clock.run_for(150)
    page.clock.run_for(600)
    expect(body).to_contain_text("不会：至少要 6 个字符")
    page.locator(".t-back").click()
    assert "SF1392847561002" not in page.content()
    assert page.server.door.turns == []


def test_colours_and_the_report(open_page, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    page = open_page()
    inside(page)
    panel(page, "screen")
    page.locator("#screen-start").click()
    colours = page.locator("#screen-colours")
    seen = []
    for step in range(7):
        seen.append(colours.evaluate("e => getComputedStyle(e).backgroundColor"))
        if step % 2:
            page.keyboard.press("ArrowRight")
        else:
            colours.click()
    expect(colours).to_have_count(0)
    assert len(set(seen[:6])) == 6
    page.locator('.t-verdict[data-verdict="pass"]').click()
    page.keyboard.press("Escape")
    panel(page, "results")
    row = page.locator(".t-table tr").filter(has_text="屏幕")
    expect(row).to_contain_text("通过")
    page.locator("#report").click()
    expect(page.locator(".t-panel")).to_contain_text("已写入日志")
    assert "touch not run, scanner not run, printer not run, screen pass" in caplog.text


@pytest.mark.parametrize("width, height, language", [(1080, 1920, "zh"), (800, 480, "zh"), (800, 480, "en")])
def test_axe_finds_nothing_and_everything_fits(open_page, width: int, height: int, language: str) -> None:
    page = open_page(viewport={"width": width, "height": height}, has_touch=True, reduced_motion="reduce")
    if language == "en":
        page.click("#en")
    wrong: dict[str, Any] = {}

    def look(state: str) -> None:
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
        found = Axe().run(page, options={**rules, "resultTypes": ["violations"]}).response
        assert len(found["passes"]) > 5
        said = [
            f"{r['id']}: {n['html'][:120]} {n['failureSummary'][:200]}" for r in found["violations"] for n in r["nodes"]
        ]
        said += page.evaluate(SMALL)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            said.append("too wide")
        if said:
            wrong[state] = said

    page.keyboard.press("Control+Alt+s")
    expect(page.locator("#pad")).to_be_visible()
    page.keyboard.type(PIN[:4])
    look("pad")
    page.keyboard.type(PIN[4:])
    page.keyboard.press("Enter")
    expect(page.locator("#technician")).to_be_visible()
    look("home")
    for name in PANELS:
        panel(page, name)
        page.wait_for_timeout(150)
        look(name)
        page.keyboard.press("Escape")
    assert wrong == {}


def until_gone(page: Page, door: FakeDoor) -> None:
    """Wait until the appliance has forgotten every session."""
    for _ in range(100):
        if not door.sessions:
            break
        page.wait_for_timeout(50)
    assert door.sessions == set()


def test_what_is_heard_meanwhile_is_shown_to_nobody_and_forgotten(open_page) -> None:
    door = Counter()
    features = door.features
    door.features = lambda: (*features(), Feature("microphone", "ready", "portaudio", ""))  # type: ignore[method-assign]
    talk = Conversation(None, None, door.heard, reply_json)  # type: ignore[arg-type]  # it is told from here
    door.conversation = talk
    page = open_page(door)
    inside(page)
    for _ in range(100):
        if talk.feed.listeners:
            break
        page.wait_for_timeout(50)
    talk.feed.tell("reply", **reply_json(door.turn(Turn("我的电话是13812345678", "audio"))))
    talk.feed.tell("error", code="internal", message="出错 / failed", remedy="")
    assert door.opened == 1
    until_gone(page, door)
    expect(page.locator("#technician")).to_be_visible()
    assert "13812345678" not in page.content()
    assert page.locator(".log .entry").count() == 0
    # What is still being said or answered when the technician leaves is no customer's either.
    talk.feed.tell("state", phase="listening", woken=True, barge_in=False)
    talk.feed.tell("partial", text="我的电话是13912345678", at=0.5)
    expect(page.locator("#voice-words")).to_have_text("我的电话是13912345678")
    talk.feed.tell("state", phase="thinking", woken=True, barge_in=False)
    with page.expect_response("**/v1/voice/cancel"):
        page.locator("#technician-leave").click()
    expect(page.locator("#technician")).to_have_count(0)
    expect(page.locator("#voice-words")).to_have_text("")
    talk.feed.tell("reply", **reply_json(door.turn(Turn("我的电话是13912345678", "audio"))))
    assert door.opened == 2
    until_gone(page, door)
    assert "13912345678" not in page.content()
    assert page.locator(".log .entry").count() == 0


def test_both_languages_have_the_same_words(open_page) -> None:
    page = open_page()
    difference = page.evaluate(
        """async () => {
          const { STRINGS } = await import('/assets/technician/strings.js');
          const keys = (o, p = '') => Object.entries(o)
            .flatMap(([k, v]) => (typeof v === 'object' && !Array.isArray(v) ? keys(v, p + k + '.') : [p + k]));
          const [zh, en] = [keys(STRINGS.zh), keys(STRINGS.en)];
          return [zh.filter((k) => !en.includes(k)), en.filter((k) => !zh.includes(k)), zh.length > 80];
        }"""
    )
    assert difference == [[], [], True]


def test_its_files_name_no_outside_address_and_write_no_markup() -> None:
    files = [path for path in (PAGE / "technician").iterdir() if path.is_file()]
    assert len(files) > 10
    for path in files:
        text = path.read_text("utf-8")
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert "innerHTML" not in text, path
