"""All finders together: from a text to its entities, with spans in the text as it was given."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from appliance.language.address import Addresses, read_divisions
from appliance.language.candidates import CHECKSUM, CONTEXT, GUESS, LISTED, PATTERN, Candidate, resolve
from appliance.language.clean import Cleaned, Cleaner, is_han
from appliance.language.gazetteer import Gazetteer, Hit
from appliance.language.lexicon import Lexicon
from appliance.language.patterns import NUMERIC, Patterns, find_numeric
from appliance.language.person import People
from appliance.language.pinyin import Syllables
from appliance.values import Entity

_WORDED = ("person", "address")
"""Types without a form of their own: their patterns go by the words around, which the network reads better."""


class EntityFinder:
    """Finds the entities of one pack. Thread-safe."""

    def __init__(
        self, lexicon: Lexicon, cleaner: Cleaner, syllables: Syllables, today: Callable[[], date | None]
    ) -> None:
        """Index the pack's names and patterns; `today` anchors words like 明天."""
        self._types = frozenset(lexicon.entity_types)
        self._patterns = Patterns(lexicon.patterns)
        self._gazetteer = Gazetteer(lexicon.gazetteer, cleaner, syllables)
        self._people = People(lexicon.surnames, lexicon.person_contexts) if "person" in self._types else None
        self._addresses = Addresses(read_divisions()) if "address" in self._types else None
        self._today = today
        self._before, self._after = re.compile(lexicon.single_before), re.compile(lexicon.single_after)
        # What the pack's own sentences say again and again is no misspelt product. Once may be a misspelt example.
        counted = Counter(_phrases(lexicon))
        self._known = frozenset(phrase for phrase, count in counted.items() if count > 1)

    def find(self, text: str, *, near: bool = True) -> tuple[Candidate, ...]:
        """Candidates that remain in a cleaned text after overlaps are resolved; `near` adds homophones and typos."""
        candidates = [*self._patterns.find(text), *find_numeric(text, self._today(), self._types)]
        if self._people:
            candidates += self._people.find(text)
        if self._addresses:
            candidates += self._addresses.find(text)
        candidates += [_listed(hit, text) for hit in self._gazetteer.exact(text) if self._stands(hit, text)]
        kept = resolve(candidates)
        if not near:
            return kept
        misheard = [
            _listed(hit, text)
            for hit in self._gazetteer.near(text, free_spans(text, kept))
            if text[hit.start : hit.end] not in self._known
        ]
        return resolve([*kept, *misheard]) if misheard else kept

    def joined(
        self, text: str, found: Iterable[Candidate], guessed: Sequence[Candidate], types: Collection[str], longest: int
    ) -> tuple[Candidate, ...]:
        """`found` by `find` and what a network `guessed` in the same text, seeing `found`; values normalised.

        A checksum, a pattern with its context word and a number with a form of its own (a phone, a waybill) beat the
        network. Of the `types` that it was trained to find, a listed name, a person, an address, or a bare amount,
        weight, date or time, is what it makes of it: where it saw one (among the first `longest` characters) and did
        not mark it, it is none here (花 in 花了, 三点 in 三点水); where it marked it otherwise, its bounds count and
        the pattern's value.
        """
        found = tuple(found)

        def stands(one: Candidate) -> bool:
            if one.type not in types or one.end > longest:
                return True
            return one.rank >= (CHECKSUM if one.type in _WORDED else CONTEXT if one.type in NUMERIC else PATTERN)

        kept = [one for one in found if stands(one)]
        return resolve([*kept, *(self._valued(text, guess, found) for guess in guessed)])

    def _valued(self, text: str, guess: Candidate, found: Sequence[Candidate]) -> Candidate:
        """A network's mention with the value that tables and patterns give the words, or a part of them."""
        said = text[guess.start : guess.end]
        inside = [known for known in self.find(said) if known.type == guess.type]
        for known in inside:
            if (known.start, known.end) == (0, len(said)):
                # What the pattern itself would rather have confirmed is confirmed: 12 digits may be a barcode, too.
                sure = min(guess.confidence, known.confidence) if known.rank == GUESS else guess.confidence
                return replace(guess, value=known.value, detail=known.detail, confidence=sure)
        if guess.type == "address" and inside:
            # A door that no pattern reads is still in the province that one does; the words are the value.
            return replace(guess, detail=inside[0].detail)
        for part in found:
            same = (part.start, part.end) == (guess.start, guess.end)
            if part.type == guess.type and (same or (part.type in NUMERIC and part.overlaps(guess))):
                return replace(guess, value=part.value, detail=part.detail)
        return guess

    def _stands(self, hit: Hit, text: str) -> bool:
        """False for a name of one Chinese character in the middle of another word (花 in 花了)."""
        if hit.end - hit.start > 1 or not is_han(text[hit.start]):
            return True
        return bool(self._before.search(text[: hit.start]) and self._after.search(text[hit.end :]))


def _phrases(lexicon: Lexicon) -> Iterator[str]:
    for rule in lexicon.intents:
        for sentence in rule.sentences:
            for size in range(2, 5):
                yield from (sentence[i : i + size] for i in range(len(sentence) - size + 1))


def free_spans(text: str, taken: Iterable[Candidate]) -> Iterator[tuple[int, int]]:
    """Stretches of letters that no candidate and no punctuation covers."""
    covered = bytearray(len(text))
    for candidate in taken:
        covered[candidate.start : candidate.end] = b"\x01" * (candidate.end - candidate.start)
    start: int | None = None
    for index, character in enumerate(text):
        free = not covered[index] and (character.isalnum() or character == " ")
        if free and start is None:
            start = index
        elif not free and start is not None:
            yield start, index
            start = None
    if start is not None:
        yield start, len(text)


def _listed(hit: Hit, text: str) -> Candidate:
    entries = hit.entries
    names = dict.fromkeys(entry.name for entry in entries)
    value = next(iter(names)) if len(names) == 1 else text[hit.start : hit.end]
    detail = dict(entries[0].detail) if len(entries) == 1 else {}
    keys = [entry.key for entry in entries if entry.key]
    if keys:
        detail["keys"] = ",".join(keys)
    single = hit.end - hit.start == 1 and is_han(text[hit.start])
    rank = LISTED if hit.exact and not single else GUESS
    return Candidate(entries[0].type, hit.start, hit.end, value, hit.confidence, "gazetteer", rank, detail)


def in_original(candidate: Candidate, cleaned: Cleaned, original: str) -> Entity:
    """The candidate as an Entity whose span points into the original text."""
    start, end = cleaned.original_span(candidate.start, candidate.end)
    return Entity(
        candidate.type,
        original[start:end],
        candidate.value,
        start,
        end,
        round(candidate.confidence, 4),
        candidate.source,
        candidate.detail,
    )
