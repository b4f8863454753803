"""How much of what is printed was read, whatever order and whatever lines a reader makes of it.

Readers cut a page into lines differently: one joins the cells of a row, another parts a line at a gap. A score that
demanded equal lines would measure that, and a bag of characters would call a shuffled page read. Here truth and
prediction are tiled, as in Wise's Greedy String Tiling (1993, "Running Karp-Rabin Matching and Greedy String Tiling"),
but with tiles that may hold errors: local alignments (Smith and Waterman 1981, "Identification of Common Molecular
Subsequences").

- Text is compared after NFKC and without whitespace; truth that knows no case (SROIE's labels) is compared without.
- Equal lines are paired first. Then the best local alignment of any piece of truth with any piece of prediction
  becomes a tile; both lines fall into the pieces before and after it; again, until no tile counts.
- A tile counts when its equal characters are at least two and at least half of the shorter of its two pieces: a few
  digits that happen to occur in another number are no reading. One character alone counts only between pieces of at
  most two.
- Digits cut into bits of two or three, in any order, would still find places in a page of numbers. They are not
  found for nothing: what was not there is surplus, which is reported beside the recall.
- Every character, of truth and of prediction, is in at most one tile, and counts as found when it stands on its
  equal in one.
- Lines that a person cannot read for certain count neither as found nor as missed, and what was read there is not
  invented: they are tiled last, with what is left.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

EQUAL, ERROR = 1, -1
"""Points of a pair of equal characters, and of a pair of unequal ones or of one without a partner. With cheaper errors
long random numbers would align: of 240 digits in one shuffled line, 11 % count as found so, and 69 % with 2 and -1."""

PIECES = 3
"""Most pieces in which a line of truth may come back: a label, a value and a unit."""

EDGE = 2
"""Longest end of a line that counts as confused when an end of the same length was read in its place."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The best local alignment of two pieces."""

    points: int
    """Its score; 0 when the pieces have nothing in common."""
    equal: int
    """Pairs of equal characters."""
    unequal: int
    """Pairs of unequal characters."""
    truth: tuple[int, int]
    """Where it begins and ends in the piece of truth."""
    read: tuple[int, int]
    """The same in the piece of prediction."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one image's reading is worth; counts add up over images."""

    characters: int
    """Characters of the legible truth."""
    found: int
    """Those of them that were read."""
    confused: int
    """Those that were read as another character, in its place."""
    read: int
    """Characters read, without those laid on illegible lines."""
    lines: int
    """Legible lines of truth."""
    exact: int
    """Those that equal a line read; each line read counts once."""
    missed: tuple[tuple[str, str], ...] = ()
    """Each truth line that was not found whole, with its characters that were not found."""
    invented: tuple[str, ...] = ()
    """Pieces read that no truth accounts for."""

    @property
    def recall(self) -> float:
        """Share of the legible characters that was read."""
        return self.found / self.characters if self.characters else 1.0

    @property
    def surplus(self) -> float:
        """Share of the characters read that is not there: one minus precision."""
        return (self.read - self.found) / self.read if self.read else 0.0

    @property
    def error_rate(self) -> float:
        """Characters missed, confused and invented, over those printed: a CER that does not mind the order of lines."""
        wrong = (self.characters - self.found) + (self.read - self.found) - self.confused
        return wrong / self.characters if self.characters else float(bool(self.read))


def normal(text: str, *, caseless: bool = False) -> str:
    """NFKC, without whitespace, and without case where `caseless`."""
    folded = "".join(unicodedata.normalize("NFKC", text).split())
    return folded.casefold() if caseless else folded


def score(truth: Sequence[str], read: Sequence[str], illegible: Sequence[str] = (), *, caseless: bool = False) -> Score:
    """Compare the lines of `truth` and of `illegible` with the lines `read`, in whatever order they come."""
    wanted = [line for line in (normal(text, caseless=caseless) for text in truth) if line]
    got = [line for line in (normal(text, caseless=caseless) for text in read) if line]
    doubtful = [line for line in (normal(text, caseless=caseless) for text in illegible) if line]
    tiling = _Tiling(wanted, got)
    unclear = _Tiling(doubtful, [text for _, text in tiling.left])
    return Score(
        characters=sum(map(len, wanted)),
        found=tiling.equal,
        confused=tiling.unequal,
        # An illegible line's confused characters are not invented either: something is printed there.
        read=sum(map(len, got)) - unclear.equal - unclear.unequal,
        lines=len(wanted),
        exact=sum((Counter(wanted) & Counter(got)).values()),
        missed=tuple((wanted[line], "".join(lost)) for line, lost in sorted(tiling.lost.items())),
        invented=tuple(text for _, text in unclear.left),
    )


def total(scores: Iterable[Score]) -> Score:
    """The sum over images: every character weighs the same."""
    listed = list(scores)
    counts = ("characters", "found", "confused", "read", "lines", "exact")
    return Score(**{name: sum(getattr(one, name) for one in listed) for name in counts})


