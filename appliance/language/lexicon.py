"""Everything a pack teaches the parser: plain frozen data, filled by `packs.compile`, read by `language.parse`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OUT_OF_SCOPE = "out_of_scope"
"""The intent of everything that the pack does not serve."""


@dataclass(frozen=True, slots=True)
class GazetteerEntry:
    """One thing that customers name: a product, a brand, a place in the store."""

    type: str
    """Entity type: `product`, `brand`, `place`, `colour`, `size`."""
    name: str
    """Canonical name, the entity's value."""
    surfaces: tuple[str, ...]
    """Names and aliases that mean it, in Chinese or English, as people write them."""
    key: str = ""
    """Key of its row in the pack's table (`sku`, `id`); empty where there is no table."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """Further facts that travel with the entity."""


@dataclass(frozen=True, slots=True)
class PatternRule:
    """A regular expression that finds entities of one type."""

    type: str
    """Entity type."""
    regex: str
    """Python regular expression over the cleaned, lower-cased text; group `value` is the entity, else all of it."""
    check: str = ""
    """Name of a checksum in `language.checksums` that the value must pass; empty means none."""
    context: str = ""
    """Regular expression that must be found within `window` characters before the match; empty means none."""
    window: int = 8
    """How far back `context` is looked for."""
    spoken: bool = False
    """True when the digits may be spoken (一二三, 幺); the regex then sees digits in their place."""
    remove: str = ""
    """Regular expression of what is dropped from the value, such as spaces inside a number."""
    confidence: float = 0.9
    """Confidence of what it finds."""
    rank: int = 3
    """Who wins an overlap: 5 checksum, 4 pattern with context, 3 pattern, 2 gazetteer, 1 guess."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """Facts that follow from the pattern, for example the carrier of a tracking number."""
    codes: Mapping[str, GazetteerEntry] = field(default_factory=dict)
    """Listed things by the code that the pattern finds: one that is listed is that thing, another stays a number."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A piece of a sentence that speaks for, or against, an intent."""

    template: str
    """hassil template, found anywhere in the sentence."""
    weight: float
    """Probability that the intent is meant when only this is known; negative speaks against it."""


@dataclass(frozen=True, slots=True)
class IntentRule:
    """How customers say one intent."""

    name: str
    """Intent name."""
    templates: tuple[str, ...] = ()
    """hassil templates of whole sentences, Chinese or English."""
    sentences: tuple[str, ...] = ()
    """Example sentences, compared as they are and by nearness."""
    cues: tuple[Cue, ...] = ()
    """Weighted pieces, for sentences that no template foresaw."""
    alone: tuple[str, ...] = ()
    """Entity types that mean this intent when a turn holds nothing else."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The language side of a pack."""

    intents: tuple[IntentRule, ...]
    """All intents, `out_of_scope` among them."""
    gazetteer: tuple[GazetteerEntry, ...] = ()
    """All named things."""
    patterns: tuple[PatternRule, ...] = ()
    """All patterns, in order of the pack."""
    entity_types: tuple[str, ...] = ()
    """Every entity type that may occur."""
    expansions: Mapping[str, str] = field(default_factory=dict)
    """Rule name to hassil template, used as `<name>`."""
    wildcards: tuple[str, ...] = ()
    """Names of lists that match any short run of text, used as `{name:slot}`."""
    wildcard_refuses: str = ""
    """Regular expression of what a wildcard must not hold."""
    openers: tuple[str, ...] = ()
    """Polite or hesitant words dropped from the front before templates are tried."""
    closers: tuple[str, ...] = ()
    """The same at the end."""
    single_before: str = ""
    """Regular expression that the text before a listed name of one character must match at its end."""
    single_after: str = ""
    """Regular expression that the text behind such a name must match at its beginning."""
    surnames: tuple[str, ...] = ()
    """Chinese family names that may begin a person's name."""
    person_contexts: tuple[str, ...] = ()
    """Words after which a name follows, for example 我叫."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """`accept`: least confidence of an intent; below it the turn is out of scope."""

    @property
    def intent_names(self) -> tuple[str, ...]:
        """Names of all intents in the pack's order."""
        return tuple(rule.name for rule in self.intents)
