"""Watching a reading while it goes on: lines as they are read, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.values import OcrLine, OcrResult


def _ignore(_: object) -> None:
    """Nobody wants to know."""


def _nothing() -> None:
    """Nobody holds what could be forgotten."""


def _never() -> bool:
    return False


def _always(_: OcrResult) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Watch:
    """What a channel that watches a reading hands in; every part may be left out."""

    found: Callable[[int], None] = _ignore
    """Called once, with the number of lines found, before the first is read; once more after `again`."""
    line: Callable[[OcrLine], None] = _ignore
    """Called with each line in reading order as soon as it is read, in the thread that reads."""
    stopped: Callable[[], bool] = _never
    """Asked between two lines: True ends the reading with what is known so far."""
    again: Callable[[], None] = _nothing
    """Called when a reading that was told of failed and another reader begins anew: what was told holds no more."""

    enough: Callable[[OcrResult], bool] = _always
    """Asked once after a reading of which a turn is to come: False lets none come of it, and no session is opened."""


UNWATCHED = Watch()
