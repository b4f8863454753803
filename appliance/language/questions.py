"""Questions that customers ask, what they are about, and every name by which either may be typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, count

from appliance.language.lexicon import GazetteerEntry
from appliance.values import Suggestion

SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""Stands in a question for each thing of a type."""
ALIAS = 1 << 20
"""Added to the rank of an alias, so that names go before it."""

_HAN = "\u3400"
"""First Chinese character."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something customers ask; `{product}` in it stands for every product, and so for any listed type."""

    intent: str
    """Intent that it has."""
    label: Mapping[str, str]
    """Words to show, by language."""
    text: Mapping[str, str]
    """Words to send, by language."""

    @property
    def slot(self) -> str:
        """The entity type that it asks about; empty when it stands for itself."""
        found = SLOT.search(self.text["zh"])
        return found[1] if found else ""

    def about(self, names: Mapping[str, str], language: str) -> Suggestion:
        """The suggestion for one thing with these `names` by language."""
        said = names.get(language, "")
        return Suggestion(SLOT.sub(said, self.label[language]), SLOT.sub(said, self.text[language]), self.intent)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: a listed thing, or nothing for a question that stands for itself."""

    slot: str
    """Its type; empty for a question that stands for itself."""
    names: Mapping[str, str]
    """What it is called, by language."""
    questions: tuple[Question, ...]
    """What may be asked about it, most frequent first."""
    thing: str = ""
    """Type and key of the thing, if it is one or asks about one."""


Name = tuple[tuple[str, ...], int, Subject]
"""The words of a name in uniform text, its rank, and what it names."""


def named(
    by_slot: Mapping[str, tuple[Question, ...]], things: Iterable[GazetteerEntry]
) -> Iterator[tuple[str, int, Subject]]:
    """Every name with its rank: questions that stand for themselves first, then things in the pack's order."""
    numbers = count()
    things = tuple(things)
    for question in by_slot.get("", ()):
        thing = _asked_about(question, by_slot, things)
        shown = Subject("", {}, (question,), thing)
        spoken = Subject("", {}, (Question(question.intent, question.text, question.text),), thing)
        yield from ((said, next(numbers), shown) for said in question.label.values())
        yield from ((said, next(numbers) + ALIAS, spoken) for said in question.text.values())
    for entry in things:
        if entry.type not in by_slot or not entry.type:
            continue
        english = next((surface for surface in entry.surfaces if surface.isascii()), "")
        names = {"zh": entry.name, "en": entry.detail.get("name_en", english)}
        subject = Subject(entry.type, names, by_slot[entry.type], _thing(entry))
        for said in dict.fromkeys((*filter(None, names.values()), *entry.surfaces)):
            yield said, next(numbers) + (0 if said in names.values() else ALIAS), subject


def _thing(entry: GazetteerEntry) -> str:
    return f"{entry.type}:{entry.key or entry.name}"


def _asked_about(
    question: Question, by_slot: Mapping[str, tuple[Question, ...]], things: Iterable[GazetteerEntry]
) -> str:
    """The thing that a question without a slot names, where another asks the same about any thing; else empty."""
    slots = {slot for slot, asked in by_slot.items() if slot and any(q.intent == question.intent for q in asked)}
    named = [
        (len(said), _thing(entry))
        for entry in things
        if entry.type in slots
        for said in entry.surfaces
        if said in question.text["zh"]
    ]
    return max(named, default=(0, ""), key=lambda pair: pair[0])[1]


def wholes(names: Iterable[Name]) -> Iterator[tuple[str, int, Subject]]:
    """Every name without its gaps."""
    return (("".join(words), rank, subject) for words, rank, subject in names)


def parts(names: Iterable[Name]) -> Iterator[tuple[str, int, Subject]]:
    """Every name from each further word on and, where it is Chinese, from each further character on."""
    for words, rank, subject in names:
        said, starts = "".join(words), set(accumulate(map(len, words)))
        for at in range(1, len(said)):
            if at in starts or said[at] >= _HAN or said[at - 1] >= _HAN:
                yield said[at:], rank, subject


def around(by_slot: Mapping[str, tuple[Question, ...]], side: int) -> Iterator[tuple[str, int, Question]]:
    """What stands before (`side` 0) or behind (1) the name in each question, where the other side is free."""
    for slot, questions in by_slot.items():
        for rank, question in enumerate(questions if slot else ()):
            for text in question.text.values():
                sides = SLOT.split(text)[::2]
                if sides[side].strip() and (side == 0 or not sides[0].strip()):
                    yield sides[side], rank, question
