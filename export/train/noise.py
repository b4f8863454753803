"""Sentences as a careless typist or a recogniser would have them: homophones, lost and doubled characters.

Spans move with their characters, so that noisy sentences teach the entity tagger, too.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from appliance.language.pinyin import fold_syllable, read_table
from export.train.sentences import Sentence, Span

_LEVEL_1 = range(0xB0, 0xD8)
"""First bytes of GB 2312's level 1: its 3,755 common characters."""


def is_common(character: str) -> bool:
    """True for one of the 3,755 common simplified characters."""
    try:
        code = character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return len(code) == 2 and code[0] in _LEVEL_1


def sound_numbers(pieces: Sequence[str]) -> list[int]:
    """The number of every piece's sound (pinyin folded as `language.pinyin` does it); 0 for all but one character."""
    readings = {chr(code): fold_syllable(found.partition(",")[0]) for code, found in read_table().items()}
    numbers = {sound: number for number, sound in enumerate(sorted(set(readings.values())), 1)}
    return [numbers[readings[piece]] if piece in readings else 0 for piece in pieces]


class Noise:
    """Draws noisy versions of sentences."""

    def __init__(self, seed: int) -> None:
        """Read pypinyin's table; the same seed draws the same noise."""
        self._rng = random.Random(seed)
        self._sound: dict[str, str] = {}
        self._alike: dict[str, list[str]] = defaultdict(list)
        for code, readings in read_table().items():
            character = chr(code)
            if is_common(character):
                self._sound[character] = fold_syllable(readings.partition(",")[0])
                self._alike[self._sound[character]].append(character)

    def of(self, sentence: Sentence, rate: float = 0.12) -> Sentence:
        """A version in which about `rate` of the characters are changed, and often the punctuation is gone."""
        rng = self._rng
        quiet = rng.random() < 0.5
        pieces: list[str] = []
        for character in sentence.text:
            if quiet and character in "，。？！,.?!、；":
                pieces.append("")
            elif rng.random() < rate:
                pieces.append(self._changed(character))
            else:
                pieces.append(character)
        starts = [0]
        for piece in pieces:
            starts.append(starts[-1] + len(piece))
        spans = tuple(
            Span(starts[span.start], starts[span.end], span.type)
            for span in sentence.spans
            if starts[span.end] > starts[span.start]
        )
        text = "".join(pieces)
        return replace(sentence, text=text, spans=spans) if text.strip() else sentence

    def _changed(self, character: str) -> str:
        rng, chance = self._rng, self._rng.random()
        alike = self._alike.get(self._sound.get(character, ""), ())
        if alike and chance < 0.7:
            return rng.choice(alike)
        if chance < 0.85 or character.isdigit():
            return character
        return "" if chance < 0.94 else character * 2
