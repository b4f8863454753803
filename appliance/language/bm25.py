"""Documents by the words they are written with: Okapi BM25 (Robertson et al. 1994) over characters, pairs and sounds.

A document may be many sentences, such as all ways of asking one question: what they say again and again counts more.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from appliance.language.ngrams import features, packed
from appliance.language.pinyin import Syllables

_K1, _B = 1.2, 0.75
"""Saturation of repeated features, and how far long documents are held back: the values that most engines use."""


class Documents:
    """Documents in one inverted index. Thread-safe after construction."""

    def __init__(self, documents: Sequence[Iterable[str]], syllables: Syllables) -> None:
        """Index documents, each a number of flattened texts."""
        self._syllables = syllables
        bags = [
            Counter(feature for text in texts for feature in dict(features(text, syllables))) for texts in documents
        ]
        self.count = len(bags)
        lengths = [sum(bag.values()) for bag in bags]
        mean = (sum(lengths) / len(bags) if bags else 0.0) or 1.0
        seen = Counter(feature for bag in bags for feature in bag)
        self._idf = {feature: _idf(len(bags), count) for feature, count in seen.items()}
        self._unknown = _idf(len(bags), 0)
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, (bag, length) in enumerate(zip(bags, lengths, strict=True)):
            held = _K1 * (1 - _B + _B * length / mean)
            for feature, times in bag.items():
                postings[feature].append((number, self._idf[feature] * times * (_K1 + 1) / (times + held)))
        self._postings = packed(postings)

    def likeness(self, text: str) -> npt.NDArray[np.float32]:
        """How much of the flattened `text` each document has, shape (count,), float32, 0 to 1.

        The score of BM25 as a share of what a document would get that repeats all of it without end.
        """
        found = np.zeros(self.count, np.float32)
        most = 0.0
        for feature, weight in dict(features(text, self._syllables)).items():
            most += weight * self._idf.get(feature, self._unknown)
            posted = self._postings.get(feature)
            if posted is not None:
                found[posted[0]] += np.float32(weight) * posted[1]
        found /= np.float32(most * (_K1 + 1) or 1.0)
        return found


def _idf(documents: int, having: int) -> float:
    return math.log(1 + (documents - having + 0.5) / (having + 0.5))
