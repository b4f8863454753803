"""Chinese numerals as values, exactly: 两百五十, 一千零一, 三万五, 二〇二六, 三点五, 百分之五, 三分之一, 1.2万."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

DIGITS = {
    "零": 0, "〇": 0, "洞": 0, "一": 1, "幺": 1, "壹": 1, "二": 2, "两": 2, "贰": 2, "三": 3, "叁": 3, "四": 4, "肆": 4,
    "五": 5, "伍": 5, "六": 6, "陆": 6, "七": 7, "拐": 7, "柒": 7, "八": 8, "捌": 8, "九": 9, "玖": 9,
}  # fmt: skip
"""Value of every digit character, spoken and banker's forms among them."""

SMALL = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}

_D = "零〇一二两三四五六七八九壹贰叁肆伍陆柒捌玖"
NUMERAL = f"(?:[{_D}十拾百佰千仟万亿]+(?:点[{_D}]+)?|\\d+(?:\\.\\d+)?[百千万亿]?)"
"""Regular expression of anything that may be a number, spoken or written; not every match has a value."""

FRACTION = f"(?:百分之{NUMERAL}|{NUMERAL}分之{NUMERAL}|\\d+(?:\\.\\d+)?%|\\d+/\\d+)"
"""Regular expression of percentages and fractions."""

_SPOKEN_RUN = re.compile(f"[{_D}]+")
_FIND = re.compile(f"{FRACTION}|{NUMERAL}")
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)([百千万亿]?)")
_COUNT = {"": 1, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}


@dataclass(frozen=True, slots=True)
class Found:
    """A number found in a text."""

    start: int
    """First character."""
    end: int
    """One past the last character."""
    value: Fraction
    """Its value."""


def parse_number(text: str) -> Fraction | None:
    """Value of a text that is a numeral as a whole, spoken or written; None when it is not one."""
    if not text:
        return None
    if text.endswith("%"):
        return _scaled(parse_number(text[:-1]), Fraction(1, 100))
    if text.startswith("百分之"):
        return _scaled(parse_number(text[3:]), Fraction(1, 100))
    for mark in ("分之", "/"):
        if mark in text:
            under, _, over = text.partition(mark) if mark == "分之" else tuple(reversed(text.partition(mark)))
            numerator, denominator = parse_number(over), parse_number(under)
            return numerator / denominator if numerator is not None and denominator else None
    written = _WRITTEN.fullmatch(text)
    if written:
        return Fraction(written[1]) * _COUNT[written[2]]
    whole, point, decimals = text.partition("点")
    if point:
        value = parse_cardinal(whole)
        digits = parse_digits(decimals)
        return None if value is None or not digits else value + Fraction(int(digits), 10 ** len(digits))
    value = parse_cardinal(text)
    return None if value is None else Fraction(value)


def _scaled(value: Fraction | None, scale: Fraction) -> Fraction | None:
    return None if value is None else value * scale


def parse_digits(text: str) -> str | None:
    """Digit string spoken digit by digit (一三八, 幺三八, 洞拐) or written; None when `text` holds anything else."""
    digits = [str(DIGITS[c]) if c in DIGITS else c if "0" <= c <= "9" else "" for c in text]
    return "".join(digits) if text and all(digits) else None


def parse_cardinal(text: str) -> int | None:
    """Value of a whole number in Chinese: with units (一千零一, 三万五, 十二) or digit by digit (二〇二六).

    A last digit right behind a unit counts one unit lower (三万五 = 35000, 一百二 = 120), unless 零 stands between.
    """
    if not text:
        return None
    if len(text) > 1 and _SPOKEN_RUN.fullmatch(text):
        digits = parse_digits(text)
        return None if digits is None else int(digits)
    front, yi, back = text.partition("亿")
    if not yi:
        return _below_yi(front, 0)
    high = _below_yi(front, 0) if front else None
    low = _below_yi(back, 10**8) if back else 0
    return None if high is None or low is None or not high else high * 10**8 + low


def _below_yi(text: str, last_unit: int) -> int | None:
    """Value of a numeral without 亿; `last_unit` is the unit right before it, 0 where there is none."""
    if text in ("零", "〇"):
        return 0
    total = section = 0
    digit: int | None = None
    ceiling, myriad_seen, zero = 10**4, False, False
    for character in text:
        if DIGITS.get(character) == 0:
            if digit is not None or zero:
                return None
            zero, last_unit = True, 0
        elif character in DIGITS:
            if digit is not None:
                return None
            digit, zero = DIGITS[character], False
        elif character in SMALL:
            unit = SMALL[character]
            if unit >= ceiling or (digit is None and (unit != 10 or section)):
                return None
            section += (1 if digit is None else digit) * unit
            digit, last_unit, ceiling, zero = None, unit, unit, False
        elif character == "万" and not myriad_seen and (section or digit):
            total, section = (section + (digit or 0)) * 10**4, 0
            digit, last_unit, ceiling, myriad_seen, zero = None, 10**4, 10**4, True, False
        else:
            return None
    if zero:
        return None
    if digit is not None:
        section += digit * (last_unit // 10) if last_unit >= 100 else digit
    return total + section


def find_numbers(text: str) -> Iterator[Found]:
    """Every numeral in a cleaned text, longest first reading, left to right, none overlapping."""
    for match in _FIND.finditer(text):
        value = parse_number(match.group())
        if value is not None:
            yield Found(match.start(), match.end(), value)


def plain(value: Fraction, places: int = 6) -> str:
    """Shortest decimal text of `value`, rounded half up to `places`: 250, 3.5, 0.333333."""
    scaled = (abs(value) * 10**places * 2 + 1) // 2
    whole, rest = divmod(int(scaled), 10**places)
    decimals = f"{rest:0{places}d}".rstrip("0") if places else ""
    sign = "-" if value < 0 and (whole or decimals) else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"
