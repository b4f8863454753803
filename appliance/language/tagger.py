"""Entities that no table lists and no pattern has: a network's emissions for each character, and Viterbi over them.

The network sees, beside the characters, what the tables and patterns found (hints), so that it can tell where these are
right, too short, or nothing, and, where it was trained so, the word that each character stands in.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed, ModelCorrupt
from appliance.inference.backend import Run
from appliance.language.candidates import Candidate
from appliance.language.segment import Segmenter
from appliance.language.viterbi import Transitions, best_tags

MODEL = 2
"""Rank of what the network finds: above a guess, below a pattern (see `candidates`)."""
LEAST = 0.5
"""Least probability of a mention where the network does not bring one of its own."""
OUTSIDE = "O"
UNKNOWN = 1
"""Number of a character that the network never saw."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """What the numbers of the network's inputs and outputs mean."""

    characters: Mapping[str, int]
    """Characters to their numbers, from 2 on."""
    tags: tuple[str, ...]
    """O, then B- and I- of every type, in the order of its emissions."""
    order: Transitions
    """What its CRF has learnt of the order of tags."""
    longest: int
    """Most characters that it reads; what follows has no entities of its finding."""
    pack: str = ""
    """The pack whose tables it learnt to judge."""
    least: float = LEAST
    """Least probability of the least sure tag of a mention, fitted on the sentences that chose its epoch."""


def types_of(alphabet: Alphabet) -> frozenset[str]:
    """Types that a network with this alphabet was trained to find."""
    return frozenset(tag.partition("-")[2] for tag in alphabet.tags) - {""}


def read_alphabet(path: Path) -> Alphabet:
    """Read tagger.json; raises ModelCorrupt when it is not what it should be."""
    try:
        found = json.loads(path.read_text("utf-8"))
        tags = tuple(map(str, found["tags"]))
        order = Transitions(
            np.array(found["begin"], np.float32).reshape(len(tags)),
            np.array(found["end"], np.float32).reshape(len(tags)),
            np.array(found["transitions"], np.float32).reshape(len(tags), len(tags)),
        )
        known = set(tags)
        lacking = [tag for tag in tags if tag.startswith("B-") and f"I-{tag[2:]}" not in known]
        if OUTSIDE not in known or lacking:
            raise ValueError(f"tags without O, or without I- for {lacking}")
        characters = {character: number for number, character in enumerate(found["characters"], 2)}
        least = float(found.get("least", LEAST))
        if not 0 <= least <= 1:
            raise ValueError(f"least: expected 0 to 1, got {least}")
        return Alphabet(characters, tags, order, int(found["longest"]), str(found.get("pack", "")), least)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ModelCorrupt(f"{path.name}: expected an alphabet, got {type(error).__name__}: {error}") from error


class Tagger:
    """Finds entities by the network. Thread-safe."""

    def __init__(
        self,
        run: Run,
        alphabet: Alphabet,
        types: Iterable[str],
        segmenter: Segmenter | None = None,
        judges: Collection[str] = (),
    ) -> None:
        """Keep what it finds of the pack's `types`; others are no entities there.

        `segmenter` belongs to a network that takes words. `judges` are types of which it may reject what tables and
        bare patterns found: those that it was trained to find, on the very pack.
        """
        self.judges = frozenset(judges)
        self._run, self._alphabet, self._types = run, alphabet, frozenset(types)
        self._segmenter = segmenter
        self._numbers = {tag: number for number, tag in enumerate(alphabet.tags)}

    @property
    def longest(self) -> int:
        """Most characters that it reads."""
        return self._alphabet.longest

    def find(self, text: str, hints: Sequence[Candidate], deadline: float | None = None) -> tuple[Candidate, ...]:
        """Candidates in a cleaned text of which `hints` (none overlapping) are known; raises ApplianceError."""
        read = text[: self._alphabet.longest]
        if not read:
            return ()
        outputs = self._run(self.inputs(read, hints), deadline=deadline)
        if (
            outputs["emissions"].shape != (1, len(read), len(self._alphabet.tags))
            or not np.isfinite(outputs["emissions"]).all()
        ):
            raise BackendFailed(f"tagger: expected finite emissions of {len(self._alphabet.tags)} tags, got others")
        path, sure = best_tags(outputs["emissions"][0], self._alphabet.order)
        tags = [self._alphabet.tags[number] for number in path]
        return tuple(
            Candidate(kind, start, end, text[start:end], round(float(sure[start:end].min()), 4), "model", MODEL)
            for start, end, kind in mentions(tags)
            if kind in self._types and sure[start:end].min() >= self._alphabet.least
        )

    def inputs(self, text: str, hints: Iterable[Candidate]) -> dict[str, npt.NDArray[np.int64]]:
        """What the network takes of a cleaned text that is not longer than it reads."""
        found = {"characters": self.characters(text), "hints": self.hints(hints, len(text))}
        if self._segmenter is not None:
            found["words"] = self._segmenter.words(text)[None]
        return found

    def characters(self, text: str) -> npt.NDArray[np.int64]:
        """Numbers of the characters, shape (1, length); every digit counts as 0."""
        known = self._alphabet.characters
        found = [known.get("0" if "0" <= c <= "9" else c, UNKNOWN) for c in text]
        return np.array([found], np.int64)

    def hints(self, hints: Iterable[Candidate], length: int) -> npt.NDArray[np.int64]:
        """Numbers of the tags that `hints` would give, shape (1, length)."""
        found = np.full((1, length), self._numbers[OUTSIDE], np.int64)
        for hint in hints:
            begin = self._numbers.get(f"B-{hint.type}")
            if begin is not None and hint.start < length:
                found[0, hint.start] = begin
                found[0, hint.start + 1 : hint.end] = self._numbers[f"I-{hint.type}"]
        return found


def mentions(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """(start, end, type) of the mentions in BIO tags; an I- that continues nothing begins one."""
    start, kind = 0, ""
    for at, tag in enumerate((*tags, OUTSIDE)):
        edge, _, found = tag.partition("-")
        if kind and (edge != "I" or found != kind):
            yield start, at, kind
            kind = ""
        if found and not kind:
            start, kind = at, found
