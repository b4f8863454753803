"""Frequent questions of a pack: which row, if any, answers a sentence.

Two likenesses are joined: how alike the words are written (character n-grams, sounds) and how alike the sentences mean
(cosine of the network's sentence vectors, where it serves). Each row has several ways of asking; the best one counts. A
logistic function of the best row's likenesses and of its lead over the next row says how probable it is that the row
is right, so that a question which nothing answers is refused. Its weights come with the network (calibrated on ways of
asking that it had not seen); without the network those for words alone serve.

Rows are found in two steps, so that 20,000 of them do not slow a turn: a mean vector and the best n-grams of each row
choose some, the ways of asking of these decide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelCorrupt
from appliance.language.ngrams import NGrams
from appliance.language.pinyin import Syllables
from appliance.values import FaqMatch

Floats = npt.NDArray[np.float32]

_FEW = 32
"""Rows that are looked at way by way."""


@dataclass(frozen=True, slots=True)
class FaqRow:
    """A frequent question and its answer."""

    id: str
    """Its name in the pack."""
    question: Mapping[str, str]
    """The question as it is shown, by language."""
    answer: Mapping[str, str]
    """The answer, by language."""
    ways: tuple[str, ...]
    """Every way of asking it, in any language, those of `question` included."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """How likenesses become a probability."""

    mix: float
    """Share of the meaning in the likeness by which rows are ranked; the rest is that of the words."""
    bias: float
    """Constant of the logistic function."""
    words: float
    """Weight of the best row's likeness of words."""
    meaning: float
    """Weight of the best row's likeness of vectors."""
    lead: float
    """Weight of its lead over the next row."""

    def confidence(self, words: float, meaning: float, lead: float) -> float:
        """Probability that the best row is the right one."""
        return 1 / (1 + math.exp(-(self.bias + self.words * words + self.meaning * meaning + self.lead * lead)))


WORDS_ALONE = Weighing(0.0, -4.0, 9.0, 0.0, 4.0)
"""Where no network serves."""


class Faq:
    """The questions of one pack. Thread-safe after construction."""

    def __init__(
        self,
        rows: Sequence[FaqRow],
        cleaned: Sequence[Sequence[str]],
        syllables: Syllables,
        vectors: Floats | None = None,
        weighing: Weighing = WORDS_ALONE,
    ) -> None:
        """Take `rows`, the cleaned and flattened ways of each, and the vectors of all ways in that order.

        `vectors` is (ways, width) float32, or None where no network serves.
        """
        self.rows = tuple(rows)
        self._ways = [way for row in rows for way in row.ways]
        sizes = [len(row.ways) for row in rows]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        self._row_of = np.repeat(np.arange(len(rows)), sizes)
        self._ngrams = NGrams((way for ways in cleaned for way in ways), syllables)
        self._weighing = weighing
        self._meanings = _Meanings(vectors, self._starts) if vectors is not None and len(vectors) else None

    def find(self, text: str, vector: Floats | None = None, most: int = 3) -> tuple[FaqMatch, ...]:
        """The likeliest rows for a cleaned and flattened text, best first; `vector` is that of its sentence.

        The first one's confidence is calibrated; those behind it share what is left in the order of their likeness.
        """
        if not self.rows or not text:
            return ()
        words = self._ngrams.likeness(text)
        by_row = np.maximum.reduceat(words, self._starts[:-1])
        few = min(_FEW, len(self.rows))
        chosen = np.argpartition(-by_row, few - 1)[:few]
        meanings, turned = self._meanings, None
        if vector is not None and meanings is not None:
            turned = _unit((vector - meanings.centre)[None])[0]
            chosen = np.union1d(chosen, np.argpartition(-(meanings.rows @ turned), few - 1)[:few])
        found = sorted((self._best(int(row), words, turned) for row in chosen), reverse=True)
        lead = found[0][0] - (found[1][0] if len(found) > 1 else 0.0)
        sure = self._weighing.confidence(found[0][1], found[0][2], lead)
        matches = []
        for place, (_, said, meant, way) in enumerate(found[:most]):
            chance = sure if place == 0 else min(sure, (1 - sure) / (place + 1))
            row = self.rows[int(self._row_of[way])]
            matches.append(FaqMatch(row.id, round(chance, 4), self._ways[way], round(said, 4), round(meant, 4)))
        return tuple(matches)

    def _best(self, row: int, words: Floats, turned: Floats | None) -> tuple[float, float, float, int]:
        """Likeness, that of words, that of vectors, and number of a row's likest way."""
        start, end = int(self._starts[row]), int(self._starts[row + 1])
        said = joined = words[start:end]
        meant = np.zeros_like(said)
        if turned is not None and self._meanings is not None:
            meant = self._meanings.ways[start:end].astype(np.float32) @ turned
            joined = (1 - self._weighing.mix) * said + self._weighing.mix * meant
        best = int(joined.argmax())
        return float(joined[best]), float(said[best]), float(meant[best]), start + best


class _Meanings:
    """Vectors of all ways of asking."""

    def __init__(self, vectors: Floats, starts: npt.NDArray[np.intp]) -> None:
        self.centre: Floats = vectors.mean(0)
        moved = _unit(vectors - self.centre)
        # Halves are enough for a likeness, and half the memory of 100,000 ways.
        self.ways = moved.astype(np.float16)
        self.rows = _unit(np.add.reduceat(moved, starts[:-1]))


def _unit(vectors: Floats) -> Floats:
    found: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return found


def read_weighing(path: Path) -> Weighing:
    """Read faq.json; raises ModelCorrupt when it is not what it should be."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return Weighing(*(float(found[name]) for name in ("mix", "bias", "words", "meaning", "lead")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelCorrupt(f"{path.name}: expected weights, got {type(error).__name__}: {error}") from error
