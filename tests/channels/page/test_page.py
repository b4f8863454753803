"""The page in a real Chromium, as a stranger at a counter uses it."""

from __future__ import annotations

import re
import threading

import pytest
from fake_door import FakeDoor
from playwright.sync_api import expect
from visitor import ask, pass_by, picture, until

from appliance.channels.http.page import PAGE
from appliance.errors import ERRORS, Overloaded

pytestmark = pytest.mark.browser


def test_welcome_and_a_tapped_question(serve, visit):
    server = serve()
    page = visit(server)
    expect(page.locator("#welcome")).to_have_text("您好!想找什么、问什么,都可以告诉我。")
    page.get_by_role("button", name="退货换货").click()
    expect(page.locator(".kiosk .bubble")).to_have_text("洗衣液在 B3 货架,靠近收银台。")
    turn = server.door.turns[-1]
    assert (turn.text, turn.source, turn.intent.name) == ("我要退货", "tap", "return_exchange")
    expect(page.locator("#hero")).to_be_hidden()
    with page.expect_response("**/v1/turns"):
        page.get_by_role("button", name="还有货吗?").click()
    expect(page.locator(".kiosk .bubble")).to_have_count(2)
    assert server.door.turns[-1].intent.name == "check_stock"
    assert len(server.door.sessions) == 1


def test_typed_question_is_shown_as_text_and_never_as_markup(serve, visit):
    server = serve()
    page = visit(server)
    nasty = "<img src=x onerror=alert(1)><b>洗衣液</b>"
    ask(page, nasty)
    expect(page.locator(".customer .bubble")).to_have_text(nasty)
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert page.locator(".log img, .log b").count() == 0
    assert server.door.turns[-1].text == nasty
    assert server.door.turns[-1].source == "text"


def test_photo_from_a_file_shows_its_lines_over_it(serve, visit):
    server = serve()
    page = visit(server)
    page.click("#photo")
    expect(page.locator("#camera-notice")).to_contain_text("照片只在本机识别")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    lines = page.locator(".photo .overlay polygon")
    expect(lines).to_have_count(3)
    assert server.door.images == [picture()]
    page.locator(".photo .stage img").element_handle().wait_for_element_state("stable")  # it has risen into its place
    photo = page.locator(".photo .stage img").bounding_box()
    line = lines.nth(1).bounding_box()
    scale = photo["width"] / 600
    assert photo["height"] == pytest.approx(300 * scale, abs=2)
    assert line["x"] == pytest.approx(photo["x"] + 39 * scale, abs=4)
    assert line["y"] == pytest.approx(photo["y"] + 120 * scale, abs=4)
    assert line["width"] == pytest.approx(521 * scale, abs=8)
    lines.nth(2).click()
    expect(page.locator(".photo .chosen-text")).to_have_text("收件人 <b>王芳</b>")
    page.mouse.click(line["x"] + 40, line["y"] - 12)  # a finger beside the line means the line
    expect(page.locator(".photo .chosen")).to_contain_text("97%")
    page.get_by_role("button", name="复制").click()
    assert page.evaluate("navigator.clipboard.readText()") == "运单号 SF1392847561002"
    page.locator(".photo .enlarge").click()
    expect(page.locator("#zoom .lines button")).to_have_count(3)
    page.locator("#zoom .lines button").nth(1).click()
    page.locator("#zoom").get_by_role("button", name="用这行提问").click()
    expect(page.locator("#zoom")).to_be_hidden()
    expect(page.locator("#text")).to_have_value("运单号 SF1392847561002")


def test_photo_from_the_camera(serve, visit):
    server = serve()
    page = visit(server)
    page.click("#show")
    assert server.door.images == []
    page.click("#camera-open")
    until(page, "document.getElementById('video').videoWidth > 0")
    page.click("#camera-take")
    expect(page.locator(".photo .overlay polygon")).to_have_count(3)
    assert server.door.images[0].startswith(b"\xff\xd8\xff")
    assert page.evaluate("document.getElementById('video').srcObject") is None


