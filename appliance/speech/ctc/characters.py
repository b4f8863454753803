"""From sounds to characters: which of the characters that sound so were said, by an n-gram model over characters.

The network gives a slot for every syllable: a few units with their probabilities. A beam search walks over the slots as
they come and keeps the likeliest writings: the unit's probability, how often a character is read so, and a back-off
n-gram model (Kneser-Ney, made by `export.train.asr.ngram`). Names of the pack are favoured by the pairs and triples of
characters that they hold.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelCorrupt, ModelMissing

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Nodes = tuple[Any, ...]

BEGIN, END, UNKNOWN = 0, 1, 2
"""Numbers of the beginning and the end of a sentence and of a character that is not known."""
_NONE = -1
_PAIR, _TRIPLE = 0.5, 1.0
"""What a pair, and a triple, of characters of a favoured phrase adds to the logarithm of the probability."""


@dataclass(frozen=True, slots=True)
class Order:
    """The n-grams of one length."""

    keys: Ints
    """Characters of every gram as one number in base of the alphabet's size, sorted, shape (k,)."""
    logp: Floats
    """Natural logarithm of the last character's probability behind the others, shape (k,)."""
    backoff: Floats
    """Natural logarithm of the weight of the next shorter context behind the gram, shape (k,)."""


@dataclass(frozen=True, slots=True)
class Favoured:
    """Phrases that are likely said, as the pairs and triples of characters that they hold."""

    pairs: Ints
    """Pairs as numbers like those of `Order.keys`, sorted, shape (k,)."""
    triples: Ints
    """Triples as such numbers, sorted, shape (k,)."""


