"""Names by characters, by pinyin in every reading, by initials, and by mixtures of these."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.language.spelling import Spellings
from appliance.language.syllables import INITIALS, PARTIAL, RARE, Form, forms_of, read_forms

Forms = Callable[[str], tuple[Form, ...]]


@pytest.fixture(scope="module")
def forms() -> Forms:
    return read_forms()


def found(names: str, text: str, forms: Forms) -> dict[str, int]:
    """Names that begin as `text` does, with the best way in which they do."""
    spellings = Spellings(((name, rank, name) for rank, name in enumerate(names.split())), forms, kept=9)
    best: dict[str, int] = {}
    for f in spellings.starting(text):
        best[f.item] = min(f.how, best.get(f.item, 99))
    return best


def test_forms_of_a_character() -> None:
    assert dict(forms_of("xǐ,xiǎn")) == {"xi": 0, "x": INITIALS, "xian": RARE}
    assert dict(forms_of("zhòng,chóng")) == {
        "zhong": 0,
        "z": INITIALS,
        "zh": INITIALS,
        "chong": RARE,
        "c": RARE | INITIALS,
        "ch": RARE | INITIALS,
    }
    assert dict(forms_of("nǚ")) == {"nv": 0, "nu": 0, "n": INITIALS}
    assert dict(forms_of("ā")) == {"a": 0}
    assert dict(forms_of("ê̄")) == {"e": 0}


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("洗", 0),
        ("洗衣液", 0),
        ("xi", 0),
        ("xiyiye", 0),
        ("x", PARTIAL),
        ("xiyiy", PARTIAL),
        ("xyy", INITIALS | PARTIAL),
        ("xiyy", INITIALS | PARTIAL),
        ("xyye", INITIALS),
        ("洗yiye", 0),
        ("洗yy", INITIALS | PARTIAL),
        ("xi衣ye", 0),
        ("xianyiye", RARE),
    ],
)
def test_every_way_to_type_a_name(forms: Forms, text: str, how: int) -> None:
    assert found("洗衣液", text, forms) == {"洗衣液": how}


@pytest.mark.parametrize("text", ["y", "xiye", "xiyiyes", "xz", "衣", "洗衣粉", "xiyiyee", "夕"])
def test_what_is_no_way_to_type_it(forms: Forms, text: str) -> None:
    assert found("洗衣液", text, forms) == {}


def test_every_reading_counts(forms: Forms) -> None:
    assert found("银行 重庆 长城 绿豆", "yinhang", forms) == {"银行": RARE}
    assert found("银行 重庆 长城 绿豆", "chongqing", forms) == {"重庆": RARE}
    assert "重庆" in found("银行 重庆 长城 绿豆", "zhongqing", forms)
    assert found("银行 重庆 长城 绿豆", "changcheng", forms) == {"长城": RARE}
    for umlaut in ("lvdou", "ludou", "lvd", "ld", "lüdou".replace("ü", "v")):
        assert "绿豆" in found("银行 重庆 长城 绿豆", umlaut, forms)
    assert "充电桩" in found("充电桩", "chdzh", forms)
    assert "充电桩" in found("充电桩", "cdz", forms)


def test_a_syllable_ends_where_the_name_says(forms: Forms) -> None:
    assert set(found("西安 先 鲜奶", "xian", forms)) == {"西安", "先", "鲜奶"}
    assert set(found("西安 先 鲜奶", "xiann", forms)) == {"鲜奶"}


def test_names_that_the_text_goes_on_behind(forms: Forms) -> None:
    spellings = Spellings((("洗衣", 0, "a"), ("洗衣液", 1, "b"), ("wc", 2, "c")), forms, kept=9)
    spelt = {(f.item, f.end, f.how) for f in spellings.leading("xiyiyedu")}
    assert {(item, end) for item, end, how in spelt if not how} == {("a", 4), ("b", 6)}
    assert {(item, end) for item, end, how in spelt if how} == {("a", 3), ("b", 5)}
    assert {(f.item, f.end) for f in spellings.leading("洗衣液在哪")} == {("a", 2), ("b", 3)}
    assert {(f.item, f.end) for f in spellings.leading("zaiwc在", 3)} == {("c", 5)}
    assert list(spellings.leading("洗")) == []
    assert {f.item: f.whole for f in spellings.starting("洗衣")} == {"a": True, "b": False}


def test_only_the_best_are_kept_each_once(forms: Forms) -> None:
    item = object()
    names = [("一", 5, item), ("一二", 1, item), *((f"一{n}", 10 + n, n) for n in range(50))]
    spellings: Spellings[object] = Spellings(names, forms, kept=4)
    assert [f.rank for f in spellings.starting("一")] == [1, 10, 11, 12]
    assert [f.rank for f in spellings.starting("一", most=2)] == [1, 10]


def test_hostile_text_costs_little(forms: Forms) -> None:
    """64 letters in which every split is a syllable end in few steps: states are visited once."""
    spellings = Spellings([("是" * length, length, length) for length in range(1, 20)], forms, kept=9)
    visited = 0
    for text in ("sh" * 32, "s" * 64, "shi" * 21):
        visited += sum(1 for _ in spellings._walk(text, 0, within=True))
    assert visited < 5000
