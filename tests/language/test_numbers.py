from __future__ import annotations

from datetime import date, time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.language import numbers
from appliance.language.numbers import cardinal

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("两百五十", "250"),
        ("一千零一", "1001"),
        ("三万五", "35000"),
        ("二〇二六", "2026"),
        ("十二", "12"),
        ("一百二", "120"),
        ("一百零二", "102"),
        ("三点五", "3.5"),
        ("百分之五十", "0.5"),
        ("三分之一", "0.333333"),
        ("3.5万", "35000"),
        ("十万", "100000"),
        ("一亿零三", "100000003"),
        ("两千零五十", "2050"),
        ("零", "0"),
        ("三万亿", "3000000000000"),
        ("1/2", "0.5"),
        ("20%", "0.2"),
        ("一万二", "12000"),
        ("一亿三", "130000000"),
        ("贰佰叁拾", "230"),
        ("1000", "1000"),
        ("零点零五", "0.05"),
        ("十一万一千", "111000"),
        ("一亿", "100000000"),
        ("一亿亿", None),
        ("百", None),
        ("一百一百", None),
        ("十百", None),
        ("一零", "10"),
        ("一百零", None),
        ("", None),
        ("你", None),
        ("一点", None),
        ("三分之零", "0"),
        ("零分之一", None),
        ("万", None),
        ("百零零一", None),
        ("一十", "10"),
        ("一二十", None),
        ("亿", None),
        ("一万零", None),
        ("一点百", None),
    ],
)
def test_numerals(text: str, value: str | None) -> None:
    parsed = numbers.parse_number(text)
    assert (None if parsed is None else numbers.plain(parsed)) == value


@given(st.integers(0, 10**16 - 1))
def test_a_spoken_number_comes_back(value: int) -> None:
    assert numbers.parse_number(numbers.say_number(value)) == value


@given(st.integers(0, 10**8), st.integers(0, 99))
def test_a_spoken_decimal_comes_back(whole: int, hundredths: int) -> None:
    value = whole + Fraction(hundredths, 100)
    assert numbers.parse_number(numbers.say_number(value)) == value


@given(st.text("0123456789", min_size=1, max_size=20), st.booleans())
def test_digits_come_back(digits: str, telephone: bool) -> None:
    assert numbers.parse_digits(numbers.say_digits(digits, telephone=telephone)) == digits


@given(st.integers(0, 10**9))
def test_a_spoken_amount_comes_back(fen: int) -> None:
    assert numbers.parse_amount(numbers.say_amount(Fraction(fen, 100))) == Fraction(fen, 100)


@given(st.times())
def test_a_spoken_time_comes_back(moment: time) -> None:
    moment = moment.replace(second=0, microsecond=0)
    assert [found.value for found in numbers.find_times(numbers.say_time(moment))] == [moment]


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_a_spoken_date_comes_back(day: date) -> None:
    assert [found.value for found in numbers.find_dates(numbers.say_date(day, year=True), TODAY)] == [day]


@given(st.text("一二三十百千万亿零点两半块毛分斤公月日号周天差刻明后上下午0123456789.:-", max_size=14))
def test_no_finder_fails_or_reaches_outside(text: str) -> None:
    finders = [
        numbers.find_amounts,
        numbers.find_weights,
        numbers.find_quantities,
        cardinal.find_numbers,
        numbers.find_times,
    ]
    for found in [*(one for finder in finders for one in finder(text)), *numbers.find_dates(text, TODAY)]:
        assert 0 <= found.start < found.end <= len(text)


@pytest.mark.parametrize(
    ("text", "said", "yuan"),
    [
        ("三块五", "三块五", "3.5"),
        ("十二块八毛", "十二块八毛", "12.8"),
        ("才3.5元啊", "3.5元", "3.5"),
        ("¥12.80", "¥12.80", "12.8"),
        ("12块8", "12块8", "12.8"),
        ("两百块", "两百块", "200"),
        ("五毛钱", "五毛钱", "0.5"),
        ("三块零五分", "三块零五分", "3.05"),
        ("两块半", "两块半", "2.5"),
        ("五十元以下", "五十元", "50"),
        ("十块三个", "十块", "10"),
        ("五分钱", "五分钱", "0.05"),
        ("三万五千块", "三万五千块", "35000"),
        ("八毛五", "八毛五", "0.85"),
        ("100 yuan", "100 yuan", "100"),
    ],
)
def test_amounts(text: str, said: str, yuan: str) -> None:
    assert [(text[f.start : f.end], numbers.plain(f.value)) for f in numbers.find_amounts(text)] == [(said, yuan)]


@pytest.mark.parametrize("text", ["三块毛巾里", "没有钱", "一百一百块"])
def test_what_is_no_amount_has_no_value(text: str) -> None:
    assert numbers.parse_amount(text) is None


@pytest.mark.parametrize(
    ("text", "kilograms"),
    [
        ("两斤半", "1.25"),
        ("三公斤", "3"),
        ("500克", "0.5"),
        ("1.5kg", "1.5"),
        ("半斤", "0.25"),
        ("三两", "0.15"),
        ("两公斤半", "2.5"),
        ("一斤二两", "0.6"),
        ("一个半公斤", "1.5"),
        ("2.5 kg", "2.5"),
        ("3斤5", "1.75"),
        ("一吨", "1000"),
        ("两磅", "0.907185"),
    ],
)
def test_weights(text: str, kilograms: str) -> None:
    value = numbers.parse_weight(text)
    assert value is not None
    assert numbers.plain(value) == kilograms


