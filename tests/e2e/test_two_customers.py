"""One screen, two strangers: the first talks, shows a waybill and walks away; the second must find nothing of that."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.artifacts.cases import Case
from tests.e2e.conftest import Running, copy_models, serving

pytestmark = pytest.mark.browser

SAID = (
    "你好，我叫欧阳明月，电话13912345678",
    "帮我寄快递到北京市海淀区中关村大街27号1101室，收件人赵铁柱",
    "我的邮箱是 mingyue.ouyang@example.com",
)
SAID_PRIVATE = (
    "欧阳明月",
    "13912345678",
    "中关村大街",
    "1101室",
    "赵铁柱",
    "mingyue.ouyang",
)
UNSENT = "还没发出的话"
PRINTED_PRIVATE = (
    "李明月",
    "13800138000",
    "文三路",
    "东部软件园",
    "王建国",
    "55501234",
    "张杨路",
    "华润时代广场",
    "SF1392847561002",
    "1392847561002",
    "DD20261122000381",
)
PRIVATE = (*SAID_PRIVATE, *PRINTED_PRIVATE, UNSENT)

LOADS = """(url) => new Promise((tell) => {
  const image = new Image();
  [image.onload, image.onerror] = [() => tell(true), () => tell(false)];
  image.src = url;
})"""

# Everything that a page can keep, wherever a browser lets it.
KEPT = """async () => {
  const databases = await indexedDB.databases();
  const workers = await navigator.serviceWorker.getRegistrations();
  const fields = [...document.querySelectorAll('input, textarea, select')];
  return {
    html: document.documentElement.outerHTML,
    values: fields.map((field) => [field.value, field.defaultValue ?? '', field.files?.length ?? 0]),
    title: document.title, address: location.href, state: history.state, name: window.name,
    selection: String(getSelection()),
    cookies: document.cookie, local: { ...localStorage }, session: { ...sessionStorage },
    databases: databases.map(({ name }) => name), caches: await caches.keys(), workers: workers.length,
    streams: [...document.querySelectorAll('video, audio')].filter((media) => media.srcObject || media.src).length,
    images: [...document.images].map(({ src }) => src).filter((src) => src.startsWith('blob:')),
  };
}"""


@pytest.fixture(scope="module")
def kiosk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """An appliance whose page forgets sooner than usual, and what it writes to its standard streams."""
    data = tmp_path_factory.mktemp("data")
    copy_models(data)
    log = tmp_path_factory.mktemp("log") / "serve.log"
    settings = {"APPLIANCE_PAGE_IDLE_S": "24", "APPLIANCE_PAGE_ATTRACT_S": "8", "APPLIANCE_LOG_LEVEL": "debug"}
    with serving(data, log, **settings) as running:
        yield running, log


def found_in(text: str) -> list[str]:
    """What of the first customer stands in this text, plain or as JSON and URLs escape it."""
    return [
        word
        for word in PRIVATE
        if any(form in text for form in (word, word.encode("unicode_escape").decode(), _percent(word)))
    ]


def _percent(word: str) -> str:
    from urllib.parse import quote

    return quote(word)


def written(running: Running) -> bytes:
    """Every byte that the appliance has on its disk: the log of events with its WAL, and whatever else there is."""
    files = (path for path in running.data.rglob("*") if path.is_file() and "models" not in path.parts)
    return b"\n".join(path.read_bytes() for path in sorted(files))


def heap(page: Page) -> str:
    """Every string that the page's JavaScript can still reach, after its rubbish was collected."""
    chunks: list[str] = []
    session = page.context.new_cdp_session(page)
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda part: chunks.append(part["chunk"]))
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.takeHeapSnapshot")
    session.detach()
    strings: list[str] = json.loads("".join(chunks))["strings"]
    assert any("轻触屏幕开始" in text for text in strings)
    return "\n".join(strings)


def say(page: Page, text: str) -> Any:
    """Type and send a sentence; the reply as JSON."""
    expect(page.locator("#send")).to_be_enabled()  # while it answers, no further question is taken
    page.fill("#text", text)
    with page.expect_response("**/v1/turns") as answered:
        page.press("#text", "Enter")
    return answered.value.json()