NONE = Favoured(np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Spelling:
    """The character model of one recogniser."""

    units: tuple[str, ...]
    """Names of the network's classes; the first is CTC's blank."""
    characters: tuple[str, ...]
    """Characters by number; the first three are BEGIN, END and UNKNOWN."""
    orders: tuple[Order, ...]
    """Unigrams first."""
    first: Ints
    """Where the characters of a unit begin in `reads`, shape (units + 1,)."""
    reads: Ints
    """Characters of the units, one unit behind the other, shape (readings,)."""
    chance: Floats
    """Natural logarithm of how often each of those characters is read so, shape (readings,)."""

    def candidates(self, unit: int) -> tuple[Ints, Floats]:
        """Characters that are read as `unit`, and the logarithms of how often they are."""
        begin, end = int(self.first[unit]), int(self.first[unit + 1])
        return self.reads[begin:end], self.chance[begin:end]

    def score(self, contexts: Ints, candidates: Ints) -> Floats:
        """Logarithm of the probability of each candidate (c,) behind each context (h, n - 1), shape (h, c)."""
        base = len(self.characters)
        found = np.repeat(self.orders[0].logp[candidates][None], len(contexts), 0)
        key = np.zeros(len(contexts), np.int64)
        valid = np.ones(len(contexts), np.bool_)
        for n in range(2, len(self.orders) + 1):
            # The context's n - 1 last characters; a shorter one that is not known makes the longer ones unknown, too.
            valid = valid & (contexts[:, 1 - n] != _NONE)
            key = key + np.where(valid, contexts[:, 1 - n], 0) * base ** (n - 2)
            short, long = self.orders[n - 2], self.orders[n - 1]
            at, there = _look(short.keys, key)
            valid = valid & there
            if not valid.any():
                break
            found += np.where(valid, short.backoff[at], 0)[:, None]
            places, hit = _look(long.keys, key[:, None] * base + candidates[None])
            hit &= valid[:, None]
            found = np.where(hit, long.logp[places], found)
        return found

    def favoured(self, phrases: Iterable[str]) -> Favoured:
        """What makes `phrases` likelier; characters that the model does not know are left out."""
        base, numbers = len(self.characters), {c: n for n, c in enumerate(self.characters)}
        pairs, triples = set(), set()
        for phrase in phrases:
            ids = [numbers.get(character, _NONE) for character in phrase.upper()]
            for at in range(1, len(ids)):
                if min(ids[at - 1 : at + 1]) > UNKNOWN:
                    pairs.add(ids[at - 1] * base + ids[at])
                    if at > 1 and ids[at - 2] > UNKNOWN:
                        triples.add((ids[at - 2] * base + ids[at - 1]) * base + ids[at])
        return Favoured(np.array(sorted(pairs), np.int64), np.array(sorted(triples), np.int64))


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much; fitted on dev sentences in training and kept beside the model."""

    language: float = 0.6
    """Exponent of the character model's probability."""
    beam: int = 24
    """Writings that are kept."""


class Writer:
    """Writes down slots as they come. One utterance, one thread."""

    def __init__(self, spelling: Spelling, weights: Weights, favoured: Favoured = NONE) -> None:
        """Begin a sentence in which some phrases are `favoured`."""
        self._spelling, self._weights = spelling, weights
        self._pairs, self._triples = favoured.pairs, favoured.triples
        width = max(1, len(spelling.orders) - 1)
        self._contexts = np.full((1, width), _NONE, np.int64)
        self._contexts[0, -1] = BEGIN
        self._scores = np.zeros(1, np.float32)
        self._written: list[Nodes] = [()]
        self._slots = 0

    def push(self, units: Sequence[int], logprobs: Sequence[float], nothing: float = -np.inf) -> None:
        """One more slot: units with the logarithms of their probabilities, and that of there being none."""
        best: dict[int, float] = {}
        for unit, logprob in zip(units, logprobs, strict=True):
            for character, chance in zip(*(x.tolist() for x in self._spelling.candidates(unit)), strict=True):
                best[character] = max(best.get(character, -np.inf), logprob + chance)
        self._slots += 1
        if not best:
            return
        candidates = np.fromiter(best, np.int64, len(best))
        sound = np.fromiter(best.values(), np.float32, len(best))
        gained = self._weights.language * self._spelling.score(self._contexts, candidates)
        gained += self._bonus(candidates) + sound[None]
        total = np.concatenate(((self._scores + nothing)[:, None], self._scores[:, None] + gained), 1)
        self._keep(total, np.concatenate(([_NONE], candidates)))

    def _bonus(self, candidates: Ints) -> Floats:
        """What favoured phrases add, shape (writings, candidates)."""
        bonus = np.zeros((len(self._contexts), len(candidates)), np.float32)
        base = len(self._spelling.characters)
        last = self._contexts[:, -1].clip(0)
        if len(self._pairs):
            bonus += _PAIR * _look(self._pairs, last[:, None] * base + candidates[None])[1]
        if len(self._triples) and self._contexts.shape[1] > 1:
            before = self._contexts[:, -2].clip(0) * base + last
            bonus += _TRIPLE * _look(self._triples, before[:, None] * base + candidates[None])[1]
        return bonus

    def _keep(self, total: Floats, candidates: Ints) -> None:
        """Go on with the best writings, one for each context that matters to the model."""
        flat = total.ravel()
        count = min(len(flat), self._weights.beam * 8)
        order = np.argpartition(-flat, count - 1)[:count]
        order = order[np.lexsort((order, -flat[order]))]
        seen: set[tuple[int, ...]] = set()
        scores: list[float] = []
        contexts: list[tuple[int, ...]] = []
        written: list[Nodes] = []
        for place in order.tolist():
            row, column = divmod(place, total.shape[1])
            character = int(candidates[column])
            context = tuple(self._contexts[row].tolist())
            if character != _NONE:
                context = (*context[1:], character)
            if context in seen or not np.isfinite(flat[place]):
                continue
            seen.add(context)
            scores.append(float(flat[place]))
            contexts.append(context)
            before = self._written[row]
            written.append(before if character == _NONE else (before, character, self._slots - 1))
            if len(scores) == self._weights.beam:
                break
        self._scores = np.array(scores, np.float32)
        self._contexts = np.array(contexts, np.int64).reshape(len(contexts), -1)
        self._written = written

    def written(self, *, ended: bool = False) -> list[tuple[str, int]]:
        """The likeliest characters so far, each with the number of its slot, counted from 0.

        `ended` says that nothing more comes, which speaks for some endings.
        """
        scores = self._scores
        if ended:
            ending = self._spelling.score(self._contexts, np.array([END], np.int64))[:, 0]
            scores = scores + self._weights.language * ending
        node: Nodes = self._written[int(scores.argmax())]
        found = []
        while node:
            node, character, slot = node
            found.append((self._spelling.characters[character], slot))
        return found[::-1]

    def text(self, *, ended: bool = False) -> str:
        """The same as text."""
        return "".join(character for character, _ in self.written(ended=ended))


def _look(keys: Ints, wanted: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Places of `wanted` in the sorted `keys`, and which of them are there; other places mean nothing."""
    if not len(keys):
        return np.zeros(wanted.shape, np.int64), np.zeros(wanted.shape, np.bool_)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def save(spelling: Spelling, path: Path) -> None:
    """Write a model: keys as the place of the gram without its last character and that character; small numbers."""
    base = len(spelling.characters)
    arrays: dict[str, npt.NDArray[Any]] = {
        "units": np.array("\n".join(spelling.units)),
        "characters": np.array("\n".join(spelling.characters)),
        "first": np.diff(spelling.first).astype(np.uint16),
        "reads": spelling.reads.astype(np.uint16),
        "chance": spelling.chance.astype(np.float16),
        "orders": np.array(len(spelling.orders)),
    }
    for n, order in enumerate(spelling.orders, 1):
        if n > 1:
            places = np.searchsorted(spelling.orders[n - 2].keys, order.keys // base)
            arrays[f"after{n}"] = np.diff(places, prepend=0).astype(np.uint32)
        arrays[f"last{n}"] = (order.keys % base).astype(np.uint16)
        arrays[f"logp{n}"] = _coarse(order.logp)
        arrays[f"backoff{n}"] = _coarse(order.backoff) if n < len(spelling.orders) else np.zeros(0, np.uint8)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def load(path: Path) -> Spelling:
    """Read what `save` wrote; raises ModelMissing or ModelCorrupt."""
    try:
        # Read whole first: numpy leaves a file open that turns out to be none of its own.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            orders: list[Order] = []
            characters = tuple(str(file["characters"]).split("\n"))
            for n in range(1, int(file["orders"]) + 1):
                keys = file[f"last{n}"].astype(np.int64)
                if n > 1:
                    keys += orders[-1].keys[np.cumsum(file[f"after{n}"], dtype=np.int64)] * len(characters)
                backoff = _fine(file[f"backoff{n}"]) if file[f"backoff{n}"].size else np.zeros(len(keys), np.float32)
                orders.append(Order(keys, _fine(file[f"logp{n}"]), backoff))
            first = np.concatenate(([0], np.cumsum(file["first"], dtype=np.int64)))
            return Spelling(
                tuple(str(file["units"]).split("\n")),
                characters,
                tuple(orders),
                first,
                file["reads"].astype(np.int64),
                file["chance"].astype(np.float32),
            )
    except FileNotFoundError as error:
        raise ModelMissing(f"{path.name}: expected a character model at {path}, found none") from error
    except (OSError, EOFError, KeyError, ValueError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelCorrupt(f"{path.name}: expected a character model, got {type(error).__name__}: {error}") from error


_STEP = 1 / 12
"""Logarithms are kept in 256 steps: from 0 down to -21."""


def _coarse(values: Floats) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = np.rint(np.clip(-values / _STEP, 0, 255)).astype(np.uint8)
    return found


def _fine(values: npt.NDArray[np.uint8]) -> Floats:
    found: Floats = (values.astype(np.float32) * -_STEP).astype(np.float32)
    return found
