"""What a keyboard writes for a character: its pinyin readings without tones, and their first letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache

from appliance.language.pinyin import read_table

_DOUBLE = ("zh", "ch", "sh")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")

RARE, INITIALS, PARTIAL = 1, 2, 4
"""How a text was matched, added up; 0 is by characters and whole syllables in their usual readings.

RARE: a reading that is not the character's first one. INITIALS: a character by the first letter of its reading, with
more behind it. PARTIAL: the last syllable is not typed to its end.
"""

LONGEST_SYLLABLE = 6
"""Letters of zhuang, chuang and shuang."""

Form = tuple[str, int]
"""Letters that stand for a character, and what using them means."""


def _plain(reading: str) -> Iterator[str]:
    """A reading without tone in the spellings that keyboards know: nǚ as nv and nu."""
    letters = unicodedata.normalize("NFD", reading)
    for umlaut in ("v", "u") if "u\u0308" in letters else ("u",):
        spelt = "".join(c for c in letters.replace("u\u0308", umlaut) if not unicodedata.combining(c))
        if spelt and _LETTERS.issuperset(spelt):
            yield spelt


def forms_of(readings: str) -> tuple[Form, ...]:
    """All letters that may stand for a character with these comma-separated `readings`, the best use of each."""
    forms: dict[str, int] = {}
    for number, reading in enumerate(readings.split(",")):
        rare = RARE if number else 0
        for spelt in _plain(reading):
            initials = [spelt[:1], *(double for double in _DOUBLE if spelt.startswith(double))]
            for form, how in ((spelt, rare), *((initial, rare | INITIALS) for initial in initials)):
                forms[form] = min(how, forms.get(form, how))
    return tuple(forms.items())


def read_forms() -> Callable[[str], tuple[Form, ...]]:
    """Forms of any character, from pypinyin's table; nothing for one that has no reading."""
    table = read_table()

    @cache
    def forms(character: str) -> tuple[Form, ...]:
        readings = table.get(ord(character))
        return forms_of(readings) if readings else ()

    return forms
