"""What a spoken number becomes when it is written: one function for each form, from a match to its text.

A function returns None where the words are no such number after all; they then stay words. A numeral is always taken
whole: 两三个, 几十块 and 七八百 name no number. The patterns that call these functions stand in `rules`.
"""

from __future__ import annotations

import re
from fractions import Fraction

from appliance.language.numbers.cardinal import DIGITS, SMALL, parse_cardinal, parse_digits, plain

PARTS = (
    "凌晨", "半夜", "清早", "清晨", "早上", "早晨", "上午", "中午", "下午", "傍晚", "晚上", "夜里", "今晚", "明晚",
    "昨晚", "明早", "今早", "早", "晚",
)  # fmt: skip
"""Parts of the day, before which 三点五 is a time."""

_LITTLE = frozenset("便宜快慢早晚大小多少高低好贵轻重近远长短粗细软硬厚薄热冷有再差")
"""What stands before 一点 where that means a little."""


def value_of(text: str) -> int | None:
    """Value of a numeral in Chinese that names one number; None for 两三, which `parse_cardinal` reads as 23."""
    one = len(text) == 1 or any(c in SMALL or c in "万亿" for c in text)
    return parse_cardinal(text) if one and not text.endswith("十两") else None  # 三十两条: thirty, two of them


def digits_of(value: int) -> str:
    """How people write a whole number: 35000 in digits, 50万 and 3亿 where nothing smaller is named."""
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if value >= unit and value % unit == 0:
            return f"{value // unit}{name}"
    return str(value)


def number(match: re.Match[str]) -> str | None:
    """A whole number."""
    value = value_of(match.group())
    return None if value is None else digits_of(value)


def span(match: re.Match[str]) -> str | None:
    """Two numbers with one unit: 三到五天."""
    low, high = value_of(match["low"]), value_of(match["high"])
    return None if low is None or high is None else f"{digits_of(low)}{match['to']}{digits_of(high)}"


def bare(match: re.Match[str]) -> str | None:
    """A number without a unit that a rule knows; 十一 alone is a holiday as well."""
    return None if match.group() == "十一" else number(match)


def year(match: re.Match[str]) -> str | None:
    """A year of two digits, as in 零八年 and 二六年; None where it may be a span of years (三五年, 五六年)."""
    first, second = (DIGITS[character] for character in match.group())
    return None if first and (second == first + 1 or (first, second) == (3, 5)) else f"{first}{second}"


def decimal(match: re.Match[str]) -> str | None:
    """A decimal fraction: 三点一四; None for 便宜一点五块 and for 下午三点五, which are a little and a time."""
    front = match.string[: match.start()]
    if match["whole"] == "一" and front[-1:] in _LITTLE and front:
        return None
    whole, digits = value_of(match["whole"]), parse_digits(match["rest"])
    if whole is None or digits is None or front.endswith(PARTS):
        return None
    open_ended = 0 < whole <= 24 and len(digits) == 2 and digits[0] == "0" and match["unit"] is None
    return None if open_ended else f"{whole}.{digits}"  # 九点零五 is a time as well


def percent(match: re.Match[str]) -> str | None:
    """A percentage: 百分之三点五."""
    whole, point, rest = match["n"].partition("点")
    value, digits = 100 if whole == "百" else value_of(whole), parse_digits(rest)
    if value is None or (point and digits is None):
        return None
    return f"{value}.{digits}%" if point else f"{value}%"


def fraction(match: re.Match[str]) -> str | None:
    """A fraction: 三分之一 is 1/3."""
    under, over = value_of(match["under"]), value_of(match["over"])
    return f"{over}/{under}" if under and over and under > 1 else None


def month(match: re.Match[str]) -> str | None:
    """A month, with its day where one is said: 十一月三十号."""
    value, day = value_of(match["month"]), match["day"]
    if value is None or not 1 <= value <= 12:
        return None
    if day is None:
        return f"{value}月{match['middle'] or ''}"
    number = value_of(day)
    return (
        None if number is None or not 1 <= number <= 31 else f"{value}月{match['middle'] or ''}{number}{match['mark']}"
    )


def clock(match: re.Match[str]) -> str | None:
    """A time of day, its words kept: 下午3点半, 10点05分. Without a part of the day it stays open."""
    hour = value_of(match["hour"])
    minute, part, mark = match["minute"], match["part"] or "", match["mark"]
    if hour is None or hour > 24 or (mark == "时" and not (part or minute)):
        return None
    if match["half"]:
        return f"{part}{hour}{mark}半"
    if match["quarter"]:
        return f"{part}{hour}{mark}{'15' if match['quarter'] == '一' else '45'}分"
    if minute:
        minutes = value_of(minute.lstrip("零〇") or "零")
        return None if minutes is None or minutes > 59 else f"{part}{hour}{mark}{minutes:02d}{match['fen'] or ''}"
    return None if hour == 1 and not part and mark == "点" else f"{part}{hour}{mark}"  # 一点: a little


def amount(match: re.Match[str]) -> str | None:
    """Money: with a smaller part in yuan (三百二十八块五 is 328.5元), else with the unit as it was said (200块)."""
    yuan = value_of(match["yuan"])
    if yuan is None:
        return None
    tail = match["jiao"] or match["one"] or match["last"] or ""
    fen = match["fen"] or match["single"] or ""
    if not (tail or fen or match["half"]):
        unit, money = match["unit"], match["money"] or ""
        return None if (yuan, unit + money) == (1, "块") else f"{digits_of(yuan)}{unit}{money}"  # 一块: together
    value = yuan + Fraction(1 if match["half"] else 0, 2) + Fraction(DIGITS[fen] if fen else 0, 100)
    value += sum((Fraction(DIGITS[digit], 10**place) for place, digit in enumerate(tail, 1)), Fraction(0))
    return f"{plain(value, 2)}元"


def small_amount(match: re.Match[str]) -> str | None:
    """Money below a yuan: 五毛, 八毛五, 三角两分."""
    jiao = value_of(match["jiao"])
    if jiao is None or jiao > 99:
        return None
    if match["fen"]:
        return f"{plain(Fraction(jiao, 10) + Fraction(DIGITS[match['fen']], 100), 2)}元"
    return None if jiao == 1 and not match["money"] else f"{jiao}{match['unit']}{match['money'] or ''}"


def weight(match: re.Match[str]) -> str | None:
    """A weight with a smaller part: 三斤二两 is 3斤2两, 五公斤半 is 5.5公斤, 三斤五 is 3.5斤."""
    value, unit = value_of(match["whole"]), match["unit"]
    if value is None:
        return None
    if match["liang"]:
        return f"{value}{unit}{DIGITS[match['liang']]}两"
    return f"{value}.{5 if match['half'] else DIGITS[match['tenth']]}{unit}"


def height(match: re.Match[str]) -> str | None:
    """A length of a metre and something: 一米七五 is 1.75米."""
    return f"{DIGITS[match['whole']]}.{parse_digits(match['rest'])}米"
