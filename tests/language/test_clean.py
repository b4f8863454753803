from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.language.clean import Cleaner, guess_language

CLEANER = Cleaner()
PIECES = st.sampled_from(
    [
        "洗衣液",
        "哪個貨架",
        "在",
        "ＷＣ",
        "？？？",
        "！",
        " ",
        "　",
        "\t",
        "\u200b",
        "😀",
        "👨‍👩‍👧",
        "SF 139",
        "hellooo",
        "㎏",
        "½",
        "é",
        "e\u0301",
        "aaa",
        "一一一",
        "哈哈哈哈",
        "İ",
        "ß",
        "\x00",
        "ﬁ",
        "①",
        "裡面",
        "頭髮",
        "發票",
        "\ufeff",
        "0000",
        "。。。",
        "~~~~",
    ]
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map("".join))


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("ＷＣ在哪儿？？？", "wc在哪儿?"),
        ("洗衣液 在 哪個貨架！！", "洗衣液在哪个货架!"),
        ("  hellooo   WORLD  ", "hello world"),
        ("AAA电池", "aaa电池"),
        ("www.example.com", "www.example.com"),
        ("SF 1392 8475 61002", "sf 1392 8475 61002"),
        ("我\u200b要\t退 货。。。", "我要退货。"),
        ("哈哈哈哈", "哈"),
        ("单号一一一零零零", "单号一一一零零零"),
        ("1000000", "1000000"),
        ("買 iPhone 線", "买iphone线"),
        ("㎏", "kg"),
        ("½", "1/2"),
        ("①号", "1号"),
        ("“你好”——", '"你好"-'),
        ("e\u0301", "é"),
        ("好\r\n的", "好的"),
        ("", ""),
        ("頭髮", "头发"),
    ],
)
def test_one_form(given_text: str, cleaned: str) -> None:
    assert CLEANER.clean(given_text).text == cleaned


def test_emoji_are_kept_apart() -> None:
    cleaned = CLEANER.clean("好的👍谢谢😀")
    assert cleaned.text == "好的谢谢"
    assert "👍" in cleaned.emoji
    assert "😀" in cleaned.emoji


def test_a_span_points_into_the_original() -> None:
    text = "請問　ＷＣ ？？？在哪"
    cleaned = CLEANER.clean(text)
    start = cleaned.text.index("wc")
    low, high = cleaned.original_span(start, start + 2)
    assert text[low:high] == "ＷＣ"
    mark = cleaned.text.index("?")
    low, high = cleaned.original_span(mark, mark + 1)
    assert text[low:high] == "？？？"


@pytest.mark.parametrize("span", [(0, 0), (-1, 1), (0, 3), (2, 1)])
def test_an_impossible_span_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(IndexError, match="expected 0 <= start < end <= 2"):
        CLEANER.clean("好的").original_span(*span)


@pytest.mark.parametrize(
    ("replaced", "by"), [("記憶體", "内存"), ("腳踏車", "自行车"), ("頭", "头部"), ("貨架", "架"), ("哪個", "")]
)
def test_a_conversion_that_changes_the_length_stays_aligned(replaced: str, by: str) -> None:
    text = "買記憶體和腳踏車頭，在哪個貨架？"
    cleaned = Cleaner(lambda value: value.replace(replaced, by)).clean(text)
    assert cleaned.text == text.replace(replaced, by).replace("，", ",").replace("？", "?")
    at = cleaned.text.index("买" if "买" in cleaned.text else "買")
    assert cleaned.original_span(at, at + 1) == (0, 1)
    last = len(cleaned.text)
    assert cleaned.original_span(last - 1, last) == (len(text) - 1, len(text))
    if by:
        begin = cleaned.text.index(by)
        low, high = cleaned.original_span(begin, begin + len(by))
        assert text.index(replaced) <= low < high <= text.index(replaced) + len(replaced)


def test_an_insertion_stands_for_its_neighbour() -> None:
    cleaned = Cleaner(lambda value: value.replace("好", "好好")).clean("你好吗")
    assert len(cleaned.text) == len(cleaned.offsets) == 4
    assert cleaned.original_span(1, 3) == (1, 2)


@given(TEXTS)
def test_offsets_are_ordered_and_inside(text: str) -> None:
    cleaned = CLEANER.clean(text)
    assert len(cleaned.offsets) == len(cleaned.text)
    assert all(0 <= start < end <= len(text) for start, end in cleaned.offsets)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(cleaned.offsets))


@given(TEXTS)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = CLEANER.clean(text).text
    twice = CLEANER.clean(once).text
    assert CLEANER.clean(twice).text == twice


@given(TEXTS)
def test_nothing_invisible_remains(text: str) -> None:
    cleaned = CLEANER.clean(text).text
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") for c in cleaned)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip(" ")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("厕所在哪", "zh"),
        ("where is the toilet", "en"),
        ("WC在哪儿", "zh"),
        ("买 iphone 数据线", "zh"),
        ("", "zh"),
        ("123", "zh"),
        ("ｈｅｌｌｏ", "en"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert guess_language(text) == language
