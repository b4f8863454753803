"""A kiosk: the page on a touch screen, on which nothing may reach the console or leave the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from visitor import Visit

Kiosk = Callable[..., Page]


def settled(page: Page) -> None:
    """Let every timer of typing (at most 120 ms) and what it asks for pass: after it, what has not come never will."""
    page.wait_for_timeout(400)


@pytest.fixture
def kiosk(browser: Browser) -> Iterator[Kiosk]:
    """Open the page: `kiosk(server, "/?keyboard=on", touch=False, width=1280, height=800)`."""
    opened: list[tuple[Any, list[str]]] = []

    def open_page(
        server: Any,
        address: str = "/",
        *,
        touch: bool = True,
        width: int = 1080,
        height: int = 1920,
        stopped: bool = False,
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch)
        page = context.new_page()
        wrong: list[str] = []
        page.on("request", lambda r: None if r.url.startswith((server.url, "blob:")) else wrong.append(r.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
        page.set_default_timeout(15_000)
        if stopped:  # the page's own clock, by which keys have their times too, goes on only as the test says
            page.clock.install(time=0)
        page.goto(server.url + address)
        expect(page.locator(".tile").first).to_be_visible()
        if stopped:
            page.clock.pause_at(3600)
        opened.append((context, wrong))
        return page

    yield open_page
    for context, wrong in opened:
        context.close()
        assert wrong == []


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open the page as a stranger; afterwards nothing may have gone wrong on it."""
    visits: list[Visit] = []

    def open_page(server: Any, *args: Any, **more: Any) -> Page:
        visits.append(Visit(browser, server, *args, **more))
        return visits[-1].page

    yield open_page
    for each in visits:
        each.close()
