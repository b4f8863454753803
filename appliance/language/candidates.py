"""What may be an entity, and the one place where overlaps are resolved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CHECKSUM, CONTEXT, PATTERN, LISTED, GUESS = 5, 4, 3, 2, 1
"""Ranks: a number that passes its checksum; a pattern with its context word; a pattern; a listed name; a guess."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible entity in cleaned text."""

    type: str
    """Entity type."""
    start: int
    """First character of the cleaned text."""
    end: int
    """One past the last character."""
    value: str
    """Normalised value."""
    confidence: float
    """0 to 1."""
    source: str = "pattern"
    """As in `Entity.source`."""
    rank: int = PATTERN
    """Who wins an overlap; see the ranks of this module."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """Parts of the value."""

    def overlaps(self, other: Candidate) -> bool:
        """True when both claim a character."""
        return self.start < other.end and other.start < self.end

    def holds(self, other: Candidate) -> bool:
        """True when the other lies inside and is shorter."""
        return self.start <= other.start and other.end <= self.end and self.end - self.start > other.end - other.start


def resolve(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The candidates that stay, in order of position, none overlapping.

    1. A pattern without checksum or context that lies inside a longer listed name is part of that name
       (500克 in 洗衣液500克, 三只 in 三只松鼠).
    2. Otherwise the higher rank wins: checksum, pattern with context, pattern, listed name, guess.
    3. Within a rank the longer wins, then the surer, then the earlier, then the type's name, so that the result
       never depends on the order of the candidates.
    """
    pool = list(candidates)
    names = [candidate for candidate in pool if candidate.rank == LISTED]
    pool = [c for c in pool if c.rank != PATTERN or not any(name.holds(c) for name in names)]
    pool.sort(key=lambda c: (-c.rank, c.start - c.end, -c.confidence, c.start, c.type, c.value))
    kept: list[Candidate] = []
    for candidate in pool:
        if not any(candidate.overlaps(other) for other in kept):
            kept.append(candidate)
    return tuple(sorted(kept, key=lambda c: c.start))
