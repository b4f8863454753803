from __future__ import annotations

from datetime import date, time
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from appliance.language import numbers
from appliance.language.numbers.fixed import fixed_words
from appliance.language.numbers.written import Writer, written

TODAY = date(2026, 11, 22)
TABLE = Path(__file__).with_name("written.yaml")


def rows() -> list[tuple[str, str]]:
    """What is said and what is written, from the table beside this file."""
    found = []
    for lines in yaml.safe_load(TABLE.read_text("utf-8")).values():
        for line in lines:
            said, _, wanted = (part.strip() for part in str(line).partition("=>"))
            found.append((said, wanted or said))
    return found


@pytest.mark.parametrize(("said", "wanted"), rows())
def test_the_table(said: str, wanted: str) -> None:
    assert written(said).text == wanted


@pytest.mark.parametrize("wanted", sorted({wanted for _, wanted in rows()}))
def test_what_is_written_stays(wanted: str) -> None:
    assert written(wanted).text == wanted


def test_the_table_is_long_and_says_nothing_twice() -> None:
    said = [said for said, _ in rows()]
    assert len(said) >= 200
    assert len(set(said)) == len(said)


def test_a_pack_s_names_are_left_alone() -> None:
    text = "三箱牛奶和三百斤大米"
    assert written(text).text == "3箱牛奶和300斤大米"
    assert written(text, ("三箱牛奶",)).text == "三箱牛奶和300斤大米"
    assert Writer(["三箱牛奶", "牛奶"]).write("二十三箱牛奶").text == "23箱牛奶"  # another word than the name


def test_a_protected_name_is_found_across_a_recogniser_s_spaces() -> None:
    assert written("买 五 谷 两 箱 豆浆", ("五谷两箱",)).text == "买 五 谷 两 箱 豆浆"


def test_spans_lead_back_to_the_words() -> None:
    said = "电话 一 三 八 零 零 一 三 八 零 零 零 谢谢"
    result = written(said)
    start = result.text.index("138")
    low, high = result.said_span(start, start + 11)
    assert said[low:high] == "一 三 八 零 零 一 三 八 零 零 零"
    assert result.said_span(start + 2, start + 3) == (low, high)  # a digit stands for the whole number
    end = len(result.text)
    assert said[slice(*result.said_span(end - 2, end))] == "谢谢"
    with pytest.raises(IndexError, match="expected 0 <= start < end"):
        result.said_span(3, 3)


@given(
    st.text(
        "零〇一二两三四五六七八九十百千万亿点半块毛角分元钱斤公克月日号周年个瓶第到差刻时幺洞拐杠折百之负SF a1.",
        max_size=16,
    )
)
def test_any_words_come_out_aligned_and_settled(said: str) -> None:
    result = written(said)
    assert len(result.spans) == len(result.text)
    at = 0
    for start, end in result.spans:
        assert 0 <= start < end <= len(said)
        assert start >= at
        at = start
    for character, (start, end) in zip(result.text, result.spans, strict=True):
        if end == start + 1 and not character.isascii():
            assert said[start] == character or character in "分元块"
    assert written(result.text).text == result.text


@given(st.integers(0, 10**16 - 1))
def test_a_number_comes_back(value: int) -> None:
    assert numbers.parse_number(written(numbers.say_number(value)).text) == value


@given(st.integers(25, 10**8), st.integers(1, 99))
def test_a_decimal_comes_back(whole: int, hundredths: int) -> None:
    value = whole + Fraction(hundredths, 100)
    assert written(numbers.say_number(value)).text == numbers.plain(value, 2)


@given(st.integers(0, 9), st.integers(1, 9))
def test_a_small_decimal_comes_back(whole: int, tenths: int) -> None:
    assert written(numbers.say_number(Fraction(whole * 10 + tenths, 10))).text == f"{whole}.{tenths}"


@given(st.from_regex("1[3-9][0-9]{9}", fullmatch=True), st.booleans())
def test_a_phone_comes_back(phone: str, telephone: bool) -> None:
    assert written(f"电话{numbers.say_digits(phone, telephone=telephone)}谢谢").text == f"电话{phone}谢谢"


@given(st.from_regex("(SF|YT|JT)[0-9]{13}", fullmatch=True))
def test_a_waybill_comes_back(code: str) -> None:
    assert written(f"单号{numbers.say_digits(code)}").text == f"单号{code}"


@given(st.integers(1, 10**9))
def test_an_amount_comes_back(fen: int) -> None:
    yuan = Fraction(fen, 100)
    text = written(numbers.say_amount(yuan)).text
    assert numbers.parse_amount(text) == yuan
    if fen > 100 and fen % 100:
        assert text == f"{numbers.plain(yuan, 2)}元"


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_a_date_comes_back(day: date) -> None:
    text = written(numbers.say_date(day, year=True)).text
    assert text == f"{day.year}年{day.month}月{day.day}号"
    assert [found.value for found in numbers.find_dates(text, TODAY)] == [day]


@given(st.times())
def test_a_time_comes_back(moment: time) -> None:
    moment = moment.replace(second=0, microsecond=0)
    text = written(numbers.say_time(moment)).text
    assert not set(text) & set("一二三四五六七八九")
    assert [found.value for found in numbers.find_times(text)] == [moment]


def test_fixed_words_hold_a_numeral() -> None:
    assert fixed_words().search("三只松鼠")
    assert not fixed_words(["牛奶"]).search("牛奶")  # nothing to protect in it
    assert fixed_words(["百岁山"]).search("百岁山")
