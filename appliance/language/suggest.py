"""What a customer may be about to type: the pack's frequent questions, and its questions about each thing it names.

Best first: what was typed whole; what begins with it, in characters or full pinyin; the initials of its pinyin; other
names of things, which nobody sees on the screen; what holds it further in. Within these the pack's own order decides.
Nothing that was typed is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from appliance.errors import InvalidInput
from appliance.language.clean import Cleaner, is_han
from appliance.language.lexicon import GazetteerEntry
from appliance.language.questions import ALIAS, Question, Subject, around, named, parts, wholes
from appliance.language.spelling import Spellings
from appliance.language.syllables import INITIALS, PARTIAL, RARE, Form, read_forms
from appliance.values import Suggestion

_T = TypeVar("_T")

LONGEST = 64
"""Most characters of a text that is completed."""
MOST = 20
"""Most suggestions given at once."""

_LEAST_WITHIN = 2
"""Letters below which nothing is looked for in the middle of a name: half the shop would answer."""
_WHOLE, _BEGINS, _INITIALS_WHOLE, _INITIALS, _WITHIN, _INITIALS_WITHIN = range(6)
_GAP = re.compile(r"[\W_]+")
_FOREIGN = 10
"""Added to the grade of a name in the other language that has only been begun."""


class _Match(NamedTuple):
    """A subject that fits, and the one question that the text has already begun, if any. Smaller is better."""

    grade: int
    rare: int
    rank: int
    subject: Subject
    question: Question | None = None

    @property
    def alias(self) -> bool:
        return self.rank >= ALIAS

    def order(self) -> tuple[int, bool, int, int, int]:
        return self.grade and 1 + self.grade // _FOREIGN, bool(self.grade) and self.alias, *self[:3]


class Suggester:
    """Completes what is typed. Built in milliseconds, asked in microseconds; never changes, so any thread may ask."""

    def __init__(
        self,
        questions: Iterable[Question],
        things: Iterable[GazetteerEntry],
        cleaner: Cleaner,
        forms: Callable[[str], tuple[Form, ...]] | None = None,
    ) -> None:
        """Take the questions, most frequent first, and the things that they may be about."""
        self._cleaner = cleaner
        spelt = forms or read_forms()

        def index(names: Iterable[tuple[str, int, _T]]) -> Spellings[_T]:
            return Spellings(names, spelt, kept=MOST)

        def uniform(sides: Iterable[tuple[str, int, Question]]) -> Iterator[tuple[str, int, Question]]:
            return ((cleaner.uniform(part), rank, question) for part, rank, question in sides)

        by_slot: dict[str, tuple[Question, ...]] = {}
        for question in questions:
            by_slot[question.slot] = (*by_slot.get(question.slot, ()), question)
        names = [
            (tuple(filter(None, map(cleaner.uniform, _GAP.split(said)))), rank, subject)
            for said, rank, subject in named(by_slot, things)
        ]
        han = [name for name in names if any(map(is_han, "".join(name[0])))]
        latin = [name for name in names if not any(map(is_han, "".join(name[0])))]
        self._outer = (("zh", index(wholes(han))), ("en", index(wholes(latin))))
        self._inner = (("zh", index(parts(han))), ("en", index(parts(latin))))
        self._heads = index(uniform(around(by_slot, 0)))
        self._tails = index(uniform(around(by_slot, 1)))

    def suggest(self, text: str, language: str = "zh", limit: int = 8) -> tuple[Suggestion, ...]:
        """At most `limit` suggestions for what has been typed so far, best first, no text twice.

        Raises InvalidInput unless `text` has 1 to 64 characters and `limit` is 1 to 20.
        """
        if not 0 < len(text) <= LONGEST:
            raise InvalidInput(f"text: expected 1 to {LONGEST} characters, got {len(text)}")
        if not 0 < limit <= MOST:
            raise InvalidInput(f"limit: expected 1 to {MOST}, got {limit}")
        typed = self._cleaner.uniform(text).replace("ü", "v")
        found: dict[str, Suggestion] = {}
        asked: set[tuple[str | None, str]] = set()
        for match, level in self._in_order(typed, language, min(2 * limit, MOST)):
            subject = match.subject
            if not subject.slot or subject.names.get(language):
                suggestion = (match.question or subject.questions[level]).about(subject.names, language)
                same = (suggestion.intent, subject.thing or suggestion.text)
                if suggestion.text not in found and same not in asked:
                    asked.add(same)
                    found[suggestion.text] = suggestion
                if len(found) == limit:
                    break
        return tuple(found.values())

    def _in_order(self, typed: str, language: str, most: int) -> Iterator[tuple[_Match, int]]:
        """What fits, best first, with the number of the question to ask about it."""
        begun = sorted(self._beginning(typed, language, most), key=_Match.order)
        if len(typed) == 1 and not is_han(typed):  # one letter begins some other name of half the shop
            begun = [match for match in begun if not match.alias]
        yield from _levels([match for match in begun if match.grade == _WHOLE], 0)
        yield from ((match, 0) for match in begun)
        held = sorted(self._holding(typed, language, most), key=_Match.order)
        yield from ((match, 0) for match in held)
        yield from _levels([*begun, *held], 1)

    def _beginning(self, typed: str, language: str, most: int) -> Iterator[_Match]:
        """What begins as typed, and questions that have been typed past the name in them or up to it."""
        for native, index in self._outer:
            foreign = native != language
            for f in index.starting(typed, most=most):
                if f.how & INITIALS:
                    grade = _INITIALS_WHOLE if f.whole and not f.how & RARE else _INITIALS
                else:
                    grade = _WHOLE if f.whole and not f.how & PARTIAL else _BEGINS
                yield _Match(grade + (_FOREIGN if foreign and grade else 0), f.how & RARE, f.rank, f.item)
            for f in index.leading(typed):
                for tail in self._tails.starting(typed, f.end):
                    if tail.item in f.item.questions and not (f.how | tail.how) & INITIALS:
                        yield _Match(_BEGINS, (f.how | tail.how) & RARE, f.rank, f.item, tail.item)
            for head in self._heads.leading(typed):
                for f in index.starting(typed, head.end):
                    if head.item in f.item.questions and not head.how & INITIALS:
                        yield _Match(
                            _INITIALS if f.how & INITIALS else _BEGINS, f.how & RARE, f.rank, f.item, head.item
                        )

    def _holding(self, typed: str, language: str, most: int) -> Iterator[_Match]:
        """What holds the typed text further in."""
        if len(typed) < _LEAST_WITHIN and not is_han(typed):
            return
        for native, index in self._inner:
            foreign = native != language
            for f in index.starting(typed, most=most):
                if f.how & INITIALS and f.how & RARE:
                    continue
                grade = (_INITIALS_WITHIN if f.how & INITIALS else _WITHIN) + (_FOREIGN if foreign else 0)
                yield _Match(grade, f.how & RARE, f.rank, f.item)


def _levels(matches: list[_Match], level: int) -> Iterator[tuple[_Match, int]]:
    """The questions about each subject from `level` on: the first about all of them before the second about any."""
    while matches := [m for m in matches if m.question is None and level < len(m.subject.questions)]:
        yield from ((match, level) for match in matches)
        level += 1
