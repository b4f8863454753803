"""Figures and signs of a written text as an English voice should read them: ¥12.50 -> 12.50 yuan, 18:30 -> 6 30 P·M.

Plain numbers stay figures, which every English voice reads; only what it would misread is changed: strings of digits,
amounts, dates, times, units and addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from appliance.speech.tts import spell

_N = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_CURRENCIES = {"¥": "yuan", "$": "dollars", "€": "euros", "£": "pounds"}
_ONE = {"yuan": "yuan", "dollars": "dollar", "euros": "euro", "pounds": "pound"}
_UNITS = {
    "km/h": "kilometres per hour", "kWh": "kilowatt hours", "mAh": "milliampere hours", "km": "kilometres",
    "cm": "centimetres", "mm": "millimetres", "m2": "square metres", "m": "metres", "kg": "kilograms",
    "mg": "milligrams", "g": "grams", "ml": "millilitres", "L": "litres", "kW": "kilowatts", "W": "watts",
    "min": "minutes", "h": "hours", "s": "seconds", "ms": "milliseconds", "lb": "pounds", "oz": "ounces",
}  # fmt: skip
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_KEYS = "number|code|order|ticket|pin|password|ending in|hotline|call|dial|phone"

Said = Callable[[re.Match[str]], str]


def worded(text: str) -> str:
    """`text`, cleaned, as an English voice should read it; ASCII punctuation stays."""
    text = spell.ADDRESS.sub(lambda found: spell.address(found, "en", telephone=False), text)
    for pattern, said in _RULES:
        text = pattern.sub(said, text)
    return text


def _grouped(found: re.Match[str]) -> str:
    front = "plus 8 6, " if found.group().startswith("+") else ""
    return front + spell.grouped([group for group in found.groups() if group], "en", telephone=False)


def _coded(found: re.Match[str]) -> str:
    return found[1] + spell.code(found[2], "en", telephone=False)


def _date(found: re.Match[str]) -> str:
    try:
        day = date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return found.group()
    return f"{day:%B} {day.day}, {day.year}"


def _clock(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if hour > 24:
        return found.group()
    half = (found[3] or "").upper().replace(".", "") or ("PM" if 12 <= hour < 24 else "AM")
    words = str((hour - 1) % 12 + 1)
    if minute:
        words += f" {minute}" if minute > 9 else f" oh {minute}"
    return f"{words} {spell.letters(half)}"


def _money(found: re.Match[str]) -> str:
    unit = _CURRENCIES[found[2]]
    figure = re.sub(r"\.0+$", "", found[3].replace(",", ""))
    return f"{'minus ' if found[1] else ''}{figure} {_ONE[unit] if figure == '1' else unit}"


def _measured(found: re.Match[str]) -> str:
    unit = _UNITS[found[2]]
    return f"{found[1]} {unit.removesuffix('s') if found[1] == '1' and ' ' not in unit else unit}"


def _rule(pattern: str, said: Said | str) -> tuple[re.Pattern[str], Said]:
    if isinstance(said, str):
        return re.compile(pattern, re.ASCII), lambda found: found.expand(said)
    return re.compile(pattern, re.ASCII), said


_RULES = (
    _rule(r"(?<=\d)T(?=\d\d:)", " "),
    _rule(r"(?<![\d.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?![\d]|[-/.]\d)", _date),
    _rule(r"(?<=:\d\d) ?[-~] ?(?=\d{1,2}:)", " to "),
    _rule(r"(?<![\d.:])(\d{1,2}):([0-5]\d)(?::[0-5]\d)?(?![\d:])(?: ?([AaPp]\.?[Mm]\b\.?))?", _clock),
    _rule(r"(?<![\d.:])(1?\d)()() ?([AaPp])\.?[Mm]\b\.?", lambda f: f"{f[1]} {spell.letters(f[4] + 'M')}"),
    _rule(r"(?<![\d.])(?:\+?86[- ]?)?(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)", _grouped),
    _rule(r"(?<![\d.])\(?(0\d{2,3})\)?[- ](\d{3,4})[- ]?(\d{4})(?!\d)", _grouped),
    _rule(r"(?<![\d.])([48]00)[- ]?(\d{3})[- ]?(\d{4})(?!\d)", _grouped),
    _rule(
        rf"(?i)(\b(?:{_KEYS})(?: is|:| )*)([A-Za-z]{{0,4}}\d[\dA-Za-z]{{2,}}(?:-\w+)*)(?![\d.]| ?(?:yuan|{_UNIT})\b)",
        _coded,
    ),
    _rule(r"()(?<![\dA-Za-z])((?=[A-Z]*\d[\dA-Z]*[A-Z]|[A-Z]+\d)[A-Z\d]{7,})(?![\dA-Za-z])", _coded),
    _rule(r"()(?<![A-Za-z])([A-Z]{1,4}-?(?:0\d+|\d{3,}))(?![\d.:A-Za-z])", _coded),
    _rule(r"()(?<![\dA-Za-z-])(\d{1,3}-\d{1,3}-\d{2,6}|\d{8,})(?![\d-])", _coded),
    _rule(r"(?<=[\d%]) ?[-~] ?(?=[¥$]?\d)", " to "),
    _rule(rf"(-)?([¥$€£]) ?({_N})(?: ?(?:yuan|dollars))?", _money),
    _rule(rf"({_N}) ?%", r"\1 percent"),
    _rule(
        rf"(-)?({_N}) ?°([CFcf])?(?![A-Za-z])",
        lambda f: (
            ("minus " if f[1] else "")
            + f"{f[2]} degrees"
            + {"c": " Celsius", "f": " Fahrenheit"}.get((f[3] or "").lower(), "")
        ),
    ),
    _rule(rf"({_N}) ?({_UNIT})(?![A-Za-z\d])", _measured),
    _rule(rf"(?<=[A-Za-z])/({_UNIT})(?![A-Za-z\d])", lambda f: f" per {_UNITS[f[1]].removesuffix('s')}"),
    _rule(r"\bNo\. ?(?=\d)", "number "),
    _rule(r" ?& ?", " and "),
    _rule(r" ?\+ ?", " plus "),
    _rule(r" ?[x×] ?(?=\d)", " by "),
    _rule(r" ?= ?(?=[-\d])", " equals "),
    _rule(r"(?<=[A-Za-z]) ?/ ?(?=[A-Za-z])", ", "),
    _rule(r"@", " at "),
)
