"""Masks what identifies a person in a text before it is kept: numbers, names, addresses, mail.

Two nets, one under the other: the entities that the parser found, each masked in its own way; then everything that
still looks like a long number, a mail address or a spoken number. No number of seven or more digits passes in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from appliance.language.numbers.cardinal import DIGITS
from appliance.values import Entity

MASK = "*"
"""The character that stands for what was removed."""

PERSONAL = frozenset(
    ("phone", "tracking_no", "order_no", "pickup_code", "ticket_no", "email", "tax_no", "person", "address")
)
"""Entity types whose text never goes into the log as it is; the one list, for the dialogue's masks, too."""

_SEPARATORS = "[ \\t.\\-_/·,，、()（）杠]{0,2}"
_NUMERALS = "0-9０-９" + "".join(DIGITS) + "零壹贰貳叁參肆伍陆陸柒捌玖兩十"
_LONG = re.compile(
    f"[A-Za-zＡ-Ｚａ-ｚ]{{0,4}}(?:[{_NUMERALS}]{_SEPARATORS}){{6,}}[{_NUMERALS}][A-Za-zＡ-Ｚａ-ｚ]{{0,3}}"
)
_CODE = re.compile("(?<![A-Za-z0-9])(?=[A-Za-z0-9]*[0-9][A-Za-z0-9]*[0-9])[A-Za-z0-9]{12,}(?![A-Za-z0-9])")
_CODE_CHARS, _LONG_CHARS = 12, 7
"""Fewest characters that the two patterns above match."""
_MAIL = re.compile(r"[^\s@,;:，；：<>]{1,64}[@＠][^\s@,;，；<>]{1,190}")


def _ends(text: str, front: int, back: int) -> str:
    """`text` with only its first and last characters left; what is too short to hide loses them, too."""
    if len(text) < front + back + 4:
        front, back = 0, min(back, max(0, len(text) - 4))
    return text[:front] + MASK * (len(text) - front - back) + (text[len(text) - back :] if back else "")


def redact_value(entity_type: str, text: str) -> str:
    """One entity's text or value, masked in the way of its type; types that identify nobody are returned unchanged.

    138****1234 for a phone, SF*********1002 for a tracking number, 张** for a name, z***@*** for mail; an address
    keeps its first six characters at most (province, city, district), and never a digit.
    """
    if entity_type not in PERSONAL:
        return text
    if entity_type == "phone":
        return _ends(text, 3, 4) if len(text) >= 11 else _ends(text, 0, 2)
    if entity_type == "person":
        return text[:1] + MASK * max(1, len(text) - 1)
    if entity_type == "email":
        return text[:1] + MASK * 3 + "@" + MASK * 3
    if entity_type == "address":
        kept = re.split("[0-9０-９]", text, maxsplit=1)[0][:6]
        return kept + MASK * (len(text) - len(kept))
    if entity_type == "pickup_code":
        return _ends(text, 0, 2)
    return _ends(text, 2, 4) if len(text) >= 12 else _ends(text, 0, 3)


def redact(text: str, entities: Iterable[Entity] = ()) -> str:
    """`text` with everything masked that identifies a person.

    `entities` are the parser's, with spans into `text`; spans that do not fit are passed over, because the second net
    catches what they would have caught.
    """
    pieces: list[str] = []
    position = 0
    for entity in sorted(entities, key=lambda entity: (entity.start, -entity.end)):
        inside = position <= entity.start < entity.end <= len(text)
        if inside and entity.type in PERSONAL and text[entity.start : entity.end] == entity.text:
            pieces += (_sweep(text[position : entity.start]), redact_value(entity.type, entity.text))
            position = entity.end
    pieces.append(_sweep(text[position:]))
    # Once more over the whole: a number may reach from one piece into the next.
    return _sweep("".join(pieces))


def _sweep(text: str) -> str:
    # A turn's record passes through here seventy times, mostly names and short words: what is too short for a pattern,
    # or lacks the one sign that it needs, is not searched for it.
    if "@" in text or "＠" in text:
        text = _MAIL.sub(lambda match: redact_value("email", match.group()), text)
    if len(text) >= _CODE_CHARS:
        text = _CODE.sub(lambda match: _ends(match.group(), 2, 2), text)
    return _LONG.sub(lambda match: _ends(match.group(), 0, 2), text) if len(text) >= _LONG_CHARS else text
