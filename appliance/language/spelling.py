"""Names found by whatever part of them has been typed: characters, pinyin, initials, or a mixture of these.

A trie over characters; an edge is passed by the character itself, by a reading of it, or by a reading's first letter.
Every reading that pypinyin lists counts (银行 is yinhang, 重庆 chongqing), its usual one counts more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from heapq import nsmallest
from typing import Generic, NamedTuple, TypeVar

from appliance.language.pinyin import read_table

_T = TypeVar("_T")

_DOUBLE = ("zh", "ch", "sh")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")


RARE, INITIALS, PARTIAL = 1, 2, 4
"""How a text was matched, added up; 0 is by characters and whole syllables in their usual readings.

RARE: a reading that is not the character's first one. INITIALS: a character by the first letter of its reading, with
more behind it. PARTIAL: the last syllable is not typed to its end.
"""

Form = tuple[str, int]
"""Letters that stand for a character, and what using them means."""


def _plain(reading: str) -> Iterator[str]:
    """A reading without tone in the spellings that keyboards know: nǚ as nv and nu."""
    letters = unicodedata.normalize("NFD", reading)
    for umlaut in ("v", "u") if "u\u0308" in letters else ("u",):
        spelt = "".join(c for c in letters.replace("u\u0308", umlaut) if not unicodedata.combining(c))
        if spelt and _LETTERS.issuperset(spelt):
            yield spelt


def forms_of(readings: str) -> tuple[Form, ...]:
    """All letters that may stand for a character with these comma-separated `readings`, the best use of each."""
    forms: dict[str, int] = {}
    for number, reading in enumerate(readings.split(",")):
        rare = RARE if number else 0
        for spelt in _plain(reading):
            initials = [spelt[:1], *(double for double in _DOUBLE if spelt.startswith(double))]
            for form, how in ((spelt, rare), *((initial, rare | INITIALS) for initial in initials)):
                forms[form] = min(how, forms.get(form, how))
    return tuple(forms.items())


def read_forms() -> Callable[[str], tuple[Form, ...]]:
    """Forms of any character, from pypinyin's table; nothing for one that has no reading."""
    table = read_table()

    @cache
    def forms(character: str) -> tuple[Form, ...]:
        readings = table.get(ord(character))
        return forms_of(readings) if readings else ()

    return forms


@dataclass(slots=True)
class _Node(Generic[_T]):
    by_character: dict[str, _Node[_T]] = field(default_factory=dict)
    by_letter: dict[str, list[tuple[str, int, _Node[_T]]]] = field(default_factory=dict)
    here: list[tuple[int, _T]] = field(default_factory=list)
    best: tuple[tuple[int, _T], ...] = ()


class Found(NamedTuple, Generic[_T]):
    """Something that begins as the text does, or that the text goes on behind."""

    how: int
    """How it was matched: RARE, INITIALS, PARTIAL."""
    whole: bool
    """True when every character of its name is there, if only by an initial."""
    end: int
    """Where in the text its name ends."""
    rank: int
    """Its rank; smaller is better."""
    item: _T
    """What was found."""


class Spellings(Generic[_T]):
    """Items by their names. Never changes after construction, so any thread may ask."""

    def __init__(
        self, names: Iterable[tuple[str, int, _T]], forms: Callable[[str], tuple[Form, ...]], *, kept: int
    ) -> None:
        """Index (name, rank, item); names are uniform text without spaces. `kept` items are found below any prefix."""
        self._root: _Node[_T] = _Node()
        for name, rank, item in names:
            node = self._root
            for character in name:
                child = node.by_character.get(character)
                if child is None:
                    child = node.by_character[character] = _Node()
                    for form, how in forms(character):
                        node.by_letter.setdefault(form[0], []).append((form, how, child))
                node = child
            node.here.append((rank, item))
        _settle(self._root, kept)

    def starting(self, text: str, start: int = 0, *, most: int = 1 << 30) -> Iterator[Found[_T]]:
        """Items whose names begin with all of `text[start:]`, every way to read it, not in order.

        Of the names that begin with the same characters the `most` best, and no more than `kept`.
        """
        size = len(text)
        for node, _, how in self._walk(text, start):
            for pair in node.best[:most]:
                yield Found(how, pair in node.here, size, *pair)

    def leading(self, text: str, start: int = 0) -> Iterator[Found[_T]]:
        """Items whose whole names `text[start:]` begins with and goes on behind; not in order."""
        for node, end, how in self._walk(text, start, within=True):
            for pair in node.here:
                yield Found(how, True, end, *pair)

    def _walk(self, text: str, start: int, *, within: bool = False) -> Iterator[tuple[_Node[_T], int, int]]:
        """Nodes at which `text` ends or, `within`, nodes with names at which it does not end yet."""
        size = len(text)
        stack: list[tuple[_Node[_T], int, int]] = [(self._root, start, 0)]
        seen: set[tuple[int, int, int]] = set()
        while stack:
            node, at, how = stack.pop()
            state = (id(node), at, how)
            if state in seen:
                continue
            seen.add(state)
            if at == size:
                if not within and at > start:
                    yield node, at, how
                continue
            if within and node.here:
                yield node, at, how
            letter = text[at]
            child = node.by_character.get(letter)
            if child is not None:
                stack.append((child, at + 1, how))
            for form, meaning, below in node.by_letter.get(letter, ()):
                end = at + len(form)
                if end <= size:
                    # An initial at the very end is a syllable not typed to its end.
                    if text.startswith(form, at) and not (end == size and meaning & INITIALS):
                        stack.append((below, end, how | meaning))
                elif not within and form.startswith(text[at:]):
                    stack.append((below, size, how | meaning | PARTIAL))


def _settle(root: _Node[_T], kept: int) -> None:
    """Note at every node the best items at it and below, each once."""
    order: list[_Node[_T]] = []
    stack = [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(node.by_character.values())
    for node in reversed(order):
        below = [pair for child in node.by_character.values() for pair in child.best]
        once: dict[int, tuple[int, _T]] = {}
        for pair in nsmallest(4 * kept, (*node.here, *below), key=lambda pair: pair[0]):
            once.setdefault(id(pair[1]), pair)
        node.best = tuple(once.values())[:kept]
