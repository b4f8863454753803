"""What is read sign by sign, in Chinese or English: strings of digits, codes, addresses of pages and of mail."""

from __future__ import annotations

import re
from collections.abc import Mapping

from appliance.language.numbers import say_digits

SIGNS: Mapping[str, Mapping[str, str]] = {
    "zh": {".": "点", "/": "斜杠", "-": "杠", "_": "下划线", "@": "艾特", ":": "冒号", "+": "加", "~": "波浪号"},
    "en": {".": " dot ", "/": " slash ", "-": " dash ", "_": " underscore ", "@": " at ", ":": " colon ",
           "+": " plus ", "~": " tilde "},
}  # fmt: skip
"""How each sign inside an address is said."""

ADDRESS = re.compile(
    r"(?:https?://|ftp://)(?P<url>[\w.-]+(?::\d+)?(?:/[\w./~+-]*)?)(?:[?#][\w=&%./+~-]*)?"
    r"|(?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?<![\w.@])(?P<page>(?:www\.[\w-]+(?:\.[\w-]+)+|[A-Za-z][\w-]*(?:\.[\w-]+)*\.(?:com|cn|net|org|io|gov|edu|shop))"
    r"(?:/[\w./~+-]*)?)(?![\w@])",
    re.ASCII,
)
"""An address of a page or of mail; what stands behind ? or # is not said."""

SPELLING = "·"
"""Stands between letters that are spelled, until the text for the English voice is made."""

_GROUP = 4


def digits(text: str, language: str, *, telephone: bool) -> str:
    """Digits one by one, in groups of four with pauses between; the last group may have five.

    In Chinese 1 is 幺 where `telephone`; in English digits stand apart, and the voice reads them.
    """
    groups = [text[at : at + _GROUP] for at in range(0, len(text), _GROUP)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return grouped(groups, language, telephone=telephone)


def grouped(groups: list[str], language: str, *, telephone: bool) -> str:
    """The same for groups that are already there, as those of a telephone number."""
    if language == "zh":
        return ",".join(say_digits(group, telephone=telephone) for group in groups)
    return ", ".join(" ".join(group) for group in groups)


def code(text: str, language: str, *, telephone: bool) -> str:
    """A code of letters, digits and dashes: letters spelled, digits one by one, dashes said: SF-12 -> S·F杠幺二."""
    out = []
    for part in re.findall(r"[A-Za-z]+|\d+|[-_/.]", text):
        if part.isdigit():
            out.append(digits(part, language, telephone=telephone))
        elif part.isalpha():
            out.append(f" {letters(part)} ")
        else:
            out.append(SIGNS[language][part])
    return "".join(out)


def address(match: re.Match[str], language: str, *, telephone: bool) -> str:
    """A match of `ADDRESS` as it is said: words as words, www spelled, digits one by one, signs by their names."""
    found = (match["url"] or match["mail"] or match["page"]).rstrip("./-")
    tail = match.group()[len(match.group().rstrip(".")) :] if match["url"] is None else ""
    out = []
    for part in re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d]", found):
        if part.isdigit():
            out.append(grouped([part], language, telephone=telephone))
        elif part.isalpha():
            out.append(f" {letters(part) if part.lower() in _SPELLED else part.lower()} ")
        else:
            out.append(SIGNS[language].get(part, " "))
    return f" {''.join(out)} {tail}"


_SPELLED = frozenset(["www", "cn", "io", "qq"])


def letters(text: str) -> str:
    """Letters that are to be spelled, with `SPELLING` between: SF -> S·F, one alone as it is."""
    return SPELLING.join(text.upper())
