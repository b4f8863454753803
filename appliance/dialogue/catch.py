"""'I did not catch that': what to do with words that were heard, by how sure recogniser and parser are together.

A recogniser that is unsure about words that mean nothing has misheard; one that is unsure about words that plainly
mean something has most likely heard them. So neither confidence decides alone. The first row of `TABLE` that fits is
what happens; the last one fits always. Typed, tapped and photographed turns are none of this module's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.values import Parse, Turn

ACCEPT, CONFIRM, REPEAT = "accept", "confirm", "repeat"
"""Go on with the words; ask whether they were said; ask for them once more."""

_SAID = frozenset(("template", "sentence"))
"""Sources of an intent that mean that the words are a whole sentence of the pack."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where sure begins and lost ends."""

    lost: float = 0.35
    """Recogniser confidence below which its words are a guess."""
    certain: float = 0.8
    """Recogniser confidence from which its words stand, whatever they mean."""
    clear: float = 0.8
    """Intent confidence from which words mean what they seem to mean."""
    margin: float = 0.15
    """Distance to the next best intent from which there is no other meaning."""
    short: int = 1
    """Characters up to which words may be a breath or a cough."""
    patience: int = 2
    """Times in a row that a customer is asked to say it again; then the dialogue's own ways out count."""
    costly: frozenset[str] = frozenset(("cancel", "goodbye"))
    """Intents that lose what a customer has said so far; they are asked about when in doubt."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of words that were heard."""

    confidence: float
    """The recogniser's, 0 to 1."""
    characters: int
    """Letters, digits and Chinese characters of the text."""
    intent: str
    """The best intent."""
    sure: float
    """Its confidence, 0 to 1."""
    margin: float
    """How much surer it is than the next best, 0 to 1."""
    whole: bool = False
    """True when the words are a sentence or template of the pack as a whole."""
    answers: bool = False
    """True when the words answer the question that the kiosk has asked."""
    repeats: int = 0
    """How often in a row the customer has been asked to say it again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and why."""

    action: str
    """`accept`, `confirm` or `repeat`."""
    reason: str
    """Name of the row that decided, for the log and for tests."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    reason: str
    """Its name."""
    fits: Callable[[Heard, Thresholds], bool]
    """Whether it is about these words."""
    action: str
    """What follows."""
    why: str
    """Why that follows."""


def _clear(heard: Heard, at: Thresholds) -> bool:
    meant = heard.intent != OUT_OF_SCOPE and heard.sure >= at.clear and (heard.whole or heard.margin >= at.margin)
    return heard.answers or meant


TABLE: tuple[Row, ...] = (
    Row("silence", lambda h, t: h.characters == 0, REPEAT, "there are no words to go on with"),
    Row(
        "patience",
        lambda h, t: h.repeats >= t.patience,
        ACCEPT,
        "asking a third time helps nobody: misses lead to help",
    ),
    Row(
        "certain",
        lambda h, t: h.confidence >= t.certain,
        ACCEPT,
        "the words stand; not understanding them is no mishearing",
    ),
    Row(
        "faint",
        lambda h, t: h.confidence < t.lost and _clear(h, t),
        CONFIRM,
        "a guess that means something is asked about",
    ),
    Row("lost", lambda h, t: h.confidence < t.lost, REPEAT, "a guess that means nothing is noise"),
    Row("answer", lambda h, t: h.answers, ACCEPT, "it fits what was asked; unsure values are confirmed by their slot"),
    Row(
        "breath",
        lambda h, t: h.characters <= t.short and not _clear(h, t),
        REPEAT,
        "嗯 and 啊 are what noise is heard as",
    ),
    Row("nonsense", lambda h, t: h.intent == OUT_OF_SCOPE, REPEAT, "unsure words that mean nothing here were others"),
    Row("costly", lambda h, t: h.intent in t.costly, CONFIRM, "a misheard 算了 would throw the task away"),
    Row("doubtful", lambda h, t: not _clear(h, t), CONFIRM, "neither the words nor their meaning is sure"),
    Row("meant", lambda h, t: True, ACCEPT, "what plainly means something was most likely said"),
)
"""The rule, row by row; the first that fits decides."""


def of(turn: Turn, parse: Parse, *, answers: bool, repeats: int = 0) -> Heard:
    """What is known of a turn that was heard; `answers` when its words answer the open question."""
    second = max((other.confidence for other in parse.alternatives), default=0.0)
    return Heard(
        confidence=turn.confidence,
        characters=sum(map(str.isalnum, turn.text)),
        intent=parse.intent.name,
        sure=parse.intent.confidence,
        margin=max(0.0, parse.intent.confidence - second),
        whole=parse.source in _SAID,
        answers=answers,
        repeats=repeats,
    )


def judge(heard: Heard, at: Thresholds | None = None) -> Verdict:
    """What to do with words that were heard: the first row of `TABLE` that fits."""
    at = at or Thresholds()
    row = next(row for row in TABLE if row.fits(heard, at))
    return Verdict(row.action, row.reason)
