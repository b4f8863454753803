"""Amounts of money as people say and write them: 三块五, 十二块八毛, 两百块, 五毛, ¥12.80, 12元8角, 9.9."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from appliance.language.numbers.cardinal import NUMERAL, Found, parse_number

_YUAN = "(?:元|块钱|块|圆|rmb|yuan|人民币)"
_JIAO = "(?:毛钱|毛|角)"
_TAIL = "[一二两三四五六七八九\\d]"
_AMOUNT = re.compile(
    f"(?:¥|￥|rmb ?)(?P<sign>\\d+(?:\\.\\d+)?)(?:元|块)?"
    f"|(?P<yuan>{NUMERAL}) ?{_YUAN}(?P<half>半)?(?:(?P<jiao>{_TAIL}){_JIAO}(?:(?P<fen>{_TAIL})分?)?"
    f"|零?(?P<single>{_TAIL})分|(?P<digits>{_TAIL}{{1,2}})(?![\\d一二两三四五六七八九十百千点个瓶袋包号]))?钱?"
    f"|(?P<onlyjiao>{NUMERAL}){_JIAO}(?:(?P<onlyfen>{_TAIL})分?)?钱?"
    f"|(?P<onlyjustfen>{NUMERAL})分钱"
)


def find_amounts(text: str) -> Iterator[Found]:
    """Every amount in a cleaned text, in yuan."""
    for match in _AMOUNT.finditer(text):
        value = _value(match)
        if value is not None:
            yield Found(match.start(), match.end(), value)


def parse_amount(text: str) -> Fraction | None:
    """Yuan of a text that is an amount as a whole; None when it is not one."""
    match = _AMOUNT.fullmatch(text) or _AMOUNT.fullmatch(text + "钱")
    return _value(match) if match else None


def _value(match: re.Match[str]) -> Fraction | None:
    if match["sign"]:
        return Fraction(match["sign"])
    if match["onlyjiao"]:
        return _sum((match["onlyjiao"], 10), (match["onlyfen"], 100))
    if match["onlyjustfen"]:
        return _sum((match["onlyjustfen"], 100))
    tail = match["digits"] or ""
    parts = [(match["yuan"], 1), (match["jiao"], 10), (match["fen"], 100), (match["single"], 100)]
    parts += [(digit, 10**place) for place, digit in enumerate(tail, 1)]
    value = _sum(*parts)
    return value + Fraction(1, 2) if value is not None and match["half"] else value


def _sum(*parts: tuple[str | None, int]) -> Fraction | None:
    total = Fraction(0)
    for text, divisor in parts:
        if text:
            number = parse_number(text)
            if number is None:
                return None
            total += number / divisor
    return total
