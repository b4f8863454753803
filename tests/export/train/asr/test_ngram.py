"""The character model: probabilities behind every context add up to one, also where grams were left out."""

from __future__ import annotations

import math

import pytest

from export.train.asr import ngram
from export.train.asr.ngram import Built

TEXTS = [("洗衣液在哪里", 3), ("洗手间在哪里", 1), ("我要退货", 2), ("我要退款", 1), ("在哪里退货", 1), ("衣服在哪", 1)]
WORDS = ["洗衣机", "衣柜", "退货单"]


def probability(built: Built, context: tuple[int, ...], character: int) -> float:
    """Natural logarithm, as back-off models define it."""
    gram = (*context, character)
    found = built.probability[len(context)].get(gram)
    if found is not None or not context:
        return built.probability[0][(character,)] if found is None else found
    return built.backoff[len(context) - 1].get(context, 0.0) + probability(built, context[1:], character)


@pytest.mark.parametrize("order, least", [(2, ()), (3, ()), (4, ()), (3, (1, 2)), (4, (2, 2, 2))])
def test_probabilities_behind_a_context_add_up_to_one(order: int, least: tuple[int, ...]) -> None:
    built = ngram.build(TEXTS, WORDS, "龘A", order, least)
    contexts = {gram[:-1] for table in built.probability for gram in table if len(gram) < order}
    contexts |= {gram for table in built.probability[:-1] for gram in table}
    assert len(contexts) > 20
    for context in contexts:
        total = sum(math.exp(probability(built, context, c)) for c in range(len(built.characters)))
        assert total == pytest.approx(1, abs=0.02), [built.characters[c] for c in context]


def test_what_was_seen_is_likelier() -> None:
    built = ngram.build(TEXTS, WORDS, "龘", 3)
    number = {c: n for n, c in enumerate(built.characters)}

    def likely(text: str) -> float:
        ids = [0, *(number[c] for c in text), 1]
        return sum(probability(built, tuple(ids[max(0, at - 2) : at]), ids[at]) for at in range(1, len(ids)))

    assert likely("洗衣液在哪里") > likely("洗衣液在那里".replace("那", "退"))
    assert likely("我要退货") > likely("我要退单")
    assert likely("退货龘") > -math.inf


def test_what_was_left_out_is_smaller_by_just_that() -> None:
    whole, part = ngram.build(TEXTS, WORDS, "", 3), ngram.build(TEXTS, WORDS, "", 3, (1, 3))
    assert len(part.probability[1]) == len(whole.probability[1])
    assert 0 < len(part.probability[2]) < len(whole.probability[2])
