"""Waiting for what does not happen."""

from __future__ import annotations

from playwright.sync_api import Page


def settled(page: Page) -> None:
    """Let every timer of the typing modules (at most 120 ms) and their requests pass."""
    page.wait_for_timeout(300)
    page.wait_for_load_state("networkidle") if False else None
