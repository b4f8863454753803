"""What a customer said, typed, tapped or showed, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.values.empty import EMPTY, NO_TIMINGS


@dataclass(frozen=True, slots=True)
class Entity:
    """A typed piece of text with its normalised value."""

    type: str
    """Entity type from the pack, for example `tracking_no`."""
    text: str
    """Exactly the characters `turn.text[start:end]`."""
    value: str
    """Normalised value, for example `2` for 两 and `SF1392847561002` for a number spoken digit by digit."""
    start: int
    """First character in the turn's text."""
    end: int
    """One past the last character."""
    confidence: float = 1.0
    """0 to 1."""
    source: str = "pattern"
    """What found it: `pattern`, `gazetteer`, `template`, `model`, `barcode`, `tap`."""
    detail: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    """Parts of the value: province, city and district of an address; carrier of a tracking number."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What the customer wants."""

    name: str
    """Intent name from the pack, for example `find_product`."""
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """How the customer feels."""

    name: str
    """`neg`, `neu` or `pos`."""
    confidence: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class FaqMatch:
    """A row that may answer a sentence."""

    id: str
    """The row."""
    confidence: float
    """Probability that it is the right row, 0 to 1."""
    way: str
    """The way of asking that is likest."""
    words: float
    """Likeness of the words, 0 to 1."""
    meaning: float
    """Likeness of the vectors, -1 to 1; 0 where no network serves."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing a customer said, typed, tapped or showed: the one door into the process."""

    text: str
    """The words as given; never changed, so that spans can point into it."""
    source: str = "text"
    """`text`, `tap`, `image`, `audio` or `barcode`."""
    confidence: float = 1.0
    """How sure the sense was of the text, 0 to 1."""
    language: str = "zh"
    """`zh` or `en`: the language to answer in."""
    entities: tuple[Entity, ...] = ()
    """Structure that came with the turn and is not guessed again from text."""
    intent: Intent | None = None
    """An intent that came with the turn (a tapped suggestion)."""
    alternatives: tuple[str, ...] = ()
    """Other readings of the same input, best first."""
    partial: bool = False
    """True when the text is only part of what was shown: the photo was not read to its end in time."""


@dataclass(frozen=True, slots=True)
class Parse:
    """What a turn means."""

    intent: Intent
    """The best intent; `out_of_scope` with its confidence when nothing fits."""
    entities: tuple[Entity, ...] = ()
    """Entities in order of position, none overlapping."""
    alternatives: tuple[Intent, ...] = ()
    """Next best intents, best first."""
    clean: str = ""
    """The cleaned text that was matched."""
    language: str = "zh"
    """Language of the text: `zh` or `en`."""
    source: str = "template"
    """What decided the intent: `template`, `sentence`, `keyword`, `turn`, `entity`, `model` or `none`."""
    timings_ms: Mapping[str, float] = field(default_factory=lambda: NO_TIMINGS)
    """Milliseconds by stage: clean, entities, tagger, encoder, intent, faq."""
    sentiment: Sentiment | None = None
    """How the customer feels; None where no network serves."""
    faq: tuple[FaqMatch, ...] = ()
    """Frequent questions that it may be, likeliest first."""
    personal: tuple[Entity, ...] = ()
    """What tables and patterns took for personal and is no entity, or has other bounds as one: masked in the log."""
    models: tuple[str, ...] = ()
    """Networks that took part, as `name@digest`."""
