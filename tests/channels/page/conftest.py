"""A kiosk: the page on a touch screen, on which nothing may reach the console or leave the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

Kiosk = Callable[..., Page]


@pytest.fixture
def kiosk(browser: Browser) -> Iterator[Kiosk]:
    """Open the page: `kiosk(server, "/?keyboard=on", touch=False, width=1280, height=800)`."""
    opened: list[tuple[Any, list[str]]] = []

    def open_page(
        server: Any, address: str = "/", *, touch: bool = True, width: int = 1080, height: int = 1920
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch)
        page = context.new_page()
        wrong: list[str] = []
        page.on("request", lambda r: None if r.url.startswith((server.url, "blob:")) else wrong.append(r.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.set_default_timeout(15_000)
        page.goto(server.url + address)
        expect(page.locator(".tile").first).to_be_visible()
        opened.append((context, wrong))
        return page

    yield open_page
    for context, wrong in opened:
        context.close()
        assert wrong == []
