"""Cleans what people write, and remembers where every cleaned character came from.

Width forms (NFKC), traditional to simplified (OpenCC t2s), capitals, control and zero-width characters, emoji,
whitespace and repeated punctuation or letters are made uniform, so that everything behind this module matches one form.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

_DIGIT_HANZI = "零〇一二三四五六七八九十百千万亿两幺半点"
_KEPT_REPEATS = frozenset("0123456789" + _DIGIT_HANZI)
_INVISIBLE = frozenset(("Cc", "Cf", "Co", "Cs", "Cn"))
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u200d\u20e3]"
)
_MARKS = {
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "「": '"',
    "」": '"',
    "『": '"',
    "』": '"',
    "—": "-",
    "–": "-",
    "−": "-",
    "⁄": "/",
}
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff〇]")
_LETTER = re.compile(r"[a-z]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Cleaned text, aligned with the original."""

    text: str
    """The uniform form: simplified, half-width, lower case, no control characters, no emoji."""
    offsets: tuple[tuple[int, int], ...]
    """For every character of `text`, the first and one-past-last original character that it stands for."""
    emoji: str = ""
    """The emoji that were removed, in order."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Span in the original text of `text[start:end]`; needs 0 <= start < end <= len(text)."""
        if not 0 <= start < end <= len(self.text):
            raise IndexError(f"expected 0 <= start < end <= {len(self.text)}, got {start}, {end}")
        return self.offsets[start][0], self.offsets[end - 1][1]

    def cleaned_span(self, start: int, end: int) -> tuple[int, int] | None:
        """Span in `text` of the original span; None where nothing of it remained."""
        inside = [index for index, (low, high) in enumerate(self.offsets) if low < end and start < high]
        return (inside[0], inside[-1] + 1) if inside and start < end else None


def is_han(character: str) -> bool:
    """True for a Chinese character."""
    return _HAN.match(character) is not None


def guess_language(text: str) -> str:
    """`en` when the letters of `text` are mostly Latin words, else `zh`."""
    han = sum(1 for character in text if is_han(character))
    words = len(re.findall(r"[A-Za-zＡ-Ｚａ-ｚ]{2,}", text))
    return "en" if words > han and words > 0 else "zh"


_Piece = tuple[str, int, int]


def _widths(text: str) -> tuple[list[_Piece], str]:
    """Characters after NFKC, case folding and removal of the invisible, each with its original span; and the emoji."""
    pieces: list[_Piece] = []
    emoji: list[str] = []
    position, length = 0, len(text)
    while position < length:
        end = position + 1
        if text[position] < "\x7f" and (end == length or text[end] < "\u0300"):  # the common case, kept short
            if text[position] >= " ":
                pieces.append((text[position].lower(), position, end))
            elif text[position] in "\t\n\r\v\f":
                pieces.append((" ", position, end))
            position = end
            continue
        while end < length and unicodedata.combining(text[end]):
            end += 1
        cluster = text[position:end]
        if _EMOJI.match(cluster):
            emoji.append(cluster)
            pieces.append((" ", position, end))
        else:
            for character in unicodedata.normalize("NFKC", cluster).lower():
                kind = unicodedata.category(character)
                if character.isspace() or kind in ("Zl", "Zp"):
                    pieces.append((" ", position, end))
                elif kind not in _INVISIBLE:
                    pieces.append((_MARKS.get(character, character), position, end))
        position = end
    return pieces, "".join(emoji)


def _converted(pieces: list[_Piece], convert: Callable[[str], str]) -> list[_Piece]:
    """Apply a text conversion, keeping spans; where it changes a stretch's length, the stretch keeps its whole span."""
    before = "".join(character for character, _, _ in pieces)
    after = convert(before)
    if after == before:
        return pieces
    if len(after) == len(before):
        return [(new, start, end) for new, (_, start, end) in zip(after, pieces, strict=True)]
    result: list[_Piece] = []
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal" or a1 - a0 == b1 - b0:
            result += [
                (after[b], pieces[a][1], pieces[a][2]) for a, b in zip(range(a0, a1), range(b0, b1), strict=True)
            ]
        elif a1 > a0:
            result += [(after[b], pieces[a0][1], pieces[a1 - 1][2]) for b in range(b0, b1)]
        else:  # pure insertion: it stands for the character before it
            near = pieces[max(a0 - 1, 0)]
            result += [(after[b], near[1], near[2]) for b in range(b0, b1)]
    return result


def _spaced(pieces: list[_Piece]) -> list[_Piece]:
    """One space between two Latin words or numbers, none anywhere else."""
    result: list[_Piece] = []
    gap: _Piece | None = None
    for piece in pieces:
        if piece[0] == " ":
            gap = gap or piece
            continue
        if gap and result and _joins(result[-1][0]) and _joins(piece[0]):
            result.append(gap)
        gap = None
        result.append(piece)
    return result


def _joins(character: str) -> bool:
    return character.isalnum() and not is_han(character)


def _collapsed(pieces: list[_Piece]) -> list[_Piece]:
    """Repeated punctuation becomes one, and three or more of a letter or Chinese character become one.

    Digits and numerals never collapse; neither does a word made of one letter only (aaa, www).
    """
    result: list[_Piece] = []
    index = 0
    while index < len(pieces):
        character = pieces[index][0]
        end = index + 1
        while end < len(pieces) and pieces[end][0] == character:
            end += 1
        run = end - index
        if run > 1 and _folds(character, run, pieces, index, end):
            result.append((character, pieces[index][1], pieces[end - 1][2]))
        else:
            result += pieces[index:end]
        index = end
    return result


def _folds(character: str, run: int, pieces: list[_Piece], start: int, end: int) -> bool:
    if not character.isalnum():
        return character != " "
    if run < 3 or character in _KEPT_REPEATS or character.isdigit():
        return False
    if _LETTER.match(character):
        around = (pieces[start - 1][0] if start else " ") + (pieces[end][0] if end < len(pieces) else " ")
        return any(_LETTER.match(neighbour) for neighbour in around) and not any(n.isdigit() for n in around)
    return True


class Cleaner:
    """Cleans texts; holds the traditional-to-simplified converter. Thread-safe."""

    def __init__(self, convert: Callable[[str], str] | None = None) -> None:
        """Use `convert` for traditional to simplified; by default OpenCC's t2s."""
        if convert is None:
            import opencc  # lazy: native library

            convert = opencc.OpenCC("t2s").convert
        self._convert = convert

    def uniform(self, text: str) -> str:
        """Letters, digits and Chinese characters of `text` alone: half-width, lower case, simplified, none folded."""
        text = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))
        return self._convert(text) if any(character >= "\u3400" for character in text) else text

    def clean(self, text: str) -> Cleaned:
        """The cleaned form of `text` with its alignment; never longer runs of whitespace or punctuation than one."""
        pieces, emoji = _widths(text)
        if any(character >= "\u3400" for character, _, _ in pieces):
            pieces = _converted(pieces, self._convert)
        # Collapsing may bring two equal letters together only through removed spaces, so spaces go first.
        pieces = _collapsed(_spaced(pieces))
        return Cleaned(
            "".join(character for character, _, _ in pieces), tuple((start, end) for _, start, end in pieces), emoji
        )
