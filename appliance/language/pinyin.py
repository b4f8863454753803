"""Homophones: folds Chinese characters to one private character per syllable, so that sound can be compared.

Tone is dropped, and so are the distinctions that southern speakers and small recognisers lose: zh/z, ch/c, sh/s, n/l
at the front, ng/n behind i and e.
"""

from __future__ import annotations

import re
import threading

_FIRST = 0xF0000
_FOLDS = (
    (re.compile(r"^([zcs])h"), r"\1"),
    (re.compile(r"^n(?=.)"), "l"),
    (re.compile(r"(?<=[ie])ng$"), "n"),
)


class Syllables:
    """Maps each Chinese character to a private-use character that stands for its sound. Thread-safe."""

    def __init__(self) -> None:
        """Start with an empty table; readings are looked up as characters come."""
        self._sounds: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._lock = threading.Lock()

    def fold(self, text: str) -> str:
        """`text` with every Chinese character replaced by its sound; same length, other characters unchanged."""
        sounds = self._sounds
        return "".join([sounds.get(character) or self._learn(character) for character in text])

    def reading(self, character: str) -> str:
        """The folded syllable of one character, for example `zi` for 纸; the character itself when it has none."""
        from pypinyin import Style, pinyin  # lazy: large tables

        if character < "\u3400":
            return character
        syllable = pinyin(character, style=Style.NORMAL, errors="ignore")
        if not syllable or not syllable[0][0]:
            return character
        reading = syllable[0][0]
        for pattern, replacement in _FOLDS:
            reading = pattern.sub(replacement, reading)
        return reading

    def _learn(self, character: str) -> str:
        reading = self.reading(character)
        if reading == character:
            sound = character
        else:
            with self._lock:
                sound = self._codes.setdefault(reading, chr(_FIRST + len(self._codes)))
        self._sounds[character] = sound
        return sound
