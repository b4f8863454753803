"""From the probabilities of every step to tokens: the best path, or a beam of prefixes with phrases and an n-gram.

The beam is that of A. Hannun et al., "First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional
Recurrent DNNs" (arXiv 1408.2873, 2014), algorithm 1: all paths of a prefix count together, those that end in a blank
apart from those that end in its last token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch, SettingInvalid
from appliance.inference.ctc import Decoded, greedy
from appliance.speech.ctc.align import align
from appliance.speech.ctc.phrases import NONE, START, Phrases, Place

LogProbs = npt.NDArray[np.float32]
"""Natural logarithms of the probabilities of V classes at T steps, shape (T, V)."""

_NEVER = -math.inf


class Ngram(Protocol):
    """Says how likely a token is after others."""

    def __call__(self, before: Sequence[int], token: int, /) -> float:
        """Natural logarithm of the probability of `token` behind the tokens `before`, finite."""


@dataclass(frozen=True, slots=True)
class Search:
    """How tokens are searched for. Immutable, so that several threads may search at once."""

    beam: int = 1
    """Prefixes that are kept; 1 without phrases or n-gram is the best path."""
    classes: int = 16
    """Tokens that a prefix is lengthened by at each step, the likeliest."""
    margin: float = 10.0
    """A token less likely than the best by more than this (natural logarithm) lengthens nothing."""
    phrases: Phrases = NONE
    """Phrases that are likelier to be said."""
    ngram: Ngram | None = None
    """How likely tokens follow each other; None: not asked."""
    weight: float = 0.5
    """Share of the n-gram's logarithm that counts."""

    def __post_init__(self) -> None:
        """Refuse what finds nothing."""
        if self.beam < 1 or self.classes < 1 or not self.margin > 0:
            raise SettingInvalid(
                "CTC search: expected a beam and classes of at least 1 and a margin above 0, got "
                f"{self.beam}, {self.classes} and {self.margin}"
            )

    def decode(self, logprobs: LogProbs, *, blank: int = 0) -> Decoded:
        """The tokens of `logprobs` with their steps and probabilities. Raises ModelMismatch for no probabilities."""
        check(logprobs)
        if self.beam == 1 and not self.phrases and self.ngram is None:
            ids = logprobs.argmax(axis=1)[:, None]
            return greedy(ids, np.take_along_axis(logprobs, ids, 1), blank=blank)
        best, *_ = self.prefixes(logprobs, blank=blank)
        return align(logprobs, best.tokens, blank=blank)

    def prefixes(self, logprobs: LogProbs, *, blank: int = 0) -> list[Prefix]:
        """The best prefixes, best first, at most `beam`; without a step the empty one."""
        check(logprobs)
        held: dict[tuple[int, ...], Prefix] = {(): Prefix((), 0.0, _NEVER, START, 0.0)}
        for row, likely in zip(logprobs, self._likely(logprobs, blank), strict=True):
            held = self._step(held, row, likely, blank)
        return sorted(held.values(), key=lambda one: (-one.settled(self.weight), one.tokens))

    def _likely(self, logprobs: LogProbs, blank: int) -> list[list[int]]:
        """For each step the tokens that lengthen every prefix."""
        if not len(logprobs):
            return []
        count = min(self.classes + 1, logprobs.shape[1])
        found = np.argpartition(-logprobs, count - 1, axis=1)[:, :count]
        floors = logprobs.max(axis=1) - self.margin
        return [
            [token for token in row if token != blank and logprobs[step, token] >= floors[step]]
            for step, row in enumerate(found.tolist())
        ]

    def _step(
        self, held: dict[tuple[int, ...], Prefix], row: LogProbs, likely: list[int], blank: int
    ) -> dict[tuple[int, ...], Prefix]:
        floor = float(row.max()) - self.margin
        chances = {token: float(row[token]) for token in likely}
        silence = float(row[blank])
        grown: dict[tuple[int, ...], Prefix] = {}
        for tokens, old in held.items():
            last = tokens[-1] if tokens else -1
            same = grown.get(tokens)
            if same is None:
                same = grown[tokens] = Prefix(tokens, _NEVER, _NEVER, old.place, old.ngram)
            same.blank = _add(same.blank, old.total + silence)
            if tokens:
                same.token = _add(same.token, old.token + float(row[last]))
            for token in chances.keys() | self._expected(old.place, row, floor, blank):
                chance = chances.get(token)
                if chance is None:
                    chance = float(row[token])
                # Said twice, a token has to have a blank between: without one it is the same token going on.
                gained = (old.blank if token == last else old.total) + chance
                if gained == _NEVER:
                    continue
                longer = (*tokens, token)
                new = grown.get(longer)
                if new is None:
                    ngram = old.ngram + self.ngram(tokens, token) if self.ngram is not None else 0.0
                    new = grown[longer] = Prefix(
                        longer, _NEVER, _NEVER, self.phrases.step(old.place, token) if self.phrases else START, ngram
                    )
                new.token = _add(new.token, gained)
        ranked = sorted(grown.values(), key=lambda one: (-one.score(self.weight), one.tokens))
        return {one.tokens: one for one in ranked[: self.beam]}

    def _expected(self, place: Place, row: LogProbs, floor: float, blank: int) -> list[int]:
        """Tokens that the phrase which has begun goes on with, though others are likelier.

        One that begins needs no help: were its first token not among the likeliest, the phrase would not be said.
        """
        if not place.node:
            return []
        return [one for one in self.phrases.follow(place) if one != blank and row.item(one) >= floor]


@dataclass(slots=True)
class Prefix:
    """Tokens that a sound may begin with, and how likely that is."""

    tokens: tuple[int, ...]
    """The tokens."""
    blank: float
    """Logarithm of the probability of all paths that spell them and end in a blank."""
    token: float
    """The same of those that end in the last token."""
    place: Place
    """How far they are in the phrases."""
    ngram: float
    """What the n-gram says of them."""

    @property
    def total(self) -> float:
        """Logarithm of the probability of all paths that spell them."""
        return _add(self.blank, self.token)

    def score(self, weight: float) -> float:
        """What prefixes are ranked by while the sound goes on."""
        return self.total + self.place.boost + weight * self.ngram

    def settled(self, weight: float) -> float:
        """What they are ranked by at its end: a phrase that only began gives nothing."""
        return self.total + self.place.settled + weight * self.ngram


def log_softmax(logits: npt.NDArray[np.floating[npt.NBitBase]]) -> LogProbs:
    """Logarithms of probabilities of `logits` (T, V), float32; of such logarithms themselves they are the same."""
    values = logits.astype(np.float32, copy=False)
    shifted = values - values.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float32)


def check(logprobs: LogProbs) -> None:
    """Raise ModelMismatch unless `logprobs` are two-dimensional, with classes, and every step has a likeliest one."""
    if logprobs.ndim != 2 or not logprobs.shape[1]:
        raise ModelMismatch(f"CTC: expected log-probabilities of shape (T, V), got {logprobs.shape}")
    if len(logprobs) and not np.isfinite(logprobs.max(axis=1)).all():
        raise ModelMismatch("CTC: expected finite log-probabilities, got NaN or infinity")


def _add(one: float, other: float) -> float:
    """Logarithm of the sum of two probabilities that are given as logarithms."""
    if one == _NEVER:
        return other
    if other == _NEVER:
        return one
    high, low = (one, other) if one > other else (other, one)
    return high + math.log1p(math.exp(low - high))