class _Tiling:
    """Lays tiles on two lists of lines until none counts."""

    def __init__(self, truth: Sequence[str], read: Sequence[str]) -> None:
        self.equal = self.unequal = 0
        self.lost: dict[int, list[str]] = {}
        self._pieces = Counter[int]()
        spare = Counter(truth) & Counter(read)
        self.equal += sum(len(text) * count for text, count in spare.items())
        self.left = _without(read, Counter(spare))
        open_truth = _without(truth, Counter(spare))
        while True:
            best = self._best(open_truth)
            if best is None:
                break
            tile, one, other = best
            (line, text), (source, piece) = open_truth.pop(one), self.left.pop(other)
            tile = _widened(tile, text, piece)
            self._pieces[line] += 1
            self.equal += tile.equal
            self.unequal += tile.unequal
            self._note(line, text, piece, tile)
            open_truth[one:one] = [(line, rest) for rest in _around(text, tile.truth) if rest]
            self.left[other:other] = [(source, rest) for rest in _around(piece, tile.read) if rest]
        for line, text in open_truth:
            self.lost.setdefault(line, []).append(text)

    def _best(self, truth: Sequence[tuple[int, str]]) -> tuple[Tile, int, int] | None:
        """The tile with the most points; among equals, that with the least left over beside it, then the first."""
        best, rank = None, (0, 0)
        for one, (line, text) in enumerate(truth):
            if self._pieces[line] == PIECES:
                continue
            for other, (_, piece) in enumerate(self.left):
                if EQUAL * min(len(text), len(piece)) < rank[0]:
                    continue  # could not win even if all were equal
                tile = align(text, piece)
                found = (tile.points, -len(text) - len(piece))
                if found > rank and _counts(tile, text, piece):
                    best, rank = (tile, one, other), found
        return best

    def _note(self, line: int, text: str, piece: str, tile: Tile) -> None:
        """Keep the characters inside a tile that found no equal, for the report."""
        inside, beside = text[slice(*tile.truth)], piece[slice(*tile.read)]
        if inside != beside:
            self.lost.setdefault(line, []).append(f"[{inside}→{beside}]")


def _without(lines: Sequence[str], paired: Counter[str]) -> list[tuple[int, str]]:
    """Lines with their numbers, each line in `paired` left out as often as it is there."""
    kept = []
    for number, text in enumerate(lines):
        if paired[text] > 0:
            paired[text] -= 1
        else:
            kept.append((number, text))
    return kept


def _around(text: str, span: tuple[int, int]) -> tuple[str, str]:
    return text[: span[0]], text[span[1] :]


def _widened(tile: Tile, truth: str, read: str) -> Tile:
    """With an end of one or two characters that is as long on both sides: read as others, not missed and invented."""
    before, after = tile.truth[0], len(truth) - tile.truth[1]
    first = before if before == tile.read[0] and before <= EDGE else 0
    last = after if after == len(read) - tile.read[1] and after <= EDGE else 0
    return replace(
        tile,
        unequal=tile.unequal + first + last,
        truth=(tile.truth[0] - first, tile.truth[1] + last),
        read=(tile.read[0] - first, tile.read[1] + last),
    )


def _counts(tile: Tile, truth: str, read: str) -> bool:
    if tile.equal < 2:
        return tile.equal == 1 and len(truth) <= 2 and len(read) <= 2
    return tile.equal * 2 >= min(len(truth), len(read))


@lru_cache(maxsize=200_000)
def align(truth: str, read: str) -> Tile:
    """Best local alignment of two strings; of several, the one that ends last in `truth`, then in `read`.

    Strings of one length of which at least half stand in their places (`12.80` and `12:90`) are aligned as they stand,
    if that pairs more equal characters: short lines have no room for an alignment that pays for its errors.
    """
    straight = sum(wanted == got for wanted, got in zip(truth, read, strict=False))
    if len(truth) == len(read) <= 2 * straight:
        whole = (0, len(truth))
        standing = Tile(max(1, 2 * straight - len(truth)), straight, len(truth) - straight, whole, whole)
    else:
        standing = Tile(0, 0, 0, (0, 0), (0, 0))
    columns = len(read) + 1
    rows = [[0] * columns]
    top, end = 0, (0, 0)
    for i, wanted in enumerate(truth, 1):
        above, row = rows[-1], [0] * columns
        for j, got in enumerate(read, 1):
            value = above[j - 1] + (EQUAL if wanted == got else ERROR)
            value = max(value, above[j] + ERROR, row[j - 1] + ERROR, 0)
            row[j] = value
            if value >= max(top, 1):
                top, end = value, (i, j)
        rows.append(row)
    i, j = end
    equal = unequal = 0
    while rows[i][j]:
        same = truth[i - 1] == read[j - 1]
        if rows[i][j] == rows[i - 1][j - 1] + (EQUAL if same else ERROR):
            i, j, equal, unequal = i - 1, j - 1, equal + same, unequal + (not same)
        elif rows[i][j] == rows[i - 1][j] + ERROR:
            i -= 1
        else:
            j -= 1
    local = Tile(top, equal, unequal, (i, end[0]), (j, end[1]))
    return standing if standing.equal > equal else local
