"""A recogniser's tokens: read from whatever file comes with it, written as words with times, spelt from a phrase."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.artifacts.protobuf import message
from appliance.errors import ModelCorrupt, ModelMissing

BOUNDARY = "▁"
"""What SentencePiece writes in place of a space (U+2581)."""
SPACES = frozenset({BOUNDARY, " ", "|", "<space>"})
"""Tokens that are nothing but a space; `|` is wav2vec2's."""
TAG = re.compile(r"<\|.*\|>")
"""What SenseVoice tells beside the words."""
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""One byte of a character that has no token of its own (SentencePiece's byte_fallback)."""
_CONTROL = re.compile(r"<[^>]*>|\[[A-Z]+\]")
"""Tokens that are no text: `<unk>`, `<s>`, `<blk>`, `[PAD]`."""
_MOST = 1_000_000
_LONGEST = 32
"""Most characters of a token that a phrase is spelt with."""
_REMEDY = ("请使用与模型一同导出的词表", "Use the token list that was exported with the model")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The classes of a recogniser's network, in order."""

    texts: tuple[str, ...]
    """Each token as its file writes it."""
    blank: int = 0
    """The class that stands for nothing."""

    def __len__(self) -> int:
        """Number of classes."""
        return len(self.texts)

    def is_text(self, token: int) -> bool:
        """True for a token that is written: no blank, no tag, nothing like `<unk>`; a byte is."""
        text = self.texts[token]
        return token != self.blank and bool(BYTE.fullmatch(text) or not (TAG.fullmatch(text) or _control(text)))

    def is_tag(self, token: int) -> bool:
        """True for one of SenseVoice's tags."""
        return bool(TAG.fullmatch(self.texts[token]))

    def index(self) -> Mapping[str, int]:
        """Class by text; the first of several."""
        return {text: number for number, text in reversed(list(enumerate(self.texts)))}


class Speller:
    """Spells phrases in tokens, for hotwords: with as few tokens as it can be done."""

    def __init__(self, tokens: Tokens) -> None:
        """Spell with `tokens`."""
        self._index = {text: number for text, number in tokens.index().items() if tokens.is_text(number)}
        self._pieces = any(text.startswith(BOUNDARY) for text in self._index)
        lone = [text for text in SPACES if text in self._index]
        self._space = BOUNDARY if self._pieces else lone[0] if lone else ""
        letters = [text for text in self._index if text.isascii() and text.strip(BOUNDARY).isalpha()]
        self._case: Callable[[str], str] = str
        if letters and all(text.upper() == text for text in letters):
            self._case = str.upper
        elif letters and all(text.lower() == text for text in letters):
            self._case = str.lower

    def spell(self, phrase: str) -> tuple[int, ...]:
        """Tokens of `phrase`; empty when one of its characters is in no token.

        Written in the case that all letters of the list have. With SentencePiece's tokens a word's first begins with
        `▁`, except that a Han character mostly has none of its own: then it is spelt without.
        """
        written = self._space.join(self._case(phrase).split())
        if not written:
            return ()
        tries = (BOUNDARY + written, written) if self._pieces else (written,)
        found = [spelt for one in tries if (spelt := self._fewest(one))]
        # Of equally good ones the first, with the boundary; a lone boundary before a Han character is one token more.
        return min(found, key=len) if found else ()

    def _fewest(self, text: str) -> tuple[int, ...]:
        best: list[tuple[int, ...] | None] = [()]
        for end in range(1, len(text) + 1):
            ways = [
                (*before, self._index[text[start:end]])
                for start in range(max(0, end - _LONGEST), end)
                if (before := best[start]) is not None and text[start:end] in self._index
            ]
            best.append(min(ways, key=len) if ways else None)
        return best[-1] or ()


def read_tokens(path: Path) -> Tokens:
    """The tokens in `path`, by its name: tokens.txt, tokens.json, vocab.json or a SentencePiece `.model`.

    The blank is `<blk>`, `<blank>`, `<pad>` or `[PAD]` where there is one, else class 0. Raises ModelMissing without a
    file and ModelCorrupt, naming the line or the number, for one that is malformed.
    """
    try:
        texts = _SentencePiece(path)() if path.suffix == ".model" else _written(path)
    except FileNotFoundError as error:
        raise ModelMissing(f"expected the token list {path.name}, found none", remedy=_REMEDY) from error
    except (ValueError, RecursionError) as error:  # undecodable text and JSON among them
        raise _corrupt(path, f"expected UTF-8 text or JSON, got {error}") from error
    if not 2 <= len(texts) <= _MOST:
        raise _corrupt(path, f"expected 2 to {_MOST} tokens, got {len(texts)}")
    return Tokens(
        tuple(texts), next((texts.index(one) for one in ("<blk>", "<blank>", "<pad>", "[PAD]") if one in texts), 0)
    )


def _written(path: Path) -> list[str]:
    text = path.read_text("utf-8")
    if path.suffix != ".json":
        return _lines(text, path)
    value = json.loads(text)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return list(value)
    if isinstance(value, dict) and all(type(number) is int for number in value.values()):
        return _numbered([(text, number) for text, number in value.items()], path)
    raise _corrupt(path, "expected a list of texts, or a mapping of texts to numbers")


def _lines(text: str, path: Path) -> list[str]:
    """`token number` lines; a token may be a space, and a line may be without a number (then all are)."""
    lines = [line for line in text.split("\n") if line.strip("\r")]
    rows = []
    for place, line in enumerate(lines):
        token, _, number = line.rstrip("\r").rpartition(" " if " " in line else "\t")
        if not number.strip().isdecimal():
            if place == 0 and not any(one.rstrip("\r")[-1:].isdecimal() and " " in one for one in lines[1:2]):
                return [one.rstrip("\r") for one in lines]
            raise _corrupt(path, f"line {place + 1}: expected `token number`, got {line[:60]!r}")
        rows.append((token or " ", int(number)))
    return _numbered(rows, path)


def _numbered(rows: Sequence[tuple[str, int]], path: Path) -> list[str]:
    """Texts in order of their numbers, which have to be 0, 1, 2..."""
    texts: dict[int, str] = {}
    for text, number in rows:
        if not 0 <= number < _MOST or number in texts:
            raise _corrupt(path, f"expected every number once, from 0, got {number} for {text[:20]!r}")
        texts[number] = text
    missing = next((number for number in range(len(texts)) if number not in texts), None)
    if missing is not None:
        raise _corrupt(path, f"expected numbers from 0 to {len(texts) - 1}, got none with {missing}")
    return [texts[number] for number in range(len(texts))]


class _SentencePiece:
    """The pieces of a SentencePiece model: field 1 of its ModelProto, each with its text in field 1."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> list[str]:
        with self._path.open("rb") as file:
            top = message(self._path, file)
            pieces = [top.inside(part) for part in top.fields() if part.number == 1]
            if len(pieces) > _MOST:
                raise _corrupt(self._path, f"expected at most {_MOST} tokens, got {len(pieces)}")
            return ["".join(one.text(part) for part in one.fields() if part.number == 1) for one in pieces]


def _control(text: str) -> bool:
    return bool(_CONTROL.fullmatch(text)) and text not in SPACES


def _corrupt(path: Path, detail: str) -> ModelCorrupt:
    return ModelCorrupt(f"{path.name}: {detail}", remedy=_REMEDY)
