"""One screen, two strangers: the first talks, shows a waybill and walks away; the second must find nothing of that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.artifacts.cases import Case
from appliance.artifacts.manifest import load_manifests, shipped_root
from tests.e2e import remembering
from tests.e2e.conftest import Running, copy_models, serving
from tests.e2e.voice import PROGRAM, write_manifests
from tests.speech.sounds import spoken

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
TYPED = (("wo", "我"), ("jiao", "叫"), ("si", "司"), ("ma", "马"), ("hui", "慧"))
TYPED_PRIVATE = "司马慧"
PRIVATE = (*SAID_PRIVATE, *PRINTED_PRIVATE, UNSENT, TYPED_PRIVATE)

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


@dataclass(frozen=True)
class Kiosk:
    """An appliance that can be searched."""

    running: Running
    log: Path
    words: Path
    report: Path

    def holds(self, **pieces: bytes) -> dict[str, list[str]]:
        """Which of PRIVATE, and of some pieces of files, the process's live objects hold, and the holders of each."""
        names = {word.encode().hex(): word for word in PRIVATE} | {piece.hex(): name for name, piece in pieces.items()}
        self.words.write_text(json.dumps(list(names)), "utf-8")
        self.report.unlink(missing_ok=True)
        os.kill(self.running.pid, signal.SIGUSR1)
        for _ in range(1200):
            if self.report.exists():
                found = json.loads(self.report.read_text("utf-8"))
                return {names[word]: holders for word, holders in found.items()}
            time.sleep(0.1)
        raise AssertionError("the process was not searched within two minutes")


def _kiosk(data: Path, folder: Path, manifests: Path | None = None) -> Iterator[Kiosk]:
    """An appliance whose page forgets soon, though not while this test searches, and what its streams are told."""
    log, words, report = folder / "serve.log", folder / "words.json", folder / "report.json"
    program = [remembering.__file__, str(words), str(report)]
    settings = {"APPLIANCE_PAGE_IDLE_S": "30", "APPLIANCE_PAGE_ATTRACT_S": "2", "APPLIANCE_LOG_LEVEL": "debug"}
    if manifests is not None:
        program += ["--manifests", str(manifests)]
    with serving(data, log, program=program, **settings) as running:
        yield Kiosk(running, log, words, report)


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    """One that does not hear: no recogniser is installed."""
    copy_models(tmp_path / "data")
    yield from _kiosk(tmp_path / "data", tmp_path)


@pytest.fixture
def hearing(tmp_path: Path, vosk_model: Path) -> Iterator[Kiosk]:
    """One that hears, with whichever model there is."""
    manifests, packed = write_manifests(tmp_path, vosk_model)
    copy_models(tmp_path / "data")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(manifests), "models", "import", str(packed)],
        env=os.environ | {"APPLIANCE_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    packed.unlink()
    yield from _kiosk(tmp_path / "data", tmp_path, manifests)


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


def by_finger(page: Page) -> Any:
    """Type a name on the on-screen keyboard and send it; the reply as JSON."""
    page.tap("#text")
    for letters, character in TYPED:
        for letter in letters:
            page.locator(f'.hg-button[data-skbtn="{letter}"]').tap()
        page.locator(".candidate").get_by_text(character, exact=True).tap()
    expect(page.locator("#text")).to_have_value("".join(character for _, character in TYPED))
    with page.expect_response("**/v1/turns") as answered:
        page.locator('.hg-button[data-skbtn="{send}"]').tap()
    return answered.value.json()


def test_the_second_customer_finds_nothing_of_the_first(browser: Browser, kiosk: Kiosk, pages: dict[str, Case]) -> None:
    clip = next(c for c in load_manifests(shipped_root())["silero-vad"].cases() if c.path.suffix == ".wav")

    def speak(_page: Page, session: str) -> None:
        """There is no recogniser; a program that sends a recording all the same is refused."""
        status, _, refusal = kiosk.running.ask(f"/v1/turns?session={session}", clip.path.read_bytes(), "audio/wav")
        assert (status, refusal["code"]) == (503, "unavailable")

    two_customers(browser, kiosk, pages, speak)


@pytest.mark.vosk
@pytest.mark.timeout(600)
def test_the_second_customer_hears_nothing_of_the_first(
    launch: Callable[..., Browser], hearing: Kiosk, pages: dict[str, Case], espeak: str, tmp_path: Path
) -> None:
    sentence = tmp_path / "sentence.wav"
    sentence.write_bytes(spoken(espeak, "화장실이 어디에 있어요", "ko"))

    def speak(page: Page, session: str) -> None:
        page.click("#speak")
        with page.expect_response("**/v1/streams/*/answer", timeout=120_000) as answered:
            page.click("#microphone-go")
            expect(page.locator("#microphone-live")).to_be_visible()
            page.wait_for_timeout(4000)  # the sentence once and a half
            if page.locator("#microphone-go").is_visible():  # its end may have been heard already
                page.click("#microphone-go")
        heard = answered.value.json()
        assert heard["session"] == session
        assert heard["transcript"]["text"]

    two_customers(launch(f"--use-file-for-fake-audio-capture={sentence}"), hearing, pages, speak)


def two_customers(browser: Browser, kiosk: Kiosk, pages: dict[str, Case], speak: Callable[[Page, str], None]) -> None:
    """The first customer in every way there is, then the second, then the search for what is left."""
    running, log = kiosk.running, kiosk.log
    shown = pages["waybill-photo.jpg"].path
    middle = shown.stat().st_size // 2
    pieces = {"photo": shown.read_bytes()[middle : middle + 24]}
    known = set(kiosk.holds(**pieces))  # what the pack and the documents have as examples
    assert not known & {*SAID_PRIVATE, TYPED_PRIVATE, UNSENT, *pieces}
    context = browser.new_context(viewport={"width": 1080, "height": 1920}, has_touch=True)
    context.grant_permissions(["clipboard-read", "clipboard-write", "microphone"], origin=running.url)
    page = context.new_page()
    page.goto(running.url)
    expect(page.locator("#tiles button").first).to_be_visible()

    # The first customer.
    page.click("#large")
    replies = [say(page, text) for text in SAID]
    session = replies[-1]["session"]
    assert {reply["session"] for reply in replies} == {session}
    assert by_finger(page)["session"] == session
    speak(page, session)
    page.set_input_files("#file", shown)
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
    assert set(kiosk.holds(**pieces)) >= {"欧阳明月", "13912345678", TYPED_PRIVATE}, "the search finds what is there"

    # Who walks away: no touch, no key, until the page has asked, counted down and wiped itself.
    expect(page.locator("#idle")).to_be_visible(timeout=60_000)
    expect(page.locator("#log")).to_be_hidden(timeout=60_000)
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

    # In the memory of the process: nothing that lives. What was freed lies there until it is written over.
    left = {word: holders for word, holders in kiosk.holds(**pieces).items() if word not in known}
    assert left == {}, json.dumps(left, ensure_ascii=False, indent=1)

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
