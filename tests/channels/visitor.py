"""A stranger's visit to the page in a real Chromium, for the tests of the page."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page


def picture() -> bytes:
    """A white picture with the size that the fake door's boxes refer to."""
    out = io.BytesIO()
    Image.new("RGB", (600, 300), "white").save(out, "PNG")
    return out.getvalue()


class Visit:
    """A page that is open, with everything that must never happen on it."""

    def __init__(
        self, browser: Browser, server: Any, address: str = "/", *, stopped: bool = False, **context: Any
    ) -> None:
        self.context = browser.new_context(viewport=context.pop("viewport", {"width": 1280, "height": 800}), **context)
        self.context.grant_permissions(["camera", "microphone", "clipboard-read", "clipboard-write"], origin=server.url)
        self.page: Page = self.context.new_page()
        if stopped:
            self.page.clock.install(time=0)
        self.strangers: list[str] = []
        self.errors: list[str] = []
        self.page.on(
            "request", lambda r: None if r.url.startswith((server.url, "blob:")) else self.strangers.append(r.url)
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if "Content Security" in m.text else None)
        self.page.set_default_timeout(15_000)
        self.page.goto(server.url + address)
        if stopped:
            self.page.clock.pause_at(30)

    def close(self) -> None:
        assert self.strangers == []
        assert self.errors == []
        self.context.close()


def until(page: Page, expression: str) -> None:
    """Wait for a condition; Playwright's own wait_for_function needs the eval that the page's policy forbids."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def ask(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.press("#text", "Enter")


def pass_by(page: Page, seconds: float) -> None:
    """Let the page's own clock go on, with every timer in it; in steps, so that what it asks for can be answered."""
    for passed in range(0, int(seconds), 4):
        page.clock.run_for(int(min(4, seconds - passed) * 1000))
