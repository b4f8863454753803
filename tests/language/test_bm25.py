"""BM25 over what texts are written with, against the formula worked out by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from appliance.language.bm25 import Documents
from appliance.language.ngrams import features
from appliance.language.pinyin import Syllables

SYLLABLES = Syllables()
DOCUMENTS = (("怎么退货", "退货要小票吗"), ("停车收费吗",), ("wifi password", "无线网密码"))


def by_hand(documents: tuple[tuple[str, ...], ...], text: str) -> list[float]:
    """The formula of Robertson et al. without an index."""
    bags = [Counter(f for way in ways for f in dict(features(way, SYLLABLES))) for ways in documents]
    lengths = [sum(bag.values()) for bag in bags]
    mean = sum(lengths) / len(bags)
    scores, most = [0.0] * len(bags), 0.0
    for feature, weight in dict(features(text, SYLLABLES)).items():
        having = sum(feature in bag for bag in bags)
        idf = math.log(1 + (len(bags) - having + 0.5) / (having + 0.5))
        most += weight * idf * 2.2
        for number, bag in enumerate(bags):
            if feature in bag:
                held = 1.2 * (0.25 + 0.75 * lengths[number] / mean)
                scores[number] += weight * idf * bag[feature] * 2.2 / (bag[feature] + held)
    return [score / most for score in scores]


@pytest.mark.parametrize("text", ["没有小票能退货吗", "停车", "wifi密码多少", "推货", "今天天气"])
def test_likeness_is_the_formula(text: str) -> None:
    found = Documents(DOCUMENTS, SYLLABLES).likeness(text)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(DOCUMENTS, text), rtol=1e-5, atol=1e-7)
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_homophones_are_near() -> None:
    found = Documents(DOCUMENTS, SYLLABLES).likeness("怎么推货")
    assert int(found.argmax()) == 0


def test_what_many_ways_say_counts_more() -> None:
    once = Documents((("退货", "换货"), ("停车",)), SYLLABLES)
    often = Documents((("退货", "退货"), ("停车",)), SYLLABLES)
    assert often.likeness("退货")[0] > once.likeness("退货")[0]


def test_nothing_in_common_nothing_found() -> None:
    assert not Documents(DOCUMENTS, SYLLABLES).likeness("咖啡").any()


def test_no_documents_and_no_text() -> None:
    assert Documents((), SYLLABLES).likeness("退货").shape == (0,)
    assert not Documents(DOCUMENTS, SYLLABLES).likeness("").any()
