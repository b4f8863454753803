"""Makes the README's pictures from the running appliance: the page, and an annotated document (`make pictures`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from appliance.channels.technician.pin import hashed

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
CASES = ROOT / "models" / "pp-ocrv6-small" / "cases"
PORT = 18080
URL = f"http://127.0.0.1:{PORT}"
PIN = "493817"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def wait_ready() -> None:
    """Wait until the appliance answers."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{URL}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the appliance did not become ready: run `appliance check`")


def ask(page: Page, text: str) -> None:
    """Type a question and wait for its answer."""
    page.fill("#text", text)
    with page.expect_response("**/v1/turns"):
        page.click("#send")
    page.wait_for_timeout(700)


def shoot() -> None:
    """Photograph the page in both orientations."""
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(URL)
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / "page-start.png")
        ask(page, "洗衣液在哪个货架")
        page.screenshot(path=PICTURES / "page-question.png")
        page = browser.new_page(viewport={"width": 1080, "height": 1920}, has_touch=True)
        page.goto(f"{URL}/?keyboard=on")
        page.wait_for_selector("#attract[open]", timeout=30_000)
        page.wait_for_timeout(2500)
        page.screenshot(path=PICTURES / "page-attract.png")
        page.tap(".attract-start")
        page.tap("#keys")
        for key in "xiyiye":
            page.locator("#keyboard-keys").get_by_role("button", name=key, exact=True).tap()
        page.wait_for_timeout(900)
        page.screenshot(path=PICTURES / "page-keyboard.png")
        page = browser.new_page(viewport={"width": 1080, "height": 1920})
        page.goto(URL)
        page.wait_for_timeout(1000)
        ask(page, "你好")
        page.set_input_files("#file", CASES / "waybill-photo.jpg")
        page.wait_for_selector(".photo:not(.reading-now) .overlay polygon", state="attached", timeout=60_000)
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / "page-photo.png")
        serviced(browser.new_page(viewport={"width": 1280, "height": 800}))
        browser.close()


def serviced(page: Page) -> None:
    """Photograph the service page, entered with the PIN."""
    page.goto(URL)
    page.wait_for_selector(".tile")
    page.mouse.move(40, 40)
    page.mouse.down()
    page.wait_for_selector("#pad[open]", timeout=20_000)
    page.mouse.up()
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    page.click('[data-panel="scanner"]')
    page.keyboard.type("SF1392847561002")
    page.keyboard.press("Enter")
    page.wait_for_timeout(700)
    page.click(".t-back")
    page.wait_for_timeout(300)
    page.screenshot(path=PICTURES / "page-service.png")
    page.click("#technician-leave")
    page.wait_for_selector("#technician", state="detached")


def main() -> int:
    """Start an appliance, photograph it, stop it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    annotate = [sys.executable, "-m", "appliance.cli", "ocr", str(CASES / "waybill-photo.jpg")]
    subprocess.run([*annotate, "--draw", str(PICTURES / "document.png")], check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(
        [sys.executable, "-m", "appliance.cli", "serve"],
        env=os.environ
        | {"APPLIANCE_HTTP_PORT": str(PORT), "APPLIANCE_PAGE_ATTRACT_S": "5", "APPLIANCE_SERVICE_PIN": hashed(PIN)},
    )
    try:
        wait_ready()
        shoot()
    finally:
        server.terminate()
        server.wait(20)
    for picture in sorted(PICTURES.glob("*.png")):
        # 256 colours of its own are enough for a README and a third of the bytes.
        with Image.open(picture) as image:
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(picture, optimize=True)
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
