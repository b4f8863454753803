"""What the page says about the camera's view: on drawn views, and through a real video track."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import expect
from visitor import until

from appliance.artifacts.manifest import load_manifests, shipped_root

pytestmark = pytest.mark.browser

SIZE = (640, 480)


def paper() -> Image.Image:
    """The waybill's photo as a camera would see it."""
    cases = load_manifests(shipped_root())["pp-ocrv6-small"].cases()
    (path,) = [case.path for case in cases if case.path.name == "waybill-photo.jpg"]
    with Image.open(path) as photo:
        return photo.convert("RGB").crop((80, 60, 720, 540)).resize(SIZE)


def darker(image: Image.Image) -> Image.Image:
    return image.point(lambda v: v // 6)


def glaring(image: Image.Image) -> Image.Image:
    """A lamp mirrored in the paper."""
    pixels = np.asarray(image.point(lambda v: v * 3 // 4), dtype=np.float32)
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    lamp = np.clip(420 - 3.2 * np.hypot(x - 430, y - 300), 0, 400)[..., None]
    return Image.fromarray(np.clip(pixels + lamp, 0, 255).astype(np.uint8))


def blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(4))


VIEWS = {
    "good": paper,
    "dark": lambda: darker(paper()),
    "glare": lambda: glaring(paper()),
    "blurred": lambda: blurred(paper()),
    "plain": lambda: Image.new("RGB", SIZE, (150, 140, 130)),
    "bright": lambda: Image.new("RGB", SIZE, (244, 244, 244)),
}

JUDGE = """async ([before, now]) => {
  const { grey, judge } = await import('/assets/guidance.js');
  const pixels = async (url, x, y, wide, high, width, height) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(image, x, y, wide, high, 0, 0, width, height);
    return grey(context.getImageData(0, 0, width, height).data);
  };
  const view = await pixels(now, 0, 0, 640, 480, 160, 120);
  const middle = await pixels(now, 160, 120, 320, 240, 320, 240);
  const earlier = before && await pixels(before, 0, 0, 640, 480, 160, 120);
  return judge({ view, before: earlier, middle, width: 320, height: 240 });
}"""


def url(image: Image.Image) -> str:
    """The image as a data: URL."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("name", VIEWS)
def test_a_still_view_is_judged(serve, visit, name):
    page = visit(serve())
    now = url(VIEWS[name]())
    assert page.evaluate(JUDGE, [None, now]) == name
    assert page.evaluate(JUDGE, [now, now]) == name


def test_a_moving_view_is_judged(serve, visit):
    page = visit(serve())
    still, moved = paper(), Image.new("RGB", SIZE, (90, 70, 60))
    moved.paste(paper(), (120, 60))
    assert page.evaluate(JUDGE, [url(moved), url(still)]) == "moving"


def test_light_and_dark_pages_of_any_kind_are_good(serve, visit):
    """Labelled pages as they come: none of them may be called blurred or dark, or the hints would be noise."""
    page = visit(serve())
    cases = load_manifests(shipped_root())["pp-ocrv6-small"].cases()
    wrong = {}
    for case in (case for case in cases if case.kind == "page" and case.path.suffix == ".jpg"):
        with Image.open(case.path) as photo:
            scale = max(SIZE[0] / photo.width, SIZE[1] / photo.height)
            view = photo.convert("RGB").resize((round(photo.width * scale), round(photo.height * scale)))
        hint = page.evaluate(JUDGE, [None, url(view.crop((0, 0, *SIZE)))])
        if hint not in ("good", "plain"):
            wrong[case.path.name] = hint
    assert wrong == {}


@pytest.mark.parametrize("name, words", [("dark", "光线有点暗"), ("good", "请把文字放平")])
def test_the_viewfinder_says_it(serve, launch, tmp_path: Path, name: str, words: str) -> None:
    """A video track that a real Chromium plays from a file: hint, shutter, and the camera off again."""
    frames = io.BytesIO()
    VIEWS[name]().save(frames, "JPEG", quality=92)
    film = tmp_path / "film.mjpeg"
    film.write_bytes(frames.getvalue() * 30)
    server = serve()
    browser = launch(f"--use-file-for-fake-video-capture={film}")
    page = browser.new_page(viewport={"width": 1080, "height": 1920})
    page.goto(server.url)
    page.click("#show")
    expect(page.locator("#camera-notice")).to_contain_text("即将使用摄像头")
    page.click("#camera-open")
    until(page, "document.getElementById('video').videoWidth > 0")
    expect(page.locator("#camera-hint")).to_contain_text(words, timeout=15_000)
    expect(page.locator("#camera")).to_have_attribute("data-hint", name)
    assert page.locator("#camera-hint").get_attribute("role") == "status"
    expect(page.locator("#camera-torch")).to_be_hidden()  # a film has no lamp
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.wait_for_timeout(1200)
    assert "POST" not in sent  # frames go nowhere
    page.click("#camera-take")
    expect(page.locator(".photo .overlay polygon")).to_have_count(3)
    assert len(server.door.images) == 1
    expect(page.locator("#camera-hint")).to_have_text("")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    browser.close()


def test_a_torch_is_lit_where_there_is_one(serve, visit):
    page = visit(serve())
    page.evaluate(
        """() => {
          window.asked = [];
          MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true });
          MediaStreamTrack.prototype.applyConstraints = async ({ advanced: [{ torch }] }) => {
            window.asked.push(torch);
            if (window.asked.length > 2) throw new Error('no lamp after all');
          };
        }"""
    )
    page.click("#photo")
    page.click("#camera-open")
    torch = page.locator("#camera-torch")
    expect(torch).to_be_visible()
    for pressed in ("true", "false"):
        torch.click()
        expect(torch).to_have_attribute("aria-pressed", pressed)
    torch.click()
    expect(torch).to_be_hidden()
    assert page.evaluate("window.asked") == [True, False, True]
    expect(page.locator("#camera-take")).to_be_visible()


def test_the_notice_comes_before_every_use(serve, visit):
    page = visit(serve())
    page.evaluate(
        """() => {
          window.opened = 0;
          const devices = navigator.mediaDevices;
          const open = devices.getUserMedia.bind(devices);
          devices.getUserMedia = (wanted) => { window.opened += 1; return open(wanted); };
        }"""
    )
    for uses in (1, 2):
        page.click("#photo")
        expect(page.locator("#camera-notice")).to_contain_text("照片只在本机识别")
        assert page.evaluate("window.opened") == uses - 1
        page.click("#camera-open")
        until(page, "document.getElementById('video').videoWidth > 0")
        page.keyboard.press("Escape")
        expect(page.locator("#camera")).to_be_hidden()
        until(page, "document.getElementById('video').srcObject === null")
