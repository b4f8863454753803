"""Names found by whatever part of them has been typed: characters, pinyin, initials, or a mixture of these.

A trie over characters; an edge is passed by the character itself, by a reading of it, or by a reading's first letter.
Every reading that pypinyin lists counts (银行 is yinhang, 重庆 chongqing), its usual one counts more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Generic, NamedTuple, TypeVar

from appliance.language.syllables import INITIALS, LONGEST_SYLLABLE, PARTIAL, RARE, Form

_T = TypeVar("_T")

_Pairs = list[tuple[int, _T]]
"""Ranks and items."""


class _Node(Generic[_T]):
    """A node of the trie; where only one name goes on, the rest of it is kept as text in place of further nodes."""

    __slots__ = ("begun", "best", "by_character", "by_form", "here", "opens", "rest")

    def __init__(self, rest: str = "") -> None:
        self.rest = rest
        self.here: _Pairs[_T] = []
        """Items whose name ends behind the rest."""
        self.best: _Pairs[_T] = []
        """The best items here and below."""
        self.by_character: dict[str, _Node[_T]] = {}
        self.by_form: dict[str, list[tuple[int, _Node[_T]]]] = {}
        self.opens: frozenset[str] = frozenset()
        """Characters and letters that a name can go on with: of the rest, else of the nodes below."""
        self.begun: dict[str, list[tuple[int, _Pairs[_T], _Pairs[_T]]]] = {}
        """For the beginning of a syllable: how, and what the nodes that it may lead to hold, here and best."""


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
        self._forms: dict[str, tuple[Form, ...]] = {}
        self._kept = kept
        for name, rank, item in names:
            for character in name:
                if character not in self._forms:
                    self._forms[character] = forms(character)
            if name:
                self._add(name).here.append((rank, item))
        _settle(self._root, kept)
        self._open()

    def _add(self, name: str) -> _Node[_T]:
        """The node of a whole name, made where it is not there yet."""
        node = self._root
        for at, character in enumerate(name):
            if node.rest:
                if node.rest == name[at:]:
                    return node
                below = self._child(node, node.rest[0], node.rest[1:])
                below.here, node.here, node.rest = node.here, [], ""
            child = node.by_character.get(character)
            if child is None:
                return self._child(node, character, name[at + 1 :])
            node = child
        if node.rest:
            below = self._child(node, node.rest[0], node.rest[1:])
            below.here, node.here, node.rest = node.here, [], ""
        return node

    def _child(self, node: _Node[_T], character: str, rest: str) -> _Node[_T]:
        child = node.by_character[character] = _Node(rest)
        for form, how in self._forms[character]:
            node.by_form.setdefault(form, []).append((how, child))
        return child

    def _open(self) -> None:
        """Note at every node what can come next, so that a search turns back before it."""
        first = {
            character: frozenset((character, *(form[0] for form, _ in forms)))
            for character, forms in self._forms.items()
        }
        stack = [self._root]
        while stack:
            node = stack.pop()
            if node.rest:
                node.opens = first[node.rest[0]]
            else:
                sets = [first[character] for character in node.by_character]
                node.opens = sets[0] if len(sets) == 1 else frozenset(chain.from_iterable(sets))
            stack.extend(node.by_character.values())

    def starting(self, text: str, start: int = 0, *, most: int = 1 << 30) -> Iterator[Found[_T]]:
        """Items whose names begin with all of `text[start:]`, every way to read it, not in order.

        Of the names that begin with the same characters the `most` best, and no more than `kept`.
        """
        size = len(text)
        for here, best, _, how in self._walk(text, start):
            for pair in best[:most]:
                yield Found(how, pair in here, size, *pair)

    def leading(self, text: str, start: int = 0) -> Iterator[Found[_T]]:
        """Items whose whole names `text[start:]` begins with and goes on behind; not in order."""
        for here, _, end, how in self._walk(text, start, within=True):
            for pair in here:
                yield Found(how, True, end, *pair)

    def _walk(
        self, text: str, start: int, *, within: bool = False
    ) -> Iterator[tuple[_Pairs[_T], _Pairs[_T], int, int]]:
        """Where `text` ends or, `within`, where there are names at which it does not end yet.

        Gives what is named so and the best from there on, the position in `text`, and how it came there.
        """
        size = len(text)
        # A node, how much of its rest has been passed, the position in the text, and how it came there.
        stack: list[tuple[_Node[_T], int, int, int]] = [(self._root, 0, start, 0)]
        seen: set[tuple[_Node[_T], int, int, int]] = set()
        while stack:
            state = stack.pop()
            if state in seen:
                continue
            seen.add(state)
            node, passed, at, how = state
            here = node.here if passed == len(node.rest) else []
            if at == size:
                if not within and at > start:
                    yield here, node.best, at, how
                continue
            if within and here:
                yield here, node.best, at, how
            if passed < len(node.rest):
                character = node.rest[passed]
                passed += 1
                if character == text[at]:
                    stack.append((node, passed, at + 1, how))
                for form, meaning in self._forms[character]:
                    end = at + len(form)
                    if text.startswith(form, at):
                        if end < size or not meaning & INITIALS:
                            stack.append((node, passed, end, how | meaning))
                    elif not within and form.startswith(text[at:]):
                        yield (node.here if passed == len(node.rest) else []), node.best, size, how | meaning | PARTIAL
                continue
            child = node.by_character.get(text[at])
            if child is not None:
                stack.append((child, 0, at + 1, how))
            for end in range(at + 1, min(at + LONGEST_SYLLABLE, size) + 1):
                for meaning, below in node.by_form.get(text[at:end], ()):
                    # An initial at the very end is a syllable not typed to its end.
                    if text[end] in below.opens or (within and below.here) if end < size else not meaning & INITIALS:
                        stack.append((below, 0, end, how | meaning))
            if not within:
                for meaning, wholes, best in node.begun.get(text[at:], ()):
                    yield wholes, best, size, how | meaning


def _settle(root: _Node[_T], kept: int) -> None:
    """Note at every node the best items at it and below, and what each beginning of a syllable may lead to."""
    order: list[_Node[_T]] = []
    stack = [root]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(node.by_character.values())
    for node in reversed(order):
        node.best = _best([node.here, *(child.best for child in node.by_character.values())], kept)
        begun: dict[tuple[str, int], list[_Node[_T]]] = {}
        for form, ways in node.by_form.items():
            for how, child in ways:
                for end in range(1, 0 if how & INITIALS else len(form)):
                    begun.setdefault((form[:end], how & RARE), []).append(child)
        for (part, rare), children in begun.items():
            wholes = [pair for child in children if not child.rest for pair in child.here]
            best = _best([child.best for child in children], kept)
            node.begun.setdefault(part, []).append((rare | PARTIAL, wholes, best))


def _best(several: list[_Pairs[_T]], kept: int) -> _Pairs[_T]:
    """The `kept` best of all pairs, each item once."""
    once: dict[int, tuple[int, _T]] = {}
    for pair in sorted(chain.from_iterable(several), key=_rank):
        once.setdefault(id(pair[1]), pair)
    return list(islice(once.values(), kept))


def _rank(pair: tuple[int, object]) -> int:
    return pair[0]
