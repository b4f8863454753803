"""Sentences drawn from a pack's templates: training material beside the hand-written sentences, spans included.

A template is walked as hassil parsed it: one branch of each alternative, each optional part half of the time, an
invented value for each entity, a listed or invented name for each wildcard.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from appliance.language.templates import GAP, _parse
from appliance.packs.schema import Pack
from export.train.sentences import Sentence, Span
from export.train.values import inventors

_DEPTH = 16
Draw = Callable[[random.Random], str]


class Walker:
    """Draws sentences from templates of one pack."""

    def __init__(self, pack: Pack, draw: Mapping[str, Draw] | None = None) -> None:
        """Take the pack's rules; `draw` invents values for its entity types (`values.inventors`)."""
        lexicon = pack.lexicon
        self._expansions, self._wildcards = lexicon.expansions, set(lexicon.wildcards)
        self._draw: Mapping[str, Draw] = inventors(pack) if draw is None else draw

    def draw(self, template: str, rng: random.Random) -> list[tuple[str, str]]:
        """Pieces of one sentence, (text, entity type or empty)."""
        return list(self._walk(_parse(template), rng, 0))

    def _walk(self, node: Any, rng: random.Random, depth: int) -> Iterator[tuple[str, str]]:
        from hassil.expression import Alternative, ListReference, RuleReference, TextChunk

        if depth > _DEPTH:
            raise ValueError("expected rules that do not refer to themselves")
        if isinstance(node, TextChunk):
            yield node.text, ""
        elif isinstance(node, ListReference):
            yield from self._value(node.list_name, node.slot_name, rng)
        elif isinstance(node, RuleReference):
            yield from self._walk(_parse(self._expansions[node.rule_name]), rng, depth + 1)
        elif isinstance(node, Alternative):
            branches = [item for item in node.items if not _is_empty(item)]
            if branches and not ((node.is_optional or len(branches) < len(node.items)) and rng.random() < 0.6):
                yield from self._walk(rng.choice(branches), rng, depth + 1)
        else:
            for item in node.items:
                yield from self._walk(item, rng, depth + 1)

    def _value(self, name: str, slot: str, rng: random.Random) -> Iterator[tuple[str, str]]:
        if name in self._wildcards and slot == GAP:
            return
        kind = slot if name in self._wildcards else name
        if kind in self._draw:
            yield self._draw[kind](rng), kind


def _is_empty(node: Any) -> bool:
    items = getattr(node, "items", None)
    if items is not None:
        return all(_is_empty(item) for item in items)
    return not getattr(node, "text", "x")


def sentence(pieces: list[tuple[str, str]], label: str) -> Sentence:
    """Pieces put together, spaces tidied."""
    text, spans = "", []
    for words, kind in pieces:
        if not kind:
            words = " ".join(words.split(" ")) if words.strip() else words[:1]
        if text.endswith(" ") or not text:
            words = words.lstrip(" ")
        if text[-1:].isascii() and text[-1:].isalpha() and words[:1].isascii() and words[:1].isalpha():
            text += " "  # templates leave out what the matcher does not look at
        if kind and words:
            spans.append(Span(len(text), len(text) + len(words), kind))
        text += words
    return Sentence(text.rstrip(" "), label, tuple(spans), "", "")


def expansions(pack: Pack, each: int, seed: int) -> list[Sentence]:
    """`each` sentences of every intent from its templates, and all its example sentences; none twice.

    The example sentences have no marked mentions (`spanned` is False).
    """
    rng = random.Random(seed)
    walker = Walker(pack)
    found: list[Sentence] = []
    for rule in pack.lexicon.intents:
        seen: set[str] = set()
        for words in rule.sentences:
            if words not in seen:
                seen.add(words)
                found.append(Sentence(words, rule.name, spanned=False))
        wanted = len(seen) + (each if rule.templates else 0)
        for _ in range(each * 8):
            if len(seen) >= wanted:
                break
            drawn = sentence(walker.draw(rng.choice(rule.templates), rng), rule.name)
            if len(drawn.text) > 1 and drawn.text not in seen:
                seen.add(drawn.text)
                found.append(drawn)
    return found
