"""Variants of a marked sentence say the same of something else."""

from __future__ import annotations

import random

import pytest

from export.train.sentences import Sentence, Span
from export.train.vary import Varier

FIND = Sentence(
    "请问洗衣液在哪，我要红色的", "find_product", (Span(2, 5, "product"), Span(10, 12, "colour")), "neu", "long"
)
OTHERS = (
    FIND,
    Sentence("盐多少钱", "check_price", (Span(0, 1, "product"),)),
    Sentence("蓝的有吗", "check_stock", (Span(0, 2, "colour"),)),
    Sentence("有没有手机充电器", "check_stock", (Span(3, 8, "product"),)),
)


def invent(_: random.Random) -> str:
    return "WiFi路由器"


def parts(sentence: Sentence) -> tuple[list[str], list[tuple[str, str]]]:
    """The words around the mentions, and the mentions with their types."""
    around, mentions, at = [], [], 0
    for span in sentence.spans:
        around.append(sentence.text[at : span.start])
        mentions.append((sentence.text[span.start : span.end], span.type))
        at = span.end
    return [*around, sentence.text[at:]], mentions


def test_nothing_is_varied_where_nothing_is_asked_for() -> None:
    varier = Varier(OTHERS, {"product": invent}, 1)
    assert all(varier.of(FIND, swap=0.0, noise=0.0) == FIND for _ in range(20))


def test_mentions_give_way_to_others_of_their_type_and_the_words_around_stay() -> None:
    varier, seen = Varier(OTHERS, {"product": invent}, 1), set[tuple[str, str]]()
    for _ in range(200):
        found = varier.of(FIND, swap=1.0, noise=0.0)
        around, mentions = parts(found)
        assert around == ["请问", "在哪，我要", "的"]
        assert [kind for _, kind in mentions] == ["product", "colour"]
        assert (found.label, found.polarity, found.style) == ("find_product", "neu", "long")
        seen.update(mentions)
    assert seen == {
        ("洗衣液", "product"),
        ("盐", "product"),
        ("手机充电器", "product"),
        ("wifi路由器", "product"),  # as the cleaner would write what was invented
        ("红色", "colour"),
        ("蓝的", "colour"),
    }


def test_about_the_asked_share_is_swapped() -> None:
    varier = Varier(OTHERS, {"product": invent, "colour": lambda rng: "绿的"}, 2)
    other = sum(parts(varier.of(FIND, swap=0.5, noise=0.0))[1][0][0] != "洗衣液" for _ in range(1000))
    # Half are swapped; a quarter of these draw 洗衣液 again from three (half are invented): 0.5 * 5 / 6.
    assert other / 1000 == pytest.approx(0.5 * 5 / 6, abs=0.05)


def test_an_inventor_that_gives_nothing_leaves_what_was_said() -> None:
    varier = Varier([FIND], {"product": lambda rng: "", "colour": lambda rng: ""}, 3)
    assert all(varier.of(FIND, swap=1.0, noise=0.0) == FIND for _ in range(20))


def test_noise_comes_on_top() -> None:
    varier = Varier(OTHERS, {}, 4)
    found = [varier.of(FIND, swap=0.0, noise=1.0, rate=0.5) for _ in range(20)]
    assert any(one.text != FIND.text for one in found)
    for one in found:
        assert all(0 <= span.start < span.end <= len(one.text) for span in one.spans)


def test_the_same_seed_draws_the_same() -> None:
    def drawn(seed: int) -> list[Sentence]:
        varier = Varier(OTHERS, {"product": invent}, seed)
        return [varier.of(sentence) for _ in range(5) for sentence in OTHERS]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_sentence_without_mentions_stays() -> None:
    sentence = Sentence("几点关门", "store_hours")
    assert Varier(OTHERS, {}, 5).of(sentence, swap=1.0, noise=0.0) == sentence
