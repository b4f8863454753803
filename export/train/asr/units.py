"""What the acoustic model tells apart: pinyin syllables with their tone, and Latin letters; 0 is CTC's blank.

A syllable with its tone is one unit, so that four frames of fast speech hold it. Rare ones are learnt all the same,
because the output layer puts the weights of a unit together from parts that it shares with others (`parts`): initial,
final, tone, final with tone, syllable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BLANK = "<blank>"
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SYLLABLE = re.compile(r"(?P<initial>zh|ch|sh|[bpmfdtnlgkhjqxzcsrwy]?)(?P<final>[a-zêü]+)(?P<tone>[1-5])")
_HAN = re.compile("[\u3400-\u9fff〇]")
_LATIN = {
    "A": "ei1", "B": "bi4", "C": "xi1", "D": "di4", "E": "yi4", "F": "ai2 fu5", "G": "ji4", "H": "ei1 qi5", "I": "ai4",
    "J": "zhei4", "K": "kei4", "L": "ai2 lou5", "M": "ai2 mu5", "N": "en1", "O": "ou1", "P": "pi4", "Q": "kiu1",
    "R": "a4 er5", "S": "ai2 si5", "T": "ti4", "U": "you4", "V": "wei1", "W": "da2 bu5 liu5", "X": "ai2 ke5 si5",
    "Y": "wai4", "Z": "zei4",
}  # fmt: skip
"""How a reader of Mandarin says the letters of the alphabet."""


_ODD = {"r5": "er5", "n2": "en2", "n4": "en4", "m2": "mu2", "m4": "mu4", "m5": "mu5", "ng2": "en2", "hng5": "heng1",
        "hm5": "heng1"}  # fmt: skip


@lru_cache(maxsize=1)
def _pinyin() -> object:
    from pypinyin import Style, lazy_pinyin, load_phrases_dict

    # What shop sentences say otherwise than the dictionary's first reading.
    load_phrases_dict({"还有": [["hái"], ["yǒu"]], "还没": [["hái"], ["méi"]], "哪儿": [["nǎ"], ["er"]]})
    return lambda text: lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True, errors=lambda run: list(run))


def named(sound: str) -> str:
    """The unit of a syllable as pypinyin writes it: lü4 is lv4; the few that are no syllable are a near one."""
    unit = sound.replace("ü", "v").replace("ê", "e")
    return _ODD.get(unit, unit)


def read(text: str) -> list[tuple[str, str]]:
    """(character, unit) of every Chinese character and capital letter of `text`; what is neither is left out.

    Readings are those of pypinyin for the whole text, so that polyphones follow their words; tones as in the dictionary
    (sandhi is the voice's business and the network's to learn).
    """
    sounds = _pinyin()(text)  # type: ignore[operator]
    if len(sounds) != len(text):
        raise ValueError(f"expected a reading for each of {len(text)} characters of {text!r}, got {len(sounds)}")
    found = []
    for character, sound in zip(text, sounds, strict=True):
        if _HAN.match(character):
            found.append((character, named(sound)))
        elif character in _LATIN:
            found.append((character, character))
    return found


def said(text: str) -> str:
    """`text` as the synthesiser takes it: pinyin with tone digits, letters as their names, commas for pauses."""
    words: list[str] = []
    readings = iter(read(text))
    for character in text:
        if _HAN.match(character) or character in _LATIN:
            unit = next(readings)[1]
            words.append(_LATIN.get(unit) or unit.replace("v", "ü"))
        elif words and not words[-1].endswith(","):
            words[-1] += ","
    return " ".join(words).rstrip(",")


def inventory(characters: Iterable[str], texts: Iterable[str]) -> tuple[str, ...]:
    """Units in the order of the network's outputs: blank, every reading of `characters` and `texts`, letters."""
    from pypinyin import Style, pinyin

    found: set[str] = set()
    for character in characters:
        for sound in pinyin(character, style=Style.TONE3, neutral_tone_with_five=True, heteronym=True)[0]:
            found.add(sound.replace("ü", "v").replace("ê", "e"))
    for text in texts:
        found.update(unit for _, unit in read(text))
    kept = sorted(unit for unit in found if _SYLLABLE.fullmatch(unit.replace("v", "ü")))
    return (BLANK, *kept, *LETTERS)


def parts(units: Sequence[str]) -> npt.NDArray[np.float32]:
    """What the units are made of, shape (units, parts), 1 where a unit has a part, each unit itself among the parts."""
    named: dict[str, int] = {}
    rows: list[list[int]] = []
    for unit in units:
        names = ["=" + unit]
        match = _SYLLABLE.fullmatch(unit.replace("v", "ü"))
        if match:
            initial, final, tone = match["initial"], match["final"], match["tone"]
            names += [f"i{initial}", f"f{final}", f"t{tone}", f"ft{final}{tone}", f"s{initial}{final}"]
        rows.append([named.setdefault(name, len(named)) for name in names])
    table = np.zeros((len(units), len(named)), np.float32)
    for number, row in enumerate(rows):
        table[number, row] = 1.0
    return table