def test_large_photo_is_made_smaller_before_it_is_sent(serve, visit):
    server = serve()
    page = visit(server)
    size = page.evaluate(
        """async () => {
          const { fitting } = await import('/assets/photo.js');
          const canvas = new OffscreenCanvas(2400, 2400);
          const context = canvas.getContext('2d');
          const pixels = context.createImageData(2400, 2400);
          for (let i = 0; i < pixels.data.length; i += 65536) {
            crypto.getRandomValues(pixels.data.subarray(i, i + 65536));
          }
          for (let i = 3; i < pixels.data.length; i += 4) pixels.data[i] = 255;
          context.putImageData(pixels, 0, 0);
          const large = await canvas.convertToBlob({ type: 'image/png' });
          const small = await fitting(large);
          return [large.size, small.size, small.type];
        }"""
    )
    assert size[0] > 12 * 1024 * 1024 > size[1]
    assert size[2] == "image/jpeg"


def test_english(serve, visit):
    server = serve()
    page = visit(server)
    page.click("#en")
    expect(page.locator("#welcome")).to_have_text("Hello! Ask me anything about this store.")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#text")).to_have_attribute("placeholder", "Type your question")
    ask(page, "laundry liquid")
    expect(page.locator(".kiosk .bubble")).to_have_text("Laundry liquid is on shelf B3.")
    assert server.door.turns[-1].language == "en"
    chinese = re.compile("[\u4e00-\u9fff]")
    assert not chinese.search(page.locator(".dock").inner_text())
    page.click("#zh")
    expect(page.locator("#title")).to_have_text("门店助手")


def test_both_languages_have_the_same_words(serve, visit):
    page = visit(serve())
    difference = page.evaluate(
        """async () => {
          const { STRINGS } = await import('/assets/strings.js');
          const keys = (o, p = '') => Object.entries(o)
            .flatMap(([k, v]) => (typeof v === 'object' ? keys(v, p + k + '.') : [p + k]));
          const missing = (some, all) => some.filter((k) => !all.includes(k));
          const [zh, en] = [keys(STRINGS.zh), keys(STRINGS.en)];
          const used = [...document.querySelectorAll('[data-t],[data-t-label],[data-t-placeholder]')]
            .flatMap((e) => [e.dataset.t, e.dataset.tLabel, e.dataset.tPlaceholder].filter(Boolean));
          return [missing(zh, en), missing(en, zh), missing(used, zh)];
        }"""
    )
    assert difference == [[], [], []]


def test_state_follows_the_appliance(serve, visit):
    server = serve()
    page = visit(server)
    state = page.locator("#state-text")
    expect(state).to_have_text("服务中")
    server.door.ocr_state = "fallback"
    expect(state).to_have_text("部分功能受限")
    page.click("#state")
    expect(page.locator("#features li").first).to_contain_text("备用方式")
    expect(page.locator("#features li").first).to_contain_text("no CUDA device found")
    page.keyboard.press("Escape")
    expect(page.locator("#health")).to_be_hidden()
    server.door.is_ready = False
    expect(state).to_have_text("正在准备")
    server.door.is_ready, server.door.ocr_state = True, "ready"
    expect(state).to_have_text("服务中")


def test_error_card_says_what_to_do_and_tries_again(serve, visit):
    server = serve(FakeDoor(error=Overloaded("all places taken", retry_after=2)))
    page = visit(server)
    ask(page, "洗衣液")
    card = page.locator(".error")
    expect(card).to_contain_text("现在人多")
    expect(card).to_contain_text("请稍等一下再试")
    expect(card.locator(".code")).to_have_text("overloaded")
    expect(card).not_to_contain_text("all places taken")
    expect(card).to_have_attribute("role", "alert")
    server.door.error = None
    card.get_by_role("button", name="再试一次").click()
    expect(page.locator(".kiosk .bubble")).to_have_text("洗衣液在 B3 货架,靠近收银台。")
    expect(page.locator(".error")).to_have_count(0)
    expect(page.locator(".customer")).to_have_count(1)


def test_a_refused_photo_is_taken_again_and_not_sent_again(serve, visit):
    page = visit(serve())
    page.click("#photo")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"not a picture"})
    expect(page.locator(".error")).to_contain_text("这张图片打不开")
    expect(page.locator(".error")).not_to_contain_text("JPEG")
    page.locator(".error").get_by_role("button").click()
    expect(page.locator("#camera-notice")).to_be_visible()


