"""The page in a real Chromium, as a stranger at a counter uses it."""

from __future__ import annotations

import re

import pytest
from fake_door import FakeDoor
from playwright.sync_api import expect
from visitor import ask, picture

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
