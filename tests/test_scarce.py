"""What comes again and again is counted instead of written."""

from __future__ import annotations

import logging

from appliance.scarce import MOST, MOST_ALIKE, MOST_ALIKE_DEBUG, WINDOW_S, Limit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(text: str, *arguments: object, level: int = logging.WARNING, about: str = "") -> logging.LogRecord:
    made = logging.LogRecord("appliance.x", level, __file__, 1, text, arguments, None)
    if about:
        made.about = about
    return made


def test_what_comes_again_and_again_is_counted() -> None:
    clock = Clock()
    limit = Limit(clock)
    passed = [limit.filter(record("attempt %d failed", number)) for number in range(100)]
    assert passed == [True] * MOST_ALIKE + [False] * (100 - MOST_ALIKE)
    assert limit.filter(record("something else"))
    assert limit.left_out == 100 - MOST_ALIKE
    clock.now = WINDOW_S
    again = record("attempt %d failed", 100)
    assert limit.filter(again)
    assert again.getMessage().startswith("attempt 100 failed (")
    assert str(100 - MOST_ALIKE) in again.getMessage()
    plain = record("attempt %d failed", 101)
    assert limit.filter(plain)
    assert plain.getMessage() == "attempt 101 failed"


def test_kinds_are_told_apart_by_what_they_are_about() -> None:
    limit = Limit(Clock())
    for _ in range(MOST_ALIKE):
        limit.filter(record("%s", "first", about="first"))
    assert not limit.filter(record("%s", "first", about="first"))
    assert limit.filter(record("%s", "second", about="second"))


def test_all_lines_together_are_bounded_also_at_debug() -> None:
    limit = Limit(Clock())
    passed = [limit.filter(record("again", level=logging.DEBUG)) for _ in range(MOST_ALIKE_DEBUG + 1)]
    assert sum(passed) == MOST_ALIKE_DEBUG
    passed = [limit.filter(record(f"kind {number}", level=logging.DEBUG)) for number in range(MOST)]
    assert sum(passed) == MOST - MOST_ALIKE_DEBUG
