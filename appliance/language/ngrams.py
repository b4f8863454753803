"""Nearness of texts by what they are written with: cosine of TF-IDF weighted character pairs, sounds and words.

Rare pairs decide (退货 against 提货), frequent ones (我要, 请问) hardly count; sounds make homophones near.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from appliance.language.pinyin import Syllables

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


def packed(
    postings: Mapping[str, list[tuple[int, float]]],
) -> dict[str, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
    """An inverted index: for each feature the numbers of the texts that have it, and its value in each."""
    import numpy as np

    return {
        feature: (
            np.fromiter((number for number, _ in posted), np.int32, len(posted)),
            np.fromiter((value for _, value in posted), np.float32, len(posted)),
        )
        for feature, posted in postings.items()
    }


class NGrams:
    """Texts in one inverted index. Thread-safe after construction."""

    def __init__(self, texts: Iterable[str], syllables: Syllables) -> None:
        """Index flattened texts; each keeps its number in their order."""

        self._syllables = syllables
        bags = [dict(features(text, syllables)) for text in texts]
        self.count = len(bags)
        seen: Counter[str] = Counter(feature for bag in bags for feature in bag)
        total = len(bags) + 1
        self._idf = {feature: math.log(total / count) for feature, count in seen.items()}
        self._unknown = math.log(total)
        postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, bag in enumerate(bags):
            length = math.sqrt(sum((weight * self._idf[feature]) ** 2 for feature, weight in bag.items())) or 1.0
            for feature, weight in bag.items():
                postings[feature].append((number, weight * self._idf[feature] / length))
        self._postings = packed(postings)

    def likeness(self, text: str) -> npt.NDArray[np.float32]:
        """Cosine of the flattened `text` with every indexed one, shape (count,), float32, 0 to 1."""
        import numpy as np

        found = np.zeros(self.count, np.float32)
        square = 0.0
        for feature, weight in dict(features(text, self._syllables)).items():
            value = weight * self._idf.get(feature, self._unknown)
            square += value * value
            posted = self._postings.get(feature)
            if posted is not None:
                found[posted[0]] += np.float32(value) * posted[1]  # a text holds a feature once: no number comes twice
        found /= np.float32(math.sqrt(square) or 1.0)
        return found

    def kernel(self) -> npt.NDArray[np.float32]:
        """Cosine of every indexed text with every other, shape (count, count), float32."""
        import numpy as np

        found = np.zeros((self.count, self.count), np.float32)
        for numbers, values in self._postings.values():
            found[np.ix_(numbers, numbers)] += np.outer(values, values)
        return found
