"""How well the store pack understands sentences that it has never seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from appliance.language.clean import Cleaner
from appliance.language.flatten import flatten
from appliance.language.lexicon import OUT_OF_SCOPE, Lexicon
from appliance.language.parse import Parser
from appliance.values import Turn

FOLDER = Path(__file__).parent / "sentences"
FLOORS = {"held_out": (0.95, 0.85), "regression": (0.96, 0.88)}
"""Least share of sentences in scope understood, and of sentences out of scope refused."""


def sentences(part: str) -> dict[str, list[str]]:
    collected: dict[str, list[str]] = {}
    for path in sorted((FOLDER / part).glob("*.yaml")):
        for intent, texts in yaml.load(path.read_text("utf-8"), yaml.BaseLoader).items():
            collected.setdefault(intent, []).extend(texts)
    return collected


def flat(cleaner: Cleaner, text: str) -> str:
    return flatten(cleaner.clean(text).text).text


@pytest.mark.parametrize("part", sorted(FLOORS))
def test_accuracy(parser: Parser, part: str) -> None:
    right: Counter[bool] = Counter()
    total: Counter[bool] = Counter()
    confused = []
    for wanted, texts in sentences(part).items():
        for text in texts:
            intent = parser.parse(Turn(text)).intent
            total[wanted == OUT_OF_SCOPE] += 1
            right[wanted == OUT_OF_SCOPE] += intent.name == wanted
            if intent.name != wanted:
                confused.append(f"{wanted:>18} <- {intent.name:<18} {intent.confidence:.2f}  {text}")
    inside, outside = right[False] / total[False], right[True] / total[True]
    report = f"{part}: {inside:.3f} of {total[False]} in scope, {outside:.3f} of {total[True]} out of scope\n"
    print(report)
    assert inside >= FLOORS[part][0], report + "\n".join(confused)
    assert outside >= FLOORS[part][1], report + "\n".join(confused)


def test_a_high_confidence_is_right_nearly_always(parser: Parser) -> None:
    judged: dict[bool, Counter[bool]] = {True: Counter(), False: Counter()}
    for wanted, texts in sentences("held_out").items():
        for text in texts:
            intent = parser.parse(Turn(text)).intent
            judged[intent.confidence >= 0.9][intent.name == wanted] += 1
    sure, unsure = judged[True], judged[False]
    assert sure[True] / sure.total() >= 0.97
    assert sure[True] / sure.total() > unsure[True] / unsure.total()
    assert sure.total() > unsure.total()


def test_there_are_enough_sentences(lexicon: Lexicon) -> None:
    counted = Counter(intent for part in FLOORS for intent, texts in sentences(part).items() for _ in texts)
    assert set(counted) <= set(lexicon.intent_names)
    for intent in lexicon.intent_names:
        assert counted[intent] >= (100 if intent == OUT_OF_SCOPE else 24), intent


def test_held_out_sentences_are_not_the_packs_own(lexicon: Lexicon, cleaner: Cleaner) -> None:
    """A short phrase such as 取号 may be both; a sentence of eight characters may not."""
    own = {flat(cleaner, sentence) for rule in lexicon.intents for sentence in rule.sentences}
    asked = [flat(cleaner, text) for texts in sentences("held_out").values() for text in texts]
    assert [text for text in asked if len(text) >= 8 and text in own] == []
    assert sum(text in own for text in asked) / len(asked) < 0.12


def test_every_intent_is_described(lexicon: Lexicon) -> None:
    assert len(lexicon.intents) == 29
    for rule in lexicon.intents:
        assert len(rule.sentences) >= 30, rule.name
        assert any(sentence.isascii() for sentence in rule.sentences), rule.name
        assert any(not sentence.isascii() for sentence in rule.sentences), rule.name
        if rule.name != OUT_OF_SCOPE:
            assert rule.templates, rule.name
