"""Frequent questions of a pack: which row, if any, answers a sentence.

Two likenesses are joined: how much of the sentence's words a row's ways of asking have (BM25 over characters, pairs and
sounds, all ways of a row together) and how alike the meanings are (cosine of the sentence's vector with the mean of the
row's vectors, where the network serves). A logistic function of the best row's likenesses and of its lead over the next
row says how probable it is that the row is right, so that a question which nothing answers is refused. Its weights come
with the network (calibrated on ways of asking that it had not seen); without it those for words alone serve.
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
from appliance.language.bm25 import Documents
from appliance.language.ngrams import features
from appliance.language.pinyin import Syllables
from appliance.values import FaqMatch

Floats = npt.NDArray[np.float32]

_BLOCK = 4096
_LEAST = 2
"""Characters of a text from which on it may be a question: one alone is in too many."""
_FEW = 32
"""Rows by words, and by meaning, that are ranked together."""


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
    strange: float
    """Weight of the probability that the turn is out of scope."""

    def confidence(self, best: Ranked, lead: float, strange: float) -> float:
        """Probability that the best row is the right one."""
        said = self.bias + self.words * best.words + self.meaning * best.meaning + self.lead * lead
        return 1 / (1 + math.exp(-(said + self.strange * strange)))


WORDS_ALONE = Weighing(0.0, -1.52, 6.26, 0.0, 13.6, 0.0)
"""Where no network serves."""


@dataclass(frozen=True, slots=True, order=True)
class Ranked:
    """How alike a row is to a sentence."""

    likeness: float
    """By which rows are ranked."""
    words: float
    """How much of the sentence's words its ways of asking have, 0 to 1."""
    meaning: float
    """Cosine of the sentence's vector with the mean of the row's vectors; 0 without a network."""
    row: int
    """Number of the row."""


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
        self._cleaned = cleaned
        self._syllables = syllables
        self._documents = Documents(cleaned, syllables)
        self._judged = _ALONE
        if vectors is not None and len(vectors):
            self.learn(vectors, weighing)

    def learn(self, vectors: Floats, weighing: Weighing) -> None:
        """From now on also compare meanings: vectors of all ways in the order of the rows, (ways, width) float32."""
        starts = np.concatenate([[0], np.cumsum([len(row.ways) for row in self.rows])]).astype(np.intp)
        # One assignment: a turn that is being looked up meanwhile sees both or none.
        self._judged = _Judged(weighing, _Meanings(vectors, starts))

    def find(
        self, text: str, vector: Floats | None = None, strange: float = 0.0, most: int = 3
    ) -> tuple[FaqMatch, ...]:
        """The likeliest rows for a cleaned and flattened text, best first.

        `vector` is that of its sentence, `strange` the probability that it is out of scope. The first row's confidence
        is calibrated; those behind it share what is left in the order of their likeness.
        """
        judged = _ALONE if vector is None else self._judged
        found = self._ranked(text, vector, judged)
        if not found:
            return ()
        sure = judged.weighing.confidence(found[0], lead_of(found), strange)
        matches = []
        for place, one in enumerate(found[:most]):
            chance = sure if place == 0 else min(sure, (1 - sure) / (place + 1))
            said, meant = round(one.words, 4), round(one.meaning, 4)
            matches.append(FaqMatch(self.rows[one.row].id, round(chance, 4), self._way(one.row, text), said, meant))
        return tuple(matches)

    def _way(self, row: int, text: str) -> str:
        """The way of asking that shares most with the sentence."""
        asked = dict(features(text, self._syllables))

        def shared(way: str) -> float:
            bag = dict(features(way, self._syllables))
            return sum((weight for name, weight in asked.items() if name in bag), 0.0) / math.sqrt(len(bag) + 1)

        ways = self.rows[row].ways
        return max(zip(ways, self._cleaned[row], strict=True), key=lambda pair: shared(pair[1]))[0]

    def ranked(self, text: str, vector: Floats | None = None) -> list[Ranked]:
        """Some rows with their likenesses, the likest first; empty where there is nothing to compare."""
        return self._ranked(text, vector, _ALONE if vector is None else self._judged)

    def _ranked(self, text: str, vector: Floats | None, judged: _Judged) -> list[Ranked]:
        if not self.rows or len(text) < _LEAST:
            return []
        words = self._documents.likeness(text)
        few = min(_FEW, len(self.rows))
        chosen = np.argpartition(-words, few - 1)[:few]
        meant = np.zeros(len(self.rows), np.float32)
        mix = 0.0
        if vector is not None and judged.meanings is not None:
            mix, meant = judged.weighing.mix, judged.meanings.likeness(vector)
            chosen = np.union1d(chosen, np.argpartition(-meant, few - 1)[:few])
        found = [
            Ranked((1 - mix) * float(words[row]) + mix * float(meant[row]), float(words[row]), float(meant[row]), row)
            for row in chosen.tolist()
        ]
        return sorted(found, reverse=True)


def lead_of(found: Sequence[Ranked]) -> float:
    """How much likelier the first row is than the second."""
    return found[0].likeness - (found[1].likeness if len(found) > 1 else 0.0)


class _Meanings:
    """The mean vector of every row: what its ways of asking have in common."""

    def __init__(self, vectors: Floats, starts: npt.NDArray[np.intp]) -> None:
        self._centre: Floats = vectors.mean(0)
        row_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        rows = np.zeros((len(starts) - 1, vectors.shape[1]), np.float32)
        for at in range(0, len(vectors), _BLOCK):  # 20,000 rows have many vectors: no second copy of them all
            np.add.at(rows, row_of[at : at + _BLOCK], _unit(vectors[at : at + _BLOCK] - self._centre))
        self._rows = _unit(rows)

    def likeness(self, vector: Floats) -> Floats:
        """Cosine of a sentence's vector with every row."""
        found: Floats = self._rows @ _unit((vector - self._centre)[None])[0]
        return found


@dataclass(frozen=True, slots=True)
class _Judged:
    """What rows are judged by."""

    weighing: Weighing
    meanings: _Meanings | None


_ALONE = _Judged(WORDS_ALONE, None)


def _unit(vectors: Floats) -> Floats:
    found: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return found


def read_weighing(path: Path) -> Weighing:
    """Read faq.json; raises ModelCorrupt when it is not what it should be."""
    try:
        found = json.loads(path.read_text("utf-8"))
        return Weighing(*(float(found[name]) for name in ("mix", "bias", "words", "meaning", "lead", "strange")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelCorrupt(f"{path.name}: expected weights, got {type(error).__name__}: {error}") from error
