"""Phrases that are likelier to be said than a network knows: a boost for their tokens, taken back when one breaks off.

A trie over tokens with the links of A. V. Aho and M. J. Corasick, "Efficient string matching" (CACM 18(6), 1975), as
contextual biasing uses it (D. Zhao et al., "Shallow-Fusion End-to-End Contextual Biasing", Interspeech 2019).

The boost of a sequence of tokens depends on nothing but the sequence: so much for every token that lies in a complete
phrase, and for those at its end with which a phrase begins. Overlapping phrases count a token once.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sequence of tokens has come in the phrases."""

    node: int = 0
    """Node of the trie: the longest beginning of a phrase that the sequence ends with."""
    covered: int = 0
    """Which of its last tokens lie in a complete phrase: bit 0 is the last one's."""
    settled: float = 0.0
    """Boost of the tokens in complete phrases: it stays."""
    boost: float = 0.0
    """All of the boost, with that of the phrase that has begun: some of it may be taken back."""


START = Place()
"""Of the empty sequence."""


class Phrases:
    """Phrases as sequences of tokens. Immutable."""

    def __init__(self, phrases: Iterable[Sequence[int]], boost: float) -> None:
        """Give `boost` (natural logarithm, for example 1.5) for each token of `phrases`; empty ones are left out."""
        self._boost = boost
        self._next: list[dict[int, int]] = [{}]
        self._depth = [0]
        self._ends = [0]
        for phrase in phrases:
            self._insert(phrase)
        self._window = (1 << max(self._depth)) - 1
        self._fail = [0] * len(self._next)
        self._link()

    def __bool__(self) -> bool:
        """True when there is a phrase."""
        return len(self._next) > 1

    def firsts(self) -> KeysView[int]:
        """Tokens that a phrase begins with."""
        return self._next[0].keys()

    def follow(self, place: Place) -> KeysView[int]:
        """Tokens that take the phrase at `place` further; all `firsts` where none has begun."""
        return self._next[place.node].keys()

    def step(self, place: Place, token: int) -> Place:
        """Where `token` leads from `place`."""
        node = place.node
        while node and token not in self._next[node]:
            node = self._fail[node]
        node = self._next[node].get(token, 0)
        covered = place.covered << 1 & self._window
        ended = (1 << self._ends[node]) - 1
        begun = (1 << self._depth[node]) - 1
        settled = place.settled + self._boost * (ended & ~covered).bit_count()
        covered |= ended
        return Place(node, covered, settled, settled + self._boost * (begun & ~covered).bit_count())

    def _insert(self, phrase: Sequence[int]) -> None:
        node = 0
        for token in phrase:
            if token not in self._next[node]:
                self._next[node][token] = len(self._next)
                self._next.append({})
                self._depth.append(self._depth[node] + 1)
                self._ends.append(0)
            node = self._next[node][token]
        self._ends[node] = self._depth[node]

    def _link(self) -> None:
        """Breadth first: each node's link is the longest other beginning that its text ends with."""
        queue = list(self._next[0].values())
        for node in queue:
            for token, child in self._next[node].items():
                fail = self._fail[node]
                while fail and token not in self._next[fail]:
                    fail = self._fail[fail]
                self._fail[child] = self._next[fail].get(token, 0)
                # The longest phrase that ends here, the node's own or one that its text ends with.
                self._ends[child] = self._ends[child] or self._ends[self._fail[child]]
                queue.append(child)


NONE = Phrases((), 0.0)
"""No phrases."""
