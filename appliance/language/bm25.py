"""Documents by the words they are written with: Okapi BM25 (Robertson et al. 1994) over characters, pairs and sounds.

A document may be many sentences, such as all ways of asking one question: what they say again and again counts more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from appliance.language.ngrams import features
from appliance.language.pinyin import Syllables
from appliance.language.postings import Gathering

_K1, _B = 1.2, 0.75
"""Saturation of repeated features, and how far long documents are held back: the values that most engines use."""


class Documents:
    """Documents in one inverted index. Thread-safe after construction."""

    def __init__(self, documents: Sequence[Iterable[str]], syllables: Syllables) -> None:
        """Index documents, each a number of flattened texts."""
        self._syllables = syllables
        gathered = Gathering()
        for texts in documents:
            gathered.add(Counter(feature for text in texts for feature in dict(features(text, syllables))))
        self.count = gathered.texts
        self._idf = _idf(self.count, gathered.having())
        self._unknown = float(_idf(self.count, np.zeros(1, np.int64))[0])
        named, owners, times = gathered.columns()
        lengths = np.bincount(owners, times, minlength=self.count)
        held = _K1 * (1 - _B + _B * lengths / ((lengths.mean() if self.count else 0.0) or 1.0))
        self._postings = gathered.packed(self._idf[named] * times * (_K1 + 1) / (times + held[owners]))

    def likeness(self, text: str) -> npt.NDArray[np.float32]:
        """How much of the flattened `text` each document has, shape (count,), float32, 0 to 1.

        The score of BM25 as a share of what a document would get that repeats all of it without end.
        """
        found = np.zeros(self.count, np.float32)
        most = 0.0
        for feature, weight in dict(features(text, self._syllables)).items():
            number = self._postings.number(feature)
            most += weight * (self._unknown if number is None else float(self._idf[number]))
            if number is not None:
                owners, values = self._postings.of(number)
                found[owners] += np.float32(weight) * values
        found /= np.float32(most * (_K1 + 1) or 1.0)
        return found


def _idf(documents: int, having: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = np.log(1 + (documents - having + 0.5) / (having + 0.5))
    return found
