"""Nearness of texts by what they are written with: cosine of TF-IDF weighted character pairs, sounds and words.

Rare pairs decide (退货 against 提货), frequent ones (我要, 请问) hardly count; sounds make homophones near.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from appliance.language.pinyin import Syllables
from appliance.language.postings import Gathering

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_WORD = re.compile(r"[a-z0-9]+")
_SINGLE, _PAIR, _SOUND, _LATIN = 0.4, 1.0, 0.6, 1.2


def features(text: str, syllables: Syllables) -> Iterator[tuple[str, float]]:
    """Weighted features of a flattened text: words, characters, pairs of characters and pairs of sounds."""
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
        sounds = syllables.fold(letters)
        for index in range(len(sounds) - 1):
            yield "s" + sounds[index : index + 2], _SOUND


class NGrams:
    """Texts in one inverted index. Thread-safe after construction."""

    def __init__(self, texts: Iterable[str], syllables: Syllables) -> None:
        """Index flattened texts; each keeps its number in their order."""
        import numpy as np

        self._syllables = syllables
        gathered = Gathering()
        for text in texts:
            gathered.add(dict(features(text, syllables)))
        self.count = gathered.texts
        total = self.count + 1
        self._idf = np.log(total / np.maximum(gathered.having(), 1))
        self._unknown = math.log(total)
        named, owners, weights = gathered.columns()
        values = weights * self._idf[named]
        lengths = np.sqrt(np.bincount(owners, values * values, minlength=self.count))
        self._postings = gathered.packed(values / np.maximum(lengths, 1e-12)[owners])

    def likeness(self, text: str) -> npt.NDArray[np.float32]:
        """Cosine of the flattened `text` with every indexed one, shape (count,), float32, 0 to 1."""
        import numpy as np

        found = np.zeros(self.count, np.float32)
        square = 0.0
        for feature, weight in dict(features(text, self._syllables)).items():
            number = self._postings.number(feature)
            value = weight * (self._unknown if number is None else float(self._idf[number]))
            square += value * value
            if number is not None:
                owners, values = self._postings.of(number)
                found[owners] += np.float32(value) * values  # a text holds a feature once: no number comes twice
        found /= np.float32(math.sqrt(square) or 1.0)
        return found

    def kernel(self) -> npt.NDArray[np.float32]:
        """Cosine of every indexed text with every other, shape (count, count), float32."""
        import numpy as np

        found = np.zeros((self.count, self.count), np.float32)
        for numbers, values in self._postings:
            found[np.ix_(numbers, numbers)] += np.outer(values, values)
        return found