@pytest.mark.parametrize("text", ["斤", "一百一百斤", "大公斤", "两公斤五毛"])
def test_what_is_no_weight(text: str) -> None:
    assert numbers.parse_weight(text) is None


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("买两瓶", "2"),
        ("三个半", "3.5"),
        ("一打鸡蛋", "12"),
        ("2 bottles", "2"),
        ("十二件", "12"),
        ("半个西瓜", "0.5"),
        ("两块肥皂", "2"),
    ],
)
def test_quantities(text: str, counted: str) -> None:
    assert [numbers.plain(f.value) for f in numbers.find_quantities(text)] == [counted]


def test_money_is_not_counted() -> None:
    assert list(numbers.find_quantities("两块钱")) == []
    assert list(numbers.find_quantities("一百一百个")) == []


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("十一月二十二号", "2026-11-22"),
        ("明天", "2026-11-23"),
        ("大后天", "2026-11-25"),
        ("下周三", "2026-11-25"),
        ("周五", "2026-11-27"),
        ("周三9点45", "2026-11-25"),
        ("周3", "2026-11-25"),
        ("2026-11-25", "2026-11-25"),
        ("二〇二六年一月三日", "2026-01-03"),
        ("1月5号", "2027-01-05"),
        ("这个月五号", "2026-11-05"),
        ("下个月3号", "2026-12-03"),
        ("上个月3号", "2026-10-03"),
        ("三天后", "2026-11-25"),
        ("两天前", "2026-11-20"),
        ("5号", "2026-11-05"),
        ("31号", "2026-12-31"),
        ("nov 25th", "2026-11-25"),
        ("上周日", "2026-11-15"),
        ("星期天", "2026-11-22"),
        ("25年12月1日", "2025-12-01"),
        ("the day after tomorrow", "2026-11-24"),
        ("3 days ago", "2026-11-19"),
        ("two weeks ago", "2026-11-08"),
        ("a month ago", "2026-10-23"),
        ("a couple of days ago", "2026-11-20"),
        ("in 2 days from now", "2026-11-24"),
        ("last monday", "2026-11-16"),
        ("last sunday", "2026-11-15"),
        ("next monday", "2026-11-23"),
        ("on friday", "2026-11-27"),
        ("两周前", "2026-11-08"),
        ("半个月前", "2026-11-07"),
        ("一个月以前", "2026-10-23"),
        ("明年二月一号", "2027-02-01"),
        ("二月二十九号", "2028-02-29"),
        ("2026.1.2", "2026-01-02"),
    ],
)
def test_dates(text: str, day: str) -> None:
    today = date(2027, 12, 1) if text == "二月二十九号" else TODAY
    assert [found.value.isoformat() for found in numbers.find_dates(text, today)] == [day]


@pytest.mark.parametrize(
    "text", ["二月三十号", "2026-13-01", "5号货架", "99号", "十三月一号", "零天十号", "九九九天后的"]
)
def test_impossible_dates_are_passed_over(text: str) -> None:
    found = list(numbers.find_dates(text, TODAY))
    assert all(
        text[one.start : one.end] not in ("二月三十号", "2026-13-01", "5号", "99号", "十三月一号") for one in found
    )


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("下午三点半", "15:30"),
        ("差五分八点", "07:55"),
        ("差一刻九点", "08:45"),
        ("晚上十点一刻", "22:15"),
        ("15:30", "15:30"),
        ("3pm", "15:00"),
        ("12am", "00:00"),
        ("7:30 pm", "19:30"),
        ("中午12点", "12:00"),
        ("中午一点", "13:00"),
        ("晚上12点", "00:00"),
        ("八点零五分", "08:05"),
        ("十点开门", "10:00"),
        ("下午5点20", "17:20"),
        ("24:00", "00:00"),
        ("凌晨两点", "02:00"),
        ("晚八点", "20:00"),
        ("二十一点", "21:00"),
        ("三点三刻", "03:45"),
        ("一点钟", "01:00"),
        ("九点整", "09:00"),
    ],
)
def test_times(text: str, moment: str) -> None:
    assert [found.value.isoformat("minutes") for found in numbers.find_times(text)] == [moment]


@pytest.mark.parametrize(
    "text", ["便宜一点", "几点", "什么时候", "三点五折", "25:61", "二十五点", "三点五公斤", "99点"]
)
def test_what_is_no_time(text: str) -> None:
    assert list(numbers.find_times(text)) == []


def test_speaking() -> None:
    assert numbers.say_number(-3) == "负三"
    assert numbers.say_number(Fraction(1999, 1000)) == "二"
    assert numbers.say_digits("138-0") == "幺三八-零"
    assert numbers.say_amount(Fraction(7, 2)) == "三元五角"
    assert numbers.say_amount(Fraction(208, 100)) == "两元零八分"
    assert numbers.say_weekday(TODAY) == "星期日"
    assert numbers.say_date(TODAY) == "十一月二十二号"
    with pytest.raises(ValueError, match="below 10\\^16"):
        numbers.say_number(10**16)


def test_plain_rounds_half_up() -> None:
    assert numbers.plain(Fraction(1, 8), 2) == "0.13"
    assert numbers.plain(Fraction(-1, 2)) == "-0.5"
    assert numbers.plain(Fraction(5), 0) == "5"


def test_numbers_in_a_sentence() -> None:
    text = "买三个和两百五十个,3.5折"
    assert [(text[f.start : f.end], numbers.plain(f.value)) for f in cardinal.find_numbers(text)] == [
        ("三", "3"),
        ("两百五十", "250"),
        ("3.5", "3.5"),
    ]
