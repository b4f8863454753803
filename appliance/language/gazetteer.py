"""Finds the things that a pack lists (products, brands, places) in a cleaned text, exactly, by sound or by nearness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.language.clean import Cleaner, is_han
from appliance.language.lexicon import GazetteerEntry
from appliance.language.pinyin import Syllables

_EXACT, _SINGLE, _SOUND, _SOUND_SHORT = 0.98, 0.7, 0.85, 0.62
_NEAR_FLOOR = 0.75


@dataclass(frozen=True, slots=True)
class Hit:
    """Something listed, found in a text."""

    start: int
    """First character of the cleaned text."""
    end: int
    """One past the last character."""
    entries: tuple[GazetteerEntry, ...]
    """The rows that this name means, all of one type."""
    confidence: float
    """0.98 for the very name, less for a likeness."""
    exact: bool
    """False for a homophone or a near name."""


class _Index:
    """Longest match over a set of names by their first character and length."""

    def __init__(self, names: Iterable[str]) -> None:
        lengths: dict[str, set[int]] = defaultdict(set)
        self.names = frozenset(names)
        for name in self.names:
            lengths[name[0]].add(len(name))
        self.lengths = {head: tuple(sorted(sizes, reverse=True)) for head, sizes in lengths.items()}

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Spans of all names in `text`, longer first at each position, overlapping ones included."""
        for start, head in enumerate(text):
            for size in self.lengths.get(head, ()):
                if start + size <= len(text) and text[start : start + size] in self.names:
                    yield start, start + size


def _whole_word(text: str, start: int, end: int) -> bool:
    """False when a Latin name is only part of a longer word, as pen in open; a plural s is no other word."""
    if (
        text[start].isascii()
        and text[start].isalnum()
        and start
        and text[start - 1].isascii()
        and text[start - 1].isalpha()
    ):
        return False
    if text[end - 1].isascii() and text[end - 1].isalpha() and end < len(text):
        rest = text[end:]
        if rest[0] == "s" and (len(rest) == 1 or not (rest[1].isascii() and rest[1].isalnum())):
            return True
        return not (rest[0].isascii() and rest[0].isalpha())
    return True


class Gazetteer:
    """All names of a pack. Thread-safe after construction; built in milliseconds, searched in microseconds."""

    def __init__(self, entries: Iterable[GazetteerEntry], cleaner: Cleaner, syllables: Syllables) -> None:
        """Index `entries` by their cleaned surfaces, by sound, and by pairs of characters."""
        import rapidfuzz.distance  # noqa: F401  # native library, loaded now and not in the middle of a turn

        self._syllables = syllables
        names: dict[str, list[GazetteerEntry]] = defaultdict(list)
        for entry in entries:
            for surface in entry.surfaces:
                name = cleaner.clean(surface).text
                if name and entry not in names[name]:
                    names[name].append(entry)
        self._names = dict(names)
        self._exact = _Index(self._names)
        sounds: dict[str, list[str]] = defaultdict(list)
        pairs: dict[str, set[str]] = defaultdict(set)
        for name in self._names:
            if len(name) >= 2 and "的" not in name and all(is_han(character) for character in name):
                sound = syllables.fold(name)
                sounds[sound].append(name)
                if len(sound) >= 3:
                    for position in range(len(sound) - 1):
                        pairs[sound[position : position + 2]].add(sound)
            elif len(name) >= 5 and name.isascii():
                for position in range(len(name) - 1):
                    pairs[name[position : position + 2]].add(name)
        self._sounds = {sound: tuple(same) for sound, same in sounds.items()}
        self._by_sound = _Index(self._sounds)
        self._pairs = {pair: tuple(sorted(owners)) for pair, owners in pairs.items()}

    def exact(self, text: str) -> Iterator[Hit]:
        """Names that stand in the cleaned text as they are."""
        for start, end in self._exact.find(text):
            if _whole_word(text, start, end):
                confidence = _EXACT if end - start > 1 else _SINGLE
                yield from self._hits(start, end, (text[start:end],), confidence, True)

    def near(self, text: str, free: Iterable[tuple[int, int]]) -> Iterator[Hit]:
        """Homophones and near names inside the `free` spans of the cleaned text."""
        for low, high in free:
            if high - low < 2:
                continue
            sound = self._syllables.fold(text[low:high])
            for start, end in self._by_sound.find(sound):
                names = self._sounds[sound[start:end]]
                confidence = _SOUND
                if end - start == 2:  # two syllables mean many things; one of the characters must be right
                    said = text[low + start : low + end]
                    names = tuple(name for name in names if name[0] == said[0] or name[1] == said[1])
                    confidence = _SOUND_SHORT
                yield from self._hits(low + start, low + end, names, confidence, False)
            yield from (hit for hit in self._misspelt(sound, low) if _whole_word(text, hit.start, hit.end))

    def _misspelt(self, sound: str, low: int) -> Iterator[Hit]:
        """Names of three or more characters with one wrong, missing or extra, compared by sound."""
        from rapidfuzz.distance import Levenshtein  # lazy: native library

        shared: dict[str, list[int]] = defaultdict(list)
        for position in range(len(sound) - 1):
            for name in self._pairs.get(sound[position : position + 2], ()):
                shared[name].append(position)
        for name, positions in shared.items():
            best: tuple[float, int, int] | None = None
            size = len(name)
            if size > 3 and len(positions) < 2:
                continue
            allowed = 1 if size < 7 else 2
            begin, finish = max(0, positions[0] - size + 1), min(len(sound), positions[-1] + size + 1)
            for start in range(begin, finish):
                for length in range(max(2, size - 1), size + 2):
                    window = sound[start : start + length]
                    if len(window) < length or " " in (window[0], window[-1]):
                        continue
                    if (size <= 4 or name.isascii()) and (window[0] != name[0] or window[-1] != name[-1]):
                        continue
                    distance = Levenshtein.distance(name, window, score_cutoff=allowed)
                    if 0 < distance <= allowed:  # 0 was found by its sound already
                        likeness = 1 - distance / size - (0.02 if length != size else 0)
                        if best is None or likeness > best[0]:
                            best = (likeness, start, start + length)
            if best and best[0] >= _NEAR_FLOOR:
                likeness, start, end = best
                yield from self._hits(low + start, low + end, self._sounds.get(name, (name,)), likeness * 0.85, False)

    def _hits(self, start: int, end: int, names: tuple[str, ...], confidence: float, exact: bool) -> Iterator[Hit]:
        by_type: dict[str, dict[str, GazetteerEntry]] = defaultdict(dict)
        for name in names:
            for entry in self._names[name]:
                by_type[entry.type][f"{entry.key}\n{entry.name}"] = entry
        for entries in by_type.values():
            yield Hit(start, end, tuple(entries.values()), confidence, exact)
