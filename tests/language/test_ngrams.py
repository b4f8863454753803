"""Nearness of texts by their characters, sounds and words, against the same computed densely in doubles."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.language.ngrams import NGrams, features
from appliance.language.pinyin import Syllables

TEXTS = ("我要退货", "我要提货", "我要寄快递", "快递到哪了", "how do i return this", "wifi 密码是多少", "退", "")
ASKED = (*TEXTS, "我要推货", "请问退货吗", "return it", "密码", "绿野仙踪", "q", "x y z", "2026")


@pytest.fixture(scope="module")
def index(syllables: Syllables) -> NGrams:
    return NGrams(TEXTS, syllables)


def dense(texts: tuple[str, ...], asked: str, syllables: Syllables) -> npt.NDArray[np.float64]:
    """Cosine of `asked` with every text over vectors that hold every feature there is."""
    bags = [dict(features(text, syllables)) for text in texts]
    question = dict(features(asked, syllables))
    names = sorted({name for bag in (*bags, question) for name in bag})
    rarity = [math.log((len(texts) + 1) / (sum(name in bag for bag in bags) or 1)) for name in names]

    def vector(bag: dict[str, float]) -> npt.NDArray[np.float64]:
        weighted = np.array([bag.get(name, 0.0) for name in names]) * np.array(rarity)
        return np.asarray(weighted / (np.linalg.norm(weighted) or 1.0))

    return np.array([vector(bag) @ vector(question) for bag in bags])


def test_chinese_gives_characters_pairs_edges_and_sounds(syllables: Syllables) -> None:
    found = dict(features("退货", syllables))
    sounds = syllables.fold("退货")
    assert set(found) == {"退", "货", "^退", "退货", "货$", "s" + sounds}
    assert found["退货"] > found["s" + sounds] > found["^退"] == found["货$"] == found["退"]


def test_english_gives_words_and_pairs_of_words(syllables: Syllables) -> None:
    assert [name for name, _ in features("return it now", syllables)] == [
        "wreturn",
        "wit",
        "wnow",
        "vreturn it",
        "vit now",
    ]


def test_words_amid_chinese_are_taken_out_of_it(syllables: Syllables) -> None:
    names = {name for name, _ in features("连wifi 5g网", syllables)}
    assert {"wwifi", "w5g", "vwifi 5g", "连网"} <= names
    assert not any("i" in name for name in names if name[0] not in "wv")


def test_nothing_has_no_features(syllables: Syllables) -> None:
    assert list(features("", syllables)) == []
    assert list(features("  ", syllables)) == []


@pytest.mark.parametrize("asked", ASKED)
def test_likeness_is_the_cosine(index: NGrams, syllables: Syllables, asked: str) -> None:
    found = index.likeness(asked)
    assert (found.shape, found.dtype) == ((len(TEXTS),), np.dtype(np.float32))
    np.testing.assert_allclose(found, dense(TEXTS, asked, syllables), atol=1e-5)


def test_a_text_is_like_itself_alone_by_one(index: NGrams) -> None:
    for number, text in enumerate(TEXTS[:-1]):
        found = index.likeness(text)
        assert found[number] == pytest.approx(1.0, abs=1e-5)
        assert int(found.argmax()) == number
    assert not index.likeness("").any()
    assert not index.likeness("绿野仙踪").any()


def test_the_rare_pair_decides_and_the_frequent_hardly_counts(syllables: Syllables) -> None:
    frequent = ("我要提货", "我要开发票", "我要办卡", "我要存包", "我要排号", "我要付款")
    found = NGrams(("退货流程", *frequent), syllables).likeness("我要退货")
    assert found[0] > 2 * found[2:].max()
    assert found[1] > found[2]  # 货 is shared by two, 我要 by six


def test_a_homophone_is_nearer_than_another_word(index: NGrams) -> None:
    found = index.likeness("我要推获")
    assert found[0] > found[2] > 0
    assert found[0] > found[3]


def test_every_indexed_text_against_every_other(index: NGrams) -> None:
    kernel = index.kernel()
    assert (kernel.shape, kernel.dtype) == ((len(TEXTS), len(TEXTS)), np.dtype(np.float32))
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-6)
    np.testing.assert_allclose(kernel, [index.likeness(text) for text in TEXTS], atol=1e-5)


def test_the_same_text_twice_is_twice_there(syllables: Syllables) -> None:
    index = NGrams(("退货", "退货", "快递"), syllables)
    np.testing.assert_allclose(index.likeness("退货"), [1, 1, 0], atol=1e-5)


def test_an_index_of_nothing_is_empty(syllables: Syllables) -> None:
    index = NGrams((), syllables)
    assert index.count == 0
    assert index.likeness("退货").shape == (0,)
    assert index.kernel().shape == (0, 0)


def test_one_text_is_index_enough(syllables: Syllables) -> None:
    np.testing.assert_allclose(NGrams(["退货"], syllables).likeness("退货"), [1.0], atol=1e-5)


@settings(max_examples=60)
@given(st.text("退货快递要abc1 ", max_size=20))
def test_likeness_lies_between_nothing_and_one(index: NGrams, text: str) -> None:
    found = index.likeness(text)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-5


def test_many_threads_get_the_same_likeness(index: NGrams) -> None:
    texts = ASKED * 10
    alone = [index.likeness(text).tolist() for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: index.likeness(text).tolist(), texts)) == alone