def test_the_second_customer_finds_nothing_of_the_first(
    browser: Browser, kiosk: tuple[Running, Path], pages: dict[str, Case]
) -> None:
    running, log = kiosk
    context = browser.new_context(viewport={"width": 1080, "height": 1920})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=running.url)
    page = context.new_page()
    page.goto(running.url)
    expect(page.locator("#tiles button").first).to_be_visible()

    # The first customer.
    page.click("#large")
    replies = [say(page, text) for text in SAID]
    session = replies[-1]["session"]
    assert {reply["session"] for reply in replies} == {session}
    page.set_input_files("#file", pages["waybill-photo.jpg"].path)
    expect(page.locator(".photo:not(.reading-now) .overlay polygon").first).to_be_attached(timeout=60_000)
    expect(page.locator("#log")).to_contain_text("SF1392847561002")
    say(page, "是的")
    page.locator(".photo summary").click()
    page.locator(".photo .lines button", has_text="13800138000").click()
    page.get_by_role("button", name="复制").click()
    expect(page.locator("#toast")).to_contain_text("已复制")
    photo = page.locator(".photo .stage img").get_attribute("src")
    page.locator(".photo .enlarge").click()
    expect(page.locator("#zoom .lines button").first).to_be_visible()
    page.keyboard.press("Escape")
    page.fill("#text", UNSENT)
    before = page.evaluate(KEPT)
    assert set(found_in(before["html"])) >= {"欧阳明月", "13912345678", "13800138000", "SF1392847561002"}
    assert set(found_in(heap(page))) >= {"13800138000", "SF1392847561002"}  # what was said is in the document alone
    assert page.evaluate(LOADS, photo) is True
    assert page.evaluate("navigator.clipboard.readText()") == "13800138000"
    assert running.ask("/v1/status")[2]["sessions"] == 1

    # Who walks away: no touch, no key, until the page has asked, counted down and wiped itself.
    expect(page.locator("#idle")).to_be_visible(timeout=40_000)
    expect(page.locator("#log")).to_be_hidden(timeout=30_000)
    expect(page.locator("#attract")).to_be_visible(timeout=40_000)

    # The second customer, on the page.
    kept = page.evaluate(KEPT)
    assert found_in(str(kept)) == []
    assert found_in(page.locator("body").aria_snapshot()) == []
    assert page.evaluate(LOADS, photo) is False
    assert (kept["cookies"], kept["local"], kept["session"]) == ("", {}, {})
    assert (kept["databases"], kept["caches"], kept["workers"]) == ([], [], 0)
    assert (kept["streams"], kept["images"], kept["state"], kept["name"], kept["selection"]) == (0, [], None, "", "")
    assert all(value == "" and files == 0 for value, _, files in kept["values"])
    assert context.cookies() == []
    assert found_in(heap(page)) == []

    # Over the API, with the first one's session.
    assert running.ask(f"/v1/sessions/{session}", method="DELETE")[0] == 404
    assert running.ask("/v1/status")[2]["sessions"] == 0
    status, _, stolen = running.ask("/v1/turns", {"text": "再说一遍", "session": session})
    assert status == 200
    assert stolen["session"] != session
    assert found_in(str(stolen)) == []
    assert running.ask(f"/v1/sessions/{stolen['session']}", method="DELETE")[0] == 204

    # At the page, touched by the second one, who asks about it.
    page.locator(".attract-start").click()
    expect(page.locator("#attract")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()
    assert page.locator("#large").get_attribute("aria-pressed") == "false"
    assert page.evaluate("navigator.clipboard.readText()") == ""
    page.focus("#text")
    for keys in ("Control+z", "Control+Shift+z", "Control+v"):
        page.keyboard.press(keys)
        assert page.input_value("#text") == ""
    own = [say(page, text) for text in ("再说一遍", "帮我查一下快递到哪了", "我的电话是多少", "我叫什么名字")]
    assert own[0]["session"] != session
    assert found_in(str(own)) == []
    assert found_in(page.content()) == []
    page.click("#restart")

    # In what the appliance tells about itself.
    with page.expect_response("**/v1/events"):
        page.reload()
    for path in ("/v1/status", "/metrics", "/readyz", "/v1/greeting"):
        assert found_in(str(running.ask(path)[2])) == [], path
    status, _, stream = running.ask("/v1/events")
    assert status == 200
    assert b"event: state" in stream
    assert found_in(stream.decode()) == []

    # On its disk and in its own log.
    context.close()
    time.sleep(1.5)  # the event log is looked after every second
    disk = written(running)
    assert b"[phone]" in disk
    assert b"[photo]" in disk
    assert found_in(disk.decode("utf-8", "replace")) == []
    assert found_in(log.read_text("utf-8")) == []
