"""Numbers that are read out digit by digit: telephones, waybills, orders, tickets, pickup codes, years, rooms.

一三八零零一三八零零零 is 13800138000; 幺, 洞 and 拐 are one, zero and seven; 五杠二杠三零一一 is 5-2-3011 and
S F 一零二四 is SF1024.
"""

from __future__ import annotations

import itertools
import re

from appliance.language.numbers.cardinal import DIGITS, parse_digits

PLAIN = "零〇一二三四五六七八九"
"""Digits as a number is written in Chinese."""

SPOKEN = PLAIN + "两幺洞拐"
"""Digits as they are read out."""

_TEEN = re.compile(f"十([{PLAIN}]?)")
_SHORT = 5
"""A run with 两 in it must be this long: 两三四个 is no number."""

ENGLISH = {
    "zero": "0", "oh": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9",
}  # fmt: skip
"""Digits as English says them."""


def run(match: re.Match[str]) -> str | None:
    """Three or more digits in a row; None where they are rather a count that is not known exactly."""
    words = match.group()
    digits = parse_digits(words)
    if digits is None or ("两" in words and len(words) < _SHORT):
        return None
    if any(character in "洞拐" for character in words) and (len(words) < 4 or not any(c in PLAIN for c in words)):
        return None
    counting = all(int(b) == int(a) + 1 for a, b in itertools.pairwise(digits))
    if counting and len(words) == 3 and match["unit"] is not None:  # 三四五个: some, and not 345
        return None
    return digits


def code(match: re.Match[str]) -> str | None:
    """Letters and digits of one code, the letters as capitals: S F 一零二四 is SF1024."""
    return "".join(str(DIGITS[c]) if c in DIGITS else c.upper() for c in match.group())


def dashed(match: re.Match[str]) -> str | None:
    """Groups of digits with 杠 or 横 between them, one may have its 十: 十五杠二杠三零一一 is 15-2-3011."""
    groups = []
    for words in re.split("[杠横]", match.group()):
        group = _TEEN.sub(lambda teen: "一" + (teen[1] or "零"), words) if words[0] == "十" else words
        digits = parse_digits(group)
        if digits is None:
            return None
        groups.append(digits)
    return "-".join(groups)


def english(match: re.Match[str]) -> str | None:
    """Three or more digits in English: one zero two four is 1024."""
    return "".join(ENGLISH[word.lower()] for word in match.group().split())


def pair(match: re.Match[str]) -> str | None:
    """Two digits that belong together by what stands behind them: 九零 of 九零后, 八五 of 八五折."""
    return parse_digits(match.group())
