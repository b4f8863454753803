"""From a network's probabilities to slots: for every syllable that was heard, what it may have been.

Steps belong together whose likeliest syllable is the same, whatever its tone: networks hear syllables far better than
tones, above all in deep voices, and the probability of one syllable is that of all its tones together. How much the
tone then counts is a weight of its own, fitted on dev sentences in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

SYLLABLES = 4
"""Syllables of a slot."""
_LEAST = 1e-6
"""Least probability of a syllable that may have been said, and of a tone."""
_FAR = 12.0
"""Logarithms below the likeliest unit from which on one is left out."""
_SURE = 0.5
"""Probability from which on another tone is another syllable, and not the same one heard otherwise."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A syllable that was heard: what it may be."""

    units: tuple[int, ...]
    """Classes, the likeliest first."""
    logprobs: tuple[float, ...]
    """Natural logarithms of their probabilities, tones weighted."""
    sure: float
    """Probability of the likeliest syllable, whatever its tone."""
    nothing: float
    """Natural logarithm of the probability that there was none."""
    first: int
    """Step at which it begins."""
    last: int
    """One past its last step."""


class Slots:
    """Makes slots of probabilities as they come."""

    def __init__(self, units: Sequence[str], maybe: float, tone: float = 1.0) -> None:
        """`units` name the network's classes, the first is the blank; a digit at the end is a tone.

        A syllable is heard where it beats the blank, or has a probability of `maybe`. `tone` is the exponent of a
        tone's probability among those of its syllable.
        """
        self._of, self._members = _grouped(tuple(units))
        self._maybe, self._tone = maybe, tone
        self._at = self._first = self._base = self._sure = 0
        self._best: Floats | None = None
        self._bases: npt.NDArray[np.float64] = np.zeros(0)

    def push(self, logprobs: Floats) -> list[Slot]:
        """Slots that the next steps (n, units) end; the blank is class 0."""
        ended = []
        for row in logprobs:
            chances = np.exp(row.astype(np.float64))
            bases = np.bincount(self._of, chances, len(self._members)).astype(np.float64)
            base = 1 + int(bases[1:].argmax())
            members = self._members[base]
            unit = int(members[chances[members].argmax()])
            sure = unit if chances[unit] >= _SURE else 0
            heard = bases[base] > min(bases[0], self._maybe)
            other = base != self._base or (sure and self._sure and sure != self._sure)
            if self._best is not None and (not heard or other):
                ended.append(self._made(self._best))
                self._best = None
            if heard:
                if self._best is None:
                    self._base, self._first, self._sure = base, self._at, sure
                    self._best, self._bases = row, bases
                elif bases[base] > self._bases[base]:
                    self._best, self._bases = row, bases
                self._sure = self._sure or sure
            self._at += 1
        return ended

    def open(self) -> Slot | None:
        """The slot that has not ended yet."""
        return None if self._best is None else self._made(self._best)

    def _made(self, row: Floats) -> Slot:
        nearest = 1 + np.argsort(-self._bases[1:], kind="stable")[:SYLLABLES]
        nearest = nearest[: max(1, int((self._bases[nearest] > _LEAST).sum()))]
        units = np.concatenate([self._members[base] for base in nearest])
        whole = np.log(self._bases[self._of[units]])
        tones = np.maximum(row[units].astype(np.float64), np.log(_LEAST)) - whole
        scores = whole + self._tone * np.minimum(tones, 0.0)
        order = np.lexsort((units, -scores))
        order = order[scores[order] > scores[order[0]] - _FAR]
        chances = tuple(float(score) for score in scores[order])
        sure = float(self._bases[nearest[0]])
        return Slot(tuple(units[order].tolist()), chances, sure, float(row[0]), self._first, self._at)


@lru_cache(maxsize=4)
def _grouped(units: tuple[str, ...]) -> tuple[Ints, list[Ints]]:
    """The syllable of every unit, and the units of every syllable; once for a network, not for each utterance."""
    bases: dict[str, int] = {}
    of = np.array([bases.setdefault(unit.rstrip("12345") or unit, len(bases)) for unit in units], np.int64)
    return of, [np.flatnonzero(of == base) for base in range(len(bases))]
