"""From what a recogniser writes to what people write: its words for numbers become digits, all else stays.

    written("我的电话是幺三八零零一三八零零零").text == "我的电话是13800138000"
    written("下午三点半取三百二十八块五的货").text == "下午3点半取328.5元的货"

Times, dates and amounts keep their words (3点半, 11月30号, 200块), so that what was open stays open: 3:15 would say
that it is morning. Numbers that are not exact (两三个, 几十块), 一 before a measure word (一个), ordinals below ten
(第三), days of the week and the fixed words of `fixed` stay words. What is written already comes back as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from appliance.language.numbers.fixed import fixed_words
from appliance.language.numbers.rules import FIXED, RULES, WRITTEN

_SPELT = re.compile(r"(?<![A-Za-z])[A-Za-z](?: +[A-Za-z](?![A-Za-z]))+")
_SPACES = re.compile(r" +")
_NUMERAL = re.compile(
    "[零〇一二两三四五六七八九十百千万亿幺]|(?i:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
)


@dataclass(frozen=True, slots=True)
class Written:
    """A text as people write it, aligned with what was said."""

    text: str
    """The written form."""
    spans: tuple[tuple[int, int], ...]
    """For every character of `text`, the first and one-past-last character that was said for it: a number's characters
    all stand for all of its words."""

    def said_span(self, start: int, end: int) -> tuple[int, int]:
        """Span in what was said of `text[start:end]`; needs 0 <= start < end <= len(text)."""
        if not 0 <= start < end <= len(self.text):
            raise IndexError(f"expected 0 <= start < end <= {len(self.text)}, got {start}, {end}")
        return self.spans[start][0], self.spans[end - 1][1]


class Writer:
    """Writes recognised text. Thread-safe; nothing is changed after construction."""

    def __init__(self, protected: Iterable[str] = ()) -> None:
        """Leave every name of `protected` alone wherever it stands, beside the fixed words of the language."""
        self._fixed = fixed_words(protected)

    def write(self, text: str) -> Written:
        """The written form of `text`. Writing what has been written changes nothing."""
        said = _as_it_is(text)
        while True:
            again = self._once(said.text)
            if again.text == said.text:
                return said
            said = Written(again.text, tuple(said.said_span(start, end) for start, end in again.spans))

    def _once(self, text: str) -> Written:
        if not _NUMERAL.search(text):
            return _as_it_is(text)
        kept = _joined(text)
        view = "".join(text[index] for index in kept)
        view = self._fixed.sub(lambda match: FIXED * len(match.group()), view)
        found: list[tuple[int, int, str]] = []
        for rule in RULES:
            for match in list(rule.pattern.finditer(view)):
                start, end = match.span()
                instead = rule.write(match)
                if instead is not None and start < end:
                    found.append((start, end, instead))
                    view = view[:start] + WRITTEN * (end - start) + view[end:]
        pieces: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        for start, end, instead in sorted(found):
            low, high = kept[start], kept[end - 1] + 1
            pieces += (text[at:low], instead)
            spans += ((index, index + 1) for index in range(at, low))
            spans += [(low, high)] * len(instead)
            at = high
        pieces.append(text[at:])
        spans += ((index, index + 1) for index in range(at, len(text)))
        return Written("".join(pieces), tuple(spans))


def _as_it_is(text: str) -> Written:
    return Written(text, tuple((index, index + 1) for index in range(len(text))))


def _joined(text: str) -> list[int]:
    """Positions of the characters that the rules read: spaces beside Chinese and between spelt letters are left out."""
    gone: set[int] = set()
    for match in _SPELT.finditer(text):
        gone.update(index for index in range(*match.span()) if text[index] == " ")
    for match in _SPACES.finditer(text):
        start, end = match.span()
        if text[start - 1 : start] > "\u2e7f" or text[end : end + 1] > "\u2e7f":
            gone.update(range(start, end))
    return [index for index in range(len(text)) if index not in gone]


@lru_cache(maxsize=8)
def _writer(protected: tuple[str, ...]) -> Writer:
    return Writer(protected)


def written(text: str, protected: tuple[str, ...] = ()) -> Written:
    """`text` as people write it; names in `protected` stay as they are. `Writer` is the same, made once."""
    return _writer(protected).write(text)
