"""Weights and counted things: 两斤半, 三公斤, 500克, 1.5kg, 半斤, 三两; 两瓶, 五个, 一打, 3 pieces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from appliance.language.numbers.cardinal import NUMERAL, Found, parse_number

_GRAMS: dict[str, int | Fraction] = {
    "公斤": 1000, "千克": 1000, "kilos": 1000, "kilo": 1000, "kg": 1000, "市斤": 500, "斤": 500, "两": 50,
    "毫克": Fraction(1, 1000),
    "克": 1, "grams": 1, "gram": 1, "g": 1, "吨": 1_000_000, "磅": Fraction("453.59237"), "lbs": Fraction("453.59237"),
    "lb": Fraction("453.59237"), "oz": Fraction("28.349523125"),
}  # fmt: skip
_UNIT = "|".join(sorted(_GRAMS, key=len, reverse=True))
_WEIGHT = re.compile(
    f"(?P<number>{NUMERAL}|半)个?(?P<half>半)? ?(?P<unit>{_UNIT})(?![a-z])(?P<behind>半)?"
    f"(?:(?P<liang>[一二两三四五六七八九\\d])(?:两|(?![\\d个瓶袋包件块元点号月]))(?<!斤两))?"
)
_MEASURE = (
    "个|件|瓶|袋|包|盒|箱|只|支|张|条|双|套|台|部|把|罐|桶|份|根|卷|提|打|斤装|对|粒|颗|块(?!钱|[一二三四五六七八九\\d半])|"
    "本|杯|听|排|串|板"
)
_ENGLISH = " ?(?:pieces?|pcs|boxes|box|bottles?|bags?|packs?|cans?|pairs?)"
_COUNTED = re.compile(f"(?P<number>{NUMERAL}|半)(?:(?P<unit>{_MEASURE})|{_ENGLISH}(?![a-z]))(?P<half>半)?")
_DOZEN = "打"


def find_weights(text: str) -> Iterator[Found]:
    """Every weight in a cleaned text, in kilograms."""
    for match in _WEIGHT.finditer(text):
        number = Fraction(1, 2) if match["number"] == "半" else parse_number(match["number"])
        if number is None:
            continue
        if match["half"] or match["behind"]:
            number += Fraction(1, 2)
        unit = match["unit"]
        grams = number * _GRAMS[unit]
        if match["liang"]:
            if unit not in ("斤", "市斤"):
                continue
            grams += (parse_number(match["liang"]) or 0) * 50
        yield Found(match.start(), match.end(), grams / 1000)


def parse_weight(text: str) -> Fraction | None:
    """Kilograms of a text that is a weight as a whole; None when it is not one."""
    for found in find_weights(text):
        if (found.start, found.end) == (0, len(text)):
            return found.value
    return None


def find_quantities(text: str) -> Iterator[Found]:
    """Every counted quantity (a number with a measure word) in a cleaned text; a dozen counts twelve."""
    for match in _COUNTED.finditer(text):
        number = Fraction(1, 2) if match["number"] == "半" else parse_number(match["number"])
        if number is None:
            continue
        if match["half"]:
            number += Fraction(1, 2)
        yield Found(match.start(), match.end(), number * 12 if match["unit"] == _DOZEN else number)
