from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from appliance.language.clean import Cleaner
from appliance.language.gazetteer import Gazetteer
from appliance.language.lexicon import GazetteerEntry
from appliance.language.pinyin import Syllables

ENTRIES = (
    GazetteerEntry("product", "洗衣液", ("洗衣液", "laundry detergent"), "P1"),
    GazetteerEntry("product", "5号电池", ("5号电池", "电池", "batteries"), "P2"),
    GazetteerEntry("product", "7号电池", ("7号电池", "电池", "batteries"), "P3"),
    GazetteerEntry("product", "中性笔", ("中性笔", "pen"), "P4"),
    GazetteerEntry("product", "食盐", ("盐",), "P5"),
    GazetteerEntry("product", "手机充电器", ("手机充电器",), "P6"),
    GazetteerEntry("place", "洗手间", ("洗手间", "ＷＣ"), "toilet"),
    GazetteerEntry("colour", "红色", ("红色", "红的")),
)


@pytest.fixture
def gazetteer(cleaner: Cleaner, syllables: Syllables) -> Gazetteer:
    return Gazetteer(ENTRIES, cleaner, syllables)


Find = Callable[[str], list[tuple[str, tuple[str, ...], float]]]


@pytest.fixture
def exact(gazetteer: Gazetteer) -> Find:
    return lambda text: [
        (text[h.start : h.end], tuple(e.key for e in h.entries), h.confidence) for h in gazetteer.exact(text)
    ]


@pytest.fixture
def near(gazetteer: Gazetteer) -> Find:
    return lambda text: [
        (text[h.start : h.end], tuple(e.key for e in h.entries), h.confidence)
        for h in gazetteer.near(text, [(0, len(text))])
    ]


def test_names_and_aliases(exact: Find) -> None:
    assert exact("洗衣液在哪") == [("洗衣液", ("P1",), 0.98)]
    assert exact("wc") == [("wc", ("toilet",), 0.98)]
    assert exact("laundry detergent please") == [("laundry detergent", ("P1",), 0.98)]


def test_a_name_of_several_rows_keeps_them_all(exact: Find) -> None:
    assert exact("电池") == [("电池", ("P2", "P3"), 0.98)]
    assert exact("7号电池") == [("7号电池", ("P3",), 0.98), ("电池", ("P2", "P3"), 0.98)]


def test_one_character_is_less_sure(exact: Find) -> None:
    assert exact("盐") == [("盐", ("P5",), 0.7)]


def test_latin_names_are_whole_words(exact: Find) -> None:
    assert exact("open pencil") == []
    assert exact("pens") == [("pen", ("P4",), 0.98)]
    assert exact("买pen吗") == [("pen", ("P4",), 0.98)]


def test_a_homophone_is_found_less_sure(near: Find) -> None:
    assert near("洗衣夜在哪") == [("洗衣夜", ("P1",), 0.85)]
    assert [(said, keys) for said, keys, _ in near("电迟")] == [("电迟", ("P2", "P3"))]


def test_two_syllables_need_one_right_character(near: Find) -> None:
    assert near("店吃") == []


def test_a_word_with_a_particle_is_no_homophone(near: Find) -> None:
    assert near("宏的") == []


def test_one_wrong_character_in_a_longer_name(near: Find) -> None:
    (said, keys, sure), *rest = near("手机充地器")
    assert (said, keys, rest) == ("手机充地器", ("P6",), [])
    assert 0.5 < sure < 0.85
    (said, keys, sure), *rest = near("battaries here")
    assert (said, keys) == ("battaries", ("P2", "P3"))


def test_near_stays_inside_the_free_spans(gazetteer: Gazetteer) -> None:
    assert list(gazetteer.near("洗衣夜", [(0, 2)])) == []
    assert list(gazetteer.near("洗", [(0, 1)])) == []


def test_twenty_thousand_names_find_the_longest(cleaner: Cleaner, syllables: Syllables) -> None:
    rng = random.Random(7)
    words = [
        "".join(rng.choice("山水风云花鸟鱼虫天地日月星辰") for _ in range(rng.randint(2, 6))) for _ in range(20_000)
    ]
    names = list(dict.fromkeys(words))
    gazetteer = Gazetteer([GazetteerEntry("product", name, (name,), name) for name in names], cleaner, syllables)
    for name in names[:200]:
        said = cleaner.clean(name).text
        assert (0, len(said)) in {(hit.start, hit.end) for hit in gazetteer.exact(said + "在哪")}
