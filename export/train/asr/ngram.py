"""Builds the character model of the pinyin step: interpolated modified Kneser-Ney (Chen and Goodman 1998, TR-10-98).

What it writes is read by `appliance.speech.ctc.characters`: n-grams with logarithms of probability and back-off weight,
and the readings of every character.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
Gram = tuple[int, ...]


@dataclass(frozen=True)
class Built:
    """An n-gram model in back-off form."""

    characters: tuple[str, ...]
    """Characters by number; BEGIN, END and UNKNOWN are the first three."""
    probability: tuple[Mapping[Gram, float], ...]
    """Natural logarithm of the probability of a gram's last character behind the others, by order, unigrams first."""
    backoff: tuple[Mapping[Gram, float], ...]
    """Natural logarithm of the weight with which the next lower order counts behind a gram, by order."""


def build(
    texts: Iterable[tuple[str, int]],
    words: Iterable[str],
    extra: Iterable[str],
    order: int = 4,
    least: Sequence[int] = (),
) -> Built:
    """The model of (text, times) pairs, with `extra` characters known beside; grams seen less than `least` left out.

    `words` stand in the middle of sentences: they count once each, without a beginning and an end.

    `least` has a number for each order from the second on; missing ones are 1.
    """
    numbers = {name: at for at, name in enumerate((BEGIN, END, UNKNOWN))}
    raw: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for text, times in texts:
        ids = [0] + [numbers.setdefault(c, len(numbers)) for c in text] + [1]
        for end in range(1, len(ids)):
            for n in range(1, min(order, end + 1) + 1):
                raw[n - 1][tuple(ids[end - n + 1 : end + 1])] += times
    for word in words:
        ids = [numbers.setdefault(c, len(numbers)) for c in word]
        for end in range(len(ids)):
            for n in range(1, min(order, end + 1) + 1):
                raw[n - 1][tuple(ids[end - n + 1 : end + 1])] += 1
    for character in extra:
        numbers.setdefault(character, len(numbers))
    # Lower orders count in how many contexts a gram was seen, but for grams that begin a sentence.
    counts = [dict(raw[-1])]
    for n in range(order - 1, 0, -1):
        kinds: Counter[Gram] = Counter()
        for gram in raw[n]:
            kinds[gram[1:]] += 1
        kinds.update({gram: count for gram, count in raw[n - 1].items() if gram[0] == 0 and n > 1})
        counts.insert(0, dict(kinds))
    size = len(numbers)
    probability: list[dict[Gram, float]] = []
    backoff: list[dict[Gram, float]] = []
    for n, table in enumerate(counts, 1):
        discounts = _discounts(table.values())
        total: defaultdict[Gram, float] = defaultdict(float)
        saved: defaultdict[Gram, float] = defaultdict(float)
        for gram, count in table.items():
            total[gram[:-1]] += count
            saved[gram[:-1]] += discounts[min(count, 3)]
        weights = {context: saved[context] / total[context] for context in total}
        if n > 1:
            backoff.append({context: math.log(max(weight, 1e-9)) for context, weight in weights.items()})
        found: dict[Gram, float] = {}
        for gram, count in table.items():
            context = gram[:-1]
            lower = 1 / size if n == 1 else math.exp(probability[n - 2][gram[1:]])
            found[gram] = math.log((count - discounts[min(count, 3)]) / total[context] + weights[context] * lower)
        if n == 1:
            floor = math.log(weights[()] / size)
            found = {(number,): found.get((number,), floor) for number in range(size)}
        probability.append(found)
    for n in range(2, order + 1):
        fewest = least[n - 2] if n - 2 < len(least) else 1
        if fewest > 1:
            kept = {gram for gram in probability[n - 1] if raw[n - 1].get(gram, 0) >= fewest}
            probability[n - 1] = {gram: value for gram, value in probability[n - 1].items() if gram in kept}
    return Built(tuple(numbers), tuple(probability), _normalised(probability, backoff))


def _normalised(
    probability: Sequence[Mapping[Gram, float]], backoff: Sequence[Mapping[Gram, float]]
) -> tuple[Mapping[Gram, float], ...]:
    """Back-off weights that make each context's probabilities add up to one after grams were left out."""
    found: list[dict[Gram, float]] = []
    for n, table in enumerate(probability[1:], 2):
        seen: defaultdict[Gram, float] = defaultdict(float)
        below: defaultdict[Gram, float] = defaultdict(float)
        for gram, value in table.items():
            seen[gram[:-1]] += math.exp(value)
            below[gram[:-1]] += math.exp(probability[n - 2][gram[1:]])
        # Where everything was left out, the lower order counts whole.
        found.append(
            {
                context: math.log(max(1 - seen[context], 1e-9) / max(1 - below[context], 1e-9))
                for context in backoff[n - 2]
                if context in seen
            }
        )
    return tuple(found)


def _discounts(counts: Iterable[int]) -> tuple[float, float, float, float]:
    """Modified Kneser-Ney's discounts of grams seen 0, 1, 2 and 3 times or more."""
    often = Counter(min(count, 5) for count in counts)
    one, two, three, four = (max(often[n], 1) for n in (1, 2, 3, 4))
    base = one / (one + 2 * two)
    found = (0.0, 1 - 2 * base * two / one, 2 - 3 * base * three / two, 3 - 4 * base * four / three)
    return tuple(min(max(value, 0.1), limit) for value, limit in zip(found, (0.1, 0.95, 1.9, 2.85), strict=True))  # type: ignore[return-value]