@pytest.mark.parametrize("language, han", [("zh", True), ("en", False)])
def test_every_refusal_has_a_customers_words(serve, visit, language, han):
    page = visit(serve())
    codes = sorted(
        code for code, error in ERRORS.items() if error.status in (400, 401, 408, 413, 415, 422, 429, 500, 503)
    )
    said = page.evaluate(
        """async ([language, codes]) => {
          const { STRINGS, explained } = await import('/assets/strings.js');
          const kinds = ['photo', 'speech', 'words'];
          return codes.flatMap((code) => kinds.map((asked) => explained(STRINGS[language], code, asked)));
        }""",
        [language, codes],
    )
    assert len(said) == 3 * len(codes)
    for title, remedy in said:
        assert title
        assert remedy
        assert bool(re.search("[一-鿿]", title + remedy)) is han
        assert not re.search("JSON|WAV|appliance|Retry|请求|格式", title + remedy)


def test_a_photo_without_text_says_so_once(serve, visit):
    page = visit(serve(FakeDoor(lines=())))
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".kiosk .again")).to_have_text("再拍一次")
    expect(page.locator(".photo img")).to_be_visible()
    expect(page.locator(".photo-side")).to_be_hidden()
    page.locator(".again").click()
    expect(page.locator("#camera-notice")).to_be_visible()


def test_the_state_is_told_in_plain_words_with_the_rest_behind_them(serve, visit):
    page = visit(serve())
    page.click("#state")
    off = page.locator("#features li").nth(1)
    expect(off.locator(".plain")).to_have_text("这个功能没有开启，其他功能照常可用。")
    assert "appliance models pull" not in page.locator("#features").inner_text()
    assert "@123456" not in page.locator("#features").inner_text()
    off.locator("summary").click()
    expect(off.get_by_text("appliance models pull")).to_be_visible()


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("size", [(1080, 1920), (1280, 800)])
def test_a_word_in_passing_covers_nothing(serve, visit, size, language, large):
    page = visit(serve(), viewport={"width": size[0], "height": size[1]})
    page.click(f"#{language}")
    if large:
        page.click("#large")
    strings = "([language, key]) => import('/assets/strings.js').then(({ STRINGS }) => STRINGS[language][key])"
    for key in ("cleared", "scanBusy", "stopped", "tokenWrong"):
        text = page.evaluate(strings, [language, key])
        page.evaluate("text => import('/assets/dom.js').then(({ toast }) => toast(text))", text)
        expect(page.locator("#toast")).to_have_text(text)
        covered = page.evaluate(
            """() => {
              const toast = document.getElementById('toast').getBoundingClientRect();
              const inside = toast.left >= 0 && toast.top >= 0 && toast.right <= innerWidth;
              return [...document.querySelectorAll('button, input, .welcome, .hero .hint')]
                .filter((e) => e.checkVisibility()).filter((e) => {
                  const box = e.getBoundingClientRect();
                  return !inside || (box.left < toast.right && toast.left < box.right
                    && box.top < toast.bottom && toast.top < box.bottom);
                }).map((e) => e.id || e.textContent);
            }"""
        )
        assert covered == []


def test_going_back_and_reloading_bring_nothing_of_a_visit_back(serve, visit):
    page = visit(serve())
    ask(page, "我的手机号 13800138000")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.fill("#text", "还没发出去的话")
    page.goto("about:blank")
    page.go_back()
    expect(page.locator(".tile").first).to_be_visible()
    assert page.input_value("#text") == ""
    assert "13800138000" not in page.content()
    ask(page, "我的手机号 13900139000")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.fill("#text", "还没发出去的话")
    page.reload()
    expect(page.locator(".tile").first).to_be_visible()
    assert page.input_value("#text") == ""
    assert "13900139000" not in page.content()


def test_appliance_out_of_reach(serve, visit):
    server = serve()
    page = visit(server)
    expect(page.locator("#state-text")).to_have_text("服务中")
    page.context.set_offline(True)
    ask(page, "洗衣液")
    expect(page.locator(".error")).to_contain_text("连接不上设备")
    page.context.set_offline(False)
    page.get_by_role("button", name="再试一次").click()
    expect(page.locator(".kiosk .bubble")).to_have_text("洗衣液在 B3 货架,靠近收银台。")


