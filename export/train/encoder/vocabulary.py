"""Which pieces of the encoder's 250,000 a Chinese kiosk needs: Chinese, digits, punctuation, common English."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

SPACE = "\u2581"
"""Stands for a space at the beginning of a piece (SentencePiece)."""

ENGLISH_PIECES = 16_000
"""Latin pieces to keep, the most probable first: the encoder lists those of all languages together."""

_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))


def is_han(character: str) -> bool:
    """True for a Chinese character."""
    return any(first <= ord(character) <= last for first, last in _HAN)


def _is_mark(character: str) -> bool:
    """True for punctuation and symbols that Chinese and English text has: ASCII, general, CJK and full-width ones."""
    code = ord(character)
    known = code < 0x80 or 0x2000 <= code <= 0x27BF or 0x3000 <= code <= 0x303F or 0xFE30 <= code <= 0xFFEF
    return known and unicodedata.category(character)[0] in "PSN"


def chosen(pieces: Sequence[tuple[str, float]], special: Mapping[str, int], used: Iterable[int] = ()) -> list[int]:
    """Numbers of the pieces to keep, ascending; special ones and those `used` by the project's own text always."""
    kept = {*special.values(), *used}
    latin: list[int] = []
    for number, (piece, _) in enumerate(pieces):
        letters = piece.strip(SPACE)
        if all(is_han(c) or _is_mark(c) for c in letters):
            kept.add(number)
        elif letters.isascii() and all(c.isalpha() or _is_mark(c) for c in letters):
            latin.append(number)
    # The list is in the order of probability.
    kept.update(latin[:ENGLISH_PIECES])
    kept.update(number for number in latin if len(pieces[number][0].strip(SPACE)) == 1)
    return sorted(kept)
