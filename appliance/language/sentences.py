"""Nearness to the pack's example sentences: cosine of TF-IDF weighted character pairs, sounds and words.

Rare pairs decide (退货 against 提货), frequent ones (我要, 请问) hardly count; sounds make homophones near.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.language.pinyin import Syllables

_WORD = re.compile(r"[a-z0-9]+")
_SINGLE, _PAIR, _SOUND, _LATIN = 0.4, 1.0, 0.6, 1.2


@dataclass(frozen=True, slots=True)
class Near:
    """How near an intent's nearest sentence is."""

    intent: str
    """Intent name."""
    likeness: float
    """Cosine, 0 to 1."""


class Sentences:
    """All example sentences of a pack in one inverted index. Thread-safe after construction."""

    def __init__(self, examples: Iterable[tuple[str, str]], syllables: Syllables) -> None:
        """Take (intent, flattened sentence) pairs; equal sentences of one intent count once."""
        self._syllables = syllables
        pairs = list(dict.fromkeys(examples))
        self.exact = {sentence: intent for intent, sentence in reversed(pairs)}
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

    def _features(self, text: str) -> Iterator[tuple[str, float]]:
        words = _WORD.findall(text)
        for word in words:
            yield "w" + word, _LATIN
        for first, second in zip(words, words[1:]):
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
        bag: dict[str, float] = {}
        for feature, weight in self._features(text):
            bag[feature] = weight
        return bag

    def near(self, text: str) -> list[Near]:
        """The nearest sentence of every intent that shares anything with the flattened `text`, nearest first."""
        if not self._intents:
            return []
        scores: dict[int, float] = defaultdict(float)
        square = 0.0
        for feature, weight in self._bag(text).items():
            value = weight * self._idf.get(feature, self._unknown)
            square += value * value
            for number, posted in self._postings.get(feature, ()):
                scores[number] += value * posted
        best: dict[str, float] = {}
        for number, score in scores.items():
            intent = self._intents[number]
            if score > best.get(intent, 0.0):
                best[intent] = score
        length = math.sqrt(square) or 1.0
        found = [Near(intent, min(score / length, 1.0)) for intent, score in best.items()]
        return sorted(found, key=lambda near: (-near.likeness, near.intent))
