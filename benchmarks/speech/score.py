"""What was recognised beside what was said: character errors by jiwer, with numbers and punctuation normalised.

Both sides are written alike before they are compared: full-width forms, case and punctuation do not count, spaces only
between words of letters, and numbers are brought to digits by the appliance's own writer (二十九 is 29). The rate is
that of the sums, edits by characters said: a long recording weighs more than a short one, and it may be over 1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from appliance.language.numbers.written import Writer
from appliance.speech.asr import unspaced

_MARKS = ("P", "S", "C")
"""Unicode categories that are no part of what is said: punctuation, symbols, control characters."""
_DIGITS_APART = re.compile(r"(?<=[0-9]) (?=[0-9])")


@lru_cache(maxsize=1)
def _writer() -> Writer:
    return Writer()


@dataclass(frozen=True, slots=True)
class Score:
    """Edits between what was said and what was recognised."""

    said: int
    """Characters (or words) that were said."""
    substituted: int
    """Others in their place."""
    deleted: int
    """Missing."""
    inserted: int
    """Nobody said."""

    @property
    def rate(self) -> float:
        """Edits by what was said; where nothing was said, 1 for anything recognised."""
        edits = self.substituted + self.deleted + self.inserted
        return edits / self.said if self.said else float(edits > 0)

    def json(self) -> dict[str, Any]:
        """Its counts and its rate."""
        counts = {name: getattr(self, name) for name in ("said", "substituted", "deleted", "inserted")}
        return counts | {"rate": round(self.rate, 4)}


def normal(text: str) -> str:
    """`text` in the form in which both sides are compared; see the head of this file."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = _spaced(_unmarked(text))
    return _spaced(_unmarked(_DIGITS_APART.sub("", _writer().write(text).text)))


def _unmarked(text: str) -> str:
    """Without punctuation, but with the point of 3.5 and the apostrophe of don't, which are said."""
    kept = []
    for at, character in enumerate(text):
        around = text[at - 1 : at] + text[at + 1 : at + 2]
        inside = len(around) == 2 and (
            (character == "." and around.isdigit()) or (character == "'" and around.isalpha())
        )
        kept.append(character if inside or unicodedata.category(character)[0] not in _MARKS else " ")
    return "".join(kept)


def _spaced(text: str) -> str:
    """One space between words of letters; none beside Chinese characters."""
    said = ""
    for word in text.split():
        if said and not (unspaced(said[-1]) or unspaced(word[0])):
            said += " "
        said += word
    return said


def characters(said: str, recognised: str) -> Score:
    """Character errors of one recording; spaces are no characters."""
    import jiwer

    reference, hypothesis = (normal(text).replace(" ", "") for text in (said, recognised))
    if not reference or not hypothesis:  # jiwer refuses an empty side
        return Score(len(reference), 0, len(reference), len(hypothesis))
    found = jiwer.process_characters(reference, hypothesis)
    return Score(len(reference), found.substitutions, found.deletions, found.insertions)


def words(said: str, recognised: str) -> Score:
    """Word errors of one recording, for languages that have spaces."""
    import jiwer

    reference, hypothesis = normal(said), normal(recognised)
    if not reference or not hypothesis:
        return Score(len(reference.split()), 0, len(reference.split()), len(hypothesis.split()))
    found = jiwer.process_words(reference, hypothesis)
    return Score(len(reference.split()), found.substitutions, found.deletions, found.insertions)


def total(scores: Iterable[Score]) -> Score:
    """All together."""
    listed: Sequence[Score] = list(scores)
    sums = (sum(getattr(score, name) for score in listed) for name in ("said", "substituted", "deleted", "inserted"))
    return Score(*sums)
