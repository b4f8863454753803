"""Other sentences from marked ones: mentions give way to others of their type, and the text becomes noisy.

A tagger that sees a sentence once with 洗衣液 and once with a product it has never met learns from the words around it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from export.train.noise import Noise
from export.train.sentences import Sentence, Span

Draw = Callable[[random.Random], str]


class Varier:
    """Draws variants of marked sentences."""

    def __init__(self, sentences: Iterable[Sentence], draw: Mapping[str, Draw], seed: int) -> None:
        """Mentions come from `sentences` and from `draw`, the inventors of each type (`values.inventors`)."""
        self._rng = random.Random(seed)
        self._noise = Noise(seed)
        self._draw = draw
        pool: dict[str, dict[str, None]] = {}
        for sentence in sentences:
            for span in sentence.spans:
                pool.setdefault(span.type, {})[sentence.text[span.start : span.end]] = None
        self._seen = {kind: list(texts) for kind, texts in pool.items()}

    def of(self, sentence: Sentence, swap: float = 0.6, noise: float = 0.5, rate: float = 0.1) -> Sentence:
        """One variant: each mention is another with probability `swap`, the whole is noisy with probability `noise`."""
        found = self._swapped(sentence, swap)
        return self._noise.of(found, rate) if self._rng.random() < noise else found

    def _swapped(self, sentence: Sentence, swap: float) -> Sentence:
        text, spans, at = "", [], 0
        for span in sentence.spans:
            text += sentence.text[at : span.start]
            said = sentence.text[span.start : span.end]
            if self._rng.random() < swap:
                said = self._other(span.type, said)
            spans.append(Span(len(text), len(text) + len(said), span.type))
            text += said
            at = span.end
        return replace(sentence, text=text + sentence.text[at:], spans=tuple(spans))

    def _other(self, kind: str, said: str) -> str:
        if kind in self._draw and self._rng.random() < 0.5:
            drawn = self._draw[kind](self._rng).lower()
            return drawn or said
        return self._rng.choice(self._seen.get(kind) or [said])
