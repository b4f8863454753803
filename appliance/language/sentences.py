"""Nearness to the pack's example sentences: cosine of TF-IDF weighted character pairs, sounds and words.

Rare pairs decide (退货 against 提货), frequent ones (我要, 请问) hardly count; sounds make homophones near.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from appliance.language.pinyin import Syllables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_WORD = re.compile(r"[a-z0-9]+")
_SINGLE, _PAIR, _SOUND, _LATIN = 0.4, 1.0, 0.6, 1.2
_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Near:
    """How much a text speaks like an intent's sentences."""

    intent: str
    """Intent name."""
    likeness: float
    """About 1 for one of its sentences, about 0 for none; a regression's value, not a probability."""


class Sentences:
    """All example sentences of a pack in one inverted index. Thread-safe after construction."""

    def __init__(self, examples: Iterable[tuple[str, str]], syllables: Syllables) -> None:
        """Take (intent, flattened sentence) pairs; equal sentences of one intent count once."""
        self._syllables = syllables
        pairs = list(dict.fromkeys(examples))
        self._intents = [intent for intent, _ in pairs]
        bags = [self._bag(sentence) for _, sentence in pairs]
        seen: Counter[str] = Counter(feature for bag in bags for feature in bag)
        total = len(bags) + 1
        self._idf = {feature: math.log(total / count) for feature, count in seen.items()}
        self._unknown = math.log(total)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, bag in enumerate(bags):
            length = math.sqrt(sum((weight * self._idf[feature]) ** 2 for feature, weight in bag.items())) or 1.0
            for feature, weight in bag.items():
                self._postings[feature].append((number, weight * self._idf[feature] / length))
        self._names = tuple(sorted(set(self._intents)))
        self._weights = self._fit() if pairs else None

    def _fit(self) -> npt.NDArray[np.float32]:
        """Kernel ridge regression of one-against-the-rest targets on the cosine kernel: (K + ridge I) A = Y.

        K is (n, n) for n sentences, Y and A (n, intents). It takes a fraction of a second for some thousand sentences.
        """
        import numpy as np

        count = len(self._intents)
        kernel = np.zeros((count, count), np.float32)
        for posted in self._postings.values():
            numbers = np.fromiter((number for number, _ in posted), np.intp, len(posted))
            values = np.fromiter((value for _, value in posted), np.float32, len(posted))
            kernel[np.ix_(numbers, numbers)] += np.outer(values, values)
        kernel[np.diag_indices(count)] += _RIDGE
        targets = np.zeros((count, len(self._names)), np.float32)
        targets[np.arange(count), [self._names.index(intent) for intent in self._intents]] = 1
        return np.linalg.solve(kernel, targets).astype(np.float32)

    def _features(self, text: str) -> Iterator[tuple[str, float]]:
        words = _WORD.findall(text)
        for word in words:
            yield "w" + word, _LATIN
        for first, second in pairwise(words):
            yield f"v{first} {second}", _LATIN
        letters = _WORD.sub("", text).replace(" ", "")
        if letters:
            for character in letters:
                yield character, _SINGLE
            edged = f"^{letters}$"
            for index in range(len(edged) - 1):
                yield edged[index : index + 2], _PAIR if 0 < index < len(edged) - 2 else _SINGLE
            sounds = self._syllables.fold(letters)
            for index in range(len(sounds) - 1):
                yield "s" + sounds[index : index + 2], _SOUND

    def _bag(self, text: str) -> dict[str, float]:
        return dict(self._features(text))

    def near(self, text: str) -> list[Near]:
        """Every intent that the flattened `text` speaks for at all, likeliest first."""
        import numpy as np

        if self._weights is None:
            return []
        likeness = np.zeros(len(self._intents), np.float32)
        square = 0.0
        for feature, weight in self._bag(text).items():
            value = weight * self._idf.get(feature, self._unknown)
            square += value * value
            for number, posted in self._postings.get(feature, ()):
                likeness[number] += value * posted
        likeness /= math.sqrt(square) or 1.0
        votes = likeness @ self._weights
        order = np.argsort(-votes, kind="stable")
        return [Near(self._names[index], min(float(votes[index]), 1.0)) for index in order if votes[index] > 0.02]
