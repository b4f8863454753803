"""What a compiled pack is. `packs.compile.load_pack` makes it; the dialogue and the channels read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appliance.language.faq import FaqRow
from appliance.language.lexicon import Lexicon
from appliance.language.questions import Question

if TYPE_CHECKING:
    from appliance.packs.flows import Flow
    from appliance.packs.responses import Response

SCHEMA = 1
"""Revision of the form that packs are written in: one written in another is not taken in by a bundle."""

Row = Mapping[str, str]
"""One row of a table: column name to text, blank cells as empty text."""


@dataclass(frozen=True, slots=True)
class Localised:
    """The same words in both languages."""

    zh: str
    """Chinese."""
    en: str
    """English."""

    def said_in(self, language: str) -> str:
        """The words in `language`: English for `en`, Chinese for everything else."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class PackSuggestion:
    """Something to tap before the first turn."""

    label: Localised
    """Words on the button."""
    text: Localised
    """Text of the turn that a tap sends."""
    intent: str
    """Intent that the tap carries."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack, compiled and cross-checked.

    Entities of tabled types (`product`, `brand`, `place`) carry in `Entity.value` the canonical Chinese name, or the
    words said where they mean several rows, and in `Entity.detail["keys"]` the comma-separated keys of those rows:
    `sku` of products.csv, `id` of places.csv and brands.csv.
    """

    name: str
    """Folder name."""
    title: Localised
    """Name of the shop or service."""
    welcome: Localised
    """First words on the screen."""
    suggestions: tuple[PackSuggestion, ...]
    """What to tap first."""
    lexicon: Lexicon
    """The language side."""
    wake: tuple[str, ...] = ()
    """Phrases with which a customer speaks to the kiosk without touching it; empty means the usual one."""
    questions: tuple[Question, ...] = ()
    """What customers are likely to type, most frequent first: `suggestions`, then suggest.yaml."""
    flows: Mapping[str, Flow] = field(default_factory=dict)
    """Tasks by name, from flows.yaml."""
    responses: Mapping[str, Response] = field(default_factory=dict)
    """Answers by key, from responses.yaml."""
    tables: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """Every CSV file of the folder by its stem."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """facts.yaml as it is: opening hours, phone numbers and the like."""
    faq: tuple[FaqRow, ...] = ()
    """Frequent questions with their answers, from faq.csv."""
