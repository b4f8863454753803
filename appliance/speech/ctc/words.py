"""Decoded tokens as words with times: Han characters and kana one by one, letters joined to words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.inference.ctc import Decoded
from appliance.speech.ctc.tokens import BOUNDARY, BYTE, SPACES, Tokens
from appliance.values import Word


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the steps of a network lie in a recording."""

    start: float
    """Seconds at which step 0 begins."""
    step: float
    """Seconds of one step."""
    end: float
    """Seconds at which the segment ends: no word reaches beyond."""

    def at(self, step: float) -> float:
        """Seconds of a place between steps, inside the segment."""
        return min(max(self.start + step * self.step, self.start), self.end)


@dataclass(slots=True)
class _Open:
    """A word that may go on."""

    text: str
    first: float
    last: float
    sure: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Piece:
    """The text of a token, or of several that are bytes of one character."""

    text: str
    first: int
    last: int
    sure: float


def words(tokens: Tokens, decoded: Decoded, clock: Clock) -> list[Word]:
    """The words of `decoded`, in order of time.

    A character that is written without spaces is a word; other tokens are joined up to the next `▁`, `|` or space. A
    token of several such characters is divided among them evenly. Punctuation joins the word before and changes neither
    its time nor its confidence. A word's confidence is the mean of its tokens'.
    """
    done: list[_Open] = []
    fresh = True  # the next letters begin a word
    for piece in _pieces(tokens, decoded):
        text = piece.text
        if text in SPACES:
            fresh = True
            continue
        if text.startswith((BOUNDARY, " ")):
            fresh = True
        text = text.replace(BOUNDARY, " ").strip()
        share = (piece.last - piece.first) / max(1, len(text))
        for place, character in enumerate(text):
            first = piece.first + place * share
            if character == " ":
                fresh = True
            elif _alone(character):
                done.append(_Open(character, first, first + share, [piece.sure]))
                fresh = True
            elif _punctuation(character) and character not in "'-" and done:
                done[-1].text += character
                fresh = True
            elif fresh or not done:
                done.append(_Open(character, first, first + share, [piece.sure]))
                fresh = False
            else:
                done[-1].text += character
                done[-1].last = first + share
                if place == 0:
                    done[-1].sure.append(piece.sure)
    return [
        Word(one.text, clock.at(one.first), clock.at(one.last), min(1.0, sum(one.sure) / len(one.sure))) for one in done
    ]


def _pieces(tokens: Tokens, decoded: Decoded) -> Iterator[_Piece]:
    """What is written, with bytes put together to characters; a byte that belongs to none is dropped."""
    held: list[tuple[int, int, int, float]] = []
    rows = zip(
        decoded.indices.tolist(),
        decoded.starts.tolist(),
        decoded.ends.tolist(),
        decoded.confidences.tolist(),
        strict=True,
    )
    for token, first, last, sure in rows:
        if not tokens.is_text(token):
            continue
        byte = BYTE.fullmatch(tokens.texts[token])
        if byte:
            held.append((int(byte[1], 16), first, last, sure))
            continue
        yield from _joined(held)
        held.clear()
        yield _Piece(tokens.texts[token], first, last, sure)
    yield from _joined(held)


def _joined(held: list[tuple[int, int, int, float]]) -> Iterator[_Piece]:
    text = bytes(byte for byte, *_ in held).decode("utf-8", "ignore")
    if text:
        yield _Piece(text, held[0][1], held[-1][2], min(sure for *_, sure in held))


def _alone(character: str) -> bool:
    """True for Han characters and kana, which are written without spaces; Hangul is joined to words."""
    name = unicodedata.name(character, "")
    return name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC NUMBER", "HIRAGANA", "KATAKANA"))


def _punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
