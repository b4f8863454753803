"""A photo on the page: from a file or the camera, made smaller, read, refused, or without a word in it."""

from __future__ import annotations

import pytest
from fake_door import FakeDoor
from playwright.sync_api import expect
from visitor import picture, until

pytestmark = pytest.mark.browser


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


def test_a_refused_photo_is_taken_again_and_not_sent_again(serve, visit):
    page = visit(serve())
    page.click("#photo")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"not a picture"})
    expect(page.locator(".error")).to_contain_text("这张图片打不开")
    expect(page.locator(".error")).not_to_contain_text("JPEG")
    page.locator(".error").get_by_role("button").click()
    expect(page.locator("#camera-notice")).to_be_visible()


def test_a_photo_without_text_says_so_once(serve, visit):
    page = visit(serve(FakeDoor(lines=())))
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": picture()})
    expect(page.locator(".kiosk .again")).to_have_text("再拍一次")
    expect(page.locator(".photo img")).to_be_visible()
    expect(page.locator(".photo-side")).to_be_hidden()
    page.locator(".again").click()
    expect(page.locator("#camera-notice")).to_be_visible()