def test_start_over_leaves_nothing_behind(serve, visit):
    server = serve()
    page = visit(server)
    ask(page, "我的电话是13812345678")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    page.click("#photo")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".photo")).to_be_visible()
    url = page.locator(".photo .stage img").get_attribute("src")
    page.fill("#text", "还没发出的话")
    load = """(url) => new Promise((tell) => {
      const image = new Image();
      [image.onload, image.onerror] = [() => tell(true), () => tell(false)];
      image.src = url;
    })"""
    assert page.evaluate(load, url) is True
    page.click("#restart")
    expect(page.locator("#welcome")).to_be_visible()
    expect(page.locator("#log")).to_be_hidden()
    assert "13812345678" not in page.content()
    assert page.input_value("#text") == ""
    assert "SF1392847561002" not in page.content()
    assert page.evaluate(load, url) is False
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    page.wait_for_timeout(100)
    assert server.door.sessions == set()


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


def test_token_is_asked_for_and_kept_in_memory(serve, visit):
    token = "a-token-of-enough-length"
    server = serve(FakeDoor(), http_token=token)
    page = visit(server)
    expect(page.locator("#token")).to_be_visible()
    page.fill("#token-text", "wrong")
    page.press("#token-text", "Enter")
    expect(page.locator("#toast")).to_contain_text("令牌不正确")
    page.fill("#token-text", token)
    page.press("#token-text", "Enter")
    expect(page.locator("#state-text")).to_have_text("服务中")
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


def test_token_in_the_fragment_is_used_and_taken_out_of_the_address(serve, visit):
    token = "a-token-of-enough-length"
    server = serve(FakeDoor(), http_token=token)
    page = visit(server, f"/#token={token}")
    expect(page.locator("#state-text")).to_have_text("服务中")
    assert token not in page.url


@pytest.mark.parametrize("width, height", [(1280, 800), (1080, 1920), (390, 844)])
def test_targets_are_large_and_nothing_overflows(serve, visit, width, height):
    page = visit(serve(), viewport={"width": width, "height": height})
    ask(page, "洗衣液")
    expect(page.locator(".chip")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box["height"] >= 55.5, button.inner_text()
        assert box["width"] >= 55.5, button.inner_text()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_contrast(serve, visit):
    """Every visible text has the contrast that WCAG AA asks for, against the colour that is painted behind it."""
    page = visit(serve())
    measure = """() => {
      const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const parse = (c) => (c.match(/[\\d.]+/g) ?? []).map(Number);
      const behind = (e) => {
        for (; e; e = e.parentElement) {
          const style = getComputedStyle(e);
          if (style.backgroundImage.startsWith('linear')) return [14, 111, 102];
          const c = parse(style.backgroundColor);
          if (c.length === 3 || c[3] === 1) return c;
        }
        return [255, 255, 255];
      };
      const bad = [];
      for (const e of document.querySelectorAll('body *')) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        if (!own || !e.checkVisibility()) continue;
        const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) bad.push([e.textContent.trim(), ratio]);
      }
      return bad;
    }"""
    expect(page.locator(".tile")).to_have_count(4)
    assert page.evaluate(measure) == []
    ask(page, "洗衣液")
    expect(page.locator(".kiosk .meta")).to_be_visible()
    assert page.evaluate(measure) == []
    page.click("#state")
    expect(page.locator("#features li")).to_have_count(3)
    assert page.evaluate(measure) == []


def test_keyboard_alone_is_enough(serve, visit):
    page = visit(serve())
    expect(page.locator(".tile").first).to_be_visible()
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"state", "zh", "en", "show", "tile", "restart", "text", "send", "photo", "speak"} <= seen
    page.focus(".tile")
    page.keyboard.press("Enter")
    expect(page.locator(".kiosk .meta")).to_be_visible()


def test_swagger_ui_draws_the_document(serve, visit):
    server = serve()
    page = visit(server, "/docs")
    operations = sum(len(methods) for methods in server.get("/openapi.json").json()["paths"].values())
    expect(page.locator(".opblock")).to_have_count(operations)


def test_page_files_name_no_outside_address():
    for path in (path for path in PAGE.iterdir() if path.is_file()):
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path
        assert "https://" not in text, path
    assert "innerHTML" not in "".join(path.read_text("utf-8") for path in PAGE.glob("*.js"))
