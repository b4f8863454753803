"""Names that a recogniser misheard, put right by their sound: 园通快递 is 圆通快递, 福萝卜 is 胡萝卜.

For the words of a recogniser alone: whoever types 平果 has the finders of `gazetteer`. There a likeness becomes an
entity; here the text itself is put right, so that templates and networks read the name that they know. The gazetteer
folds z/zh, n/l and in/ing; here count f/h, an/ang and what a recogniser mixes up in noise, too, and names of carriers,
which are no entities. One character stands for one syllable, so the text keeps its length and every position its time.

A text that means something already is not changed: not where a listed name or an ordinary word stands, not where the
wrong character belongs to a word that reaches out of the name, not where two names are equally near.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from appliance.language.clean import is_han
from appliance.language.phrases import LONGEST
from appliance.language.sounds import Sounds, apart, classes

_LIMITS = {2: (0.2, 0.2), 3: (0.4, 0.2), 4: (0.6, 0.4)}
"""Greatest distance of a name by its length, and of one of its syllables; longer names are as those of four."""

_COMMON = frozenset(
    "太零两半点们里的了吗呢吧啊是在有我你您他她它这那哪来去要不没和跟就都也还又把被给到个一二两三四五六七八九十几多少什么怎好很"
)
"""Characters that are hardly ever a misheard part of a name of two or three."""

_TWICE = frozenset("长重行乐调薄便盛朝壳藏量")
"""Characters that names read in more than one way; all others are read in their usual one."""


@dataclass(frozen=True, slots=True)
class Change:
    """A name that was put right."""

    start: int
    """First character, in both texts."""
    end: int
    """One past the last character."""
    said: str
    """What the recogniser wrote."""
    meant: str
    """The name."""
    distance: float
    """Sum of the distances of its syllables; 0 for the very sounds."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A text with its names put right, as long as it was."""

    text: str
    """The text."""
    changes: tuple[Change, ...] = ()
    """What was changed, in order of position."""


class Names:
    """Listed names, found by sound. Thread-safe: nothing is changed after construction."""

    def __init__(
        self,
        names: Iterable[str],
        words: Container[str],
        *,
        once: Container[str] = frozenset(),
        before: str = "$",
        after: str = "",
        sounds: Sounds | None = None,
    ) -> None:
        """Index the `names` of two Chinese characters or more; what stands in `words` is never changed into one.

        What was seen `once` may be an example of a misheard name, if it sounds just like it with one wrong character.
        Two characters are too few to be told from any others, so a name of two is put right only between what `before`
        and `after` match: the pack's `single_before` and `single_after`, regular expressions for the end of the text in
        front of it and for the beginning of the text behind it.
        """
        self._sounds = sounds or Sounds()
        self._class = classes()
        self._words, self._once = words, once
        self._before, self._after = re.compile(before), re.compile(after)
        names = frozenset(names)
        kept = {
            name
            for name in names
            if len(name) >= 2 and "的" not in name and all(is_han(c) and self._sounds.of(c) for c in name)
        }
        self._names = frozenset(name for name in names if len(name) >= 2)
        self._lengths = tuple(sorted({len(name) for name in kept}, reverse=True))
        self._said = tuple(sorted({len(name) for name in self._names}, reverse=True))
        self._index: dict[tuple[str, ...], list[str]] = {}
        for name in sorted(kept):
            ways = itertools.product(*(self._readings(character) for character in name))
            for key in {tuple(map(self._class, way)) for way in ways}:
                self._index.setdefault(key, []).append(name)

    def correct(self, text: str, spared: Iterable[tuple[int, int]] = ()) -> Corrected:
        """`text` with misheard names put right; nothing inside the spans `spared` (a person, an address) is touched."""
        taken = bytearray(len(text))
        for start, end in [*spared, *self._exact(text)]:
            taken[start:end] = b"\x01" * (end - start)
        found = sorted(self._found(text, taken), key=lambda c: (c.start - c.end, c.distance, c.start))
        chosen: list[Change] = []
        for change in found:
            if not any(change.start < other.end and other.start < change.end for other in chosen):
                chosen.append(change)
        chosen.sort(key=lambda change: change.start)
        for change in chosen:
            text = text[: change.start] + change.meant + text[change.end :]
        return Corrected(text, tuple(chosen))

    def _readings(self, character: str) -> tuple[str, ...]:
        return self._sounds.of(character)[: None if character in _TWICE else 1]

    def _exact(self, text: str) -> Iterator[tuple[int, int]]:
        for size in self._said:
            for start in range(len(text) - size + 1):
                if text[start : start + size] in self._names:
                    yield start, start + size

    def _found(self, text: str, taken: bytearray) -> Iterator[Change]:
        keys = [self._class(readings[0]) if (readings := self._sounds.of(character)) else "" for character in text]
        for size in self._lengths:
            for start in range(len(text) - size + 1):
                end = start + size
                names = self._index.get(tuple(keys[start:end]), ())
                near = [change for name in names if (change := self._change(text, start, end, name, taken))]
                if near:
                    least = min(change.distance for change in near)
                    best = [change for change in near if change.distance == least]
                    if len(best) == 1:  # of two names equally near, nobody knows which
                        yield best[0]

    def _change(self, text: str, start: int, end: int, name: str, taken: bytearray) -> Change | None:
        said, size = text[start:end], end - start
        wrong = [start + at for at, (one, other) in enumerate(zip(said, name, strict=True)) if one != other]
        if not wrong or any(taken[at] for at in wrong) or said in self._words:
            return None
        most, each = _LIMITS[min(size, 4)]
        apart_each = [
            min(
                apart(one, other) for one in self._sounds.of(text[at])[:1] for other in self._readings(name[at - start])
            )
            for at in wrong
        ]
        distance = round(sum(apart_each), 2)
        if said in self._once and (distance or len(wrong) > 1 or size == 2):
            return None
        if distance > most or max(apart_each) > each or (len(wrong) == size and (size < 4 or distance)):
            return None
        if size <= 3 and not self._alone(text, start, end, wrong, distance, taken):
            return None
        return Change(start, end, said, name, distance)

    def _alone(self, text: str, start: int, end: int, wrong: list[int], distance: float, taken: bytearray) -> bool:
        """True when a short name is all that the characters can be: none of the wrong ones belongs to another word."""
        if any(self._belongs(text, at, start, end) for at in wrong):
            return False
        common = [at for at in wrong if text[at] in _COMMON]
        if common and (distance or any(at in (start, end - 1) for at in common)):
            return False
        if end - start == 2:
            return bool(self._before.search(text[:start]) and self._after.search(text[end:]))
        return sum(taken[start:end]) < 2  # 牛奶 in 两箱牛奶 is said already, and no 鲜牛奶

    def _belongs(self, text: str, at: int, start: int, end: int) -> bool:
        """True when the character `at` is part of an ordinary word that reaches out of the name."""
        for size in range(2, LONGEST + 1):
            for low in range(max(0, at - size + 1), min(at, len(text) - size) + 1):
                if (low < start or low + size > end) and text[low : low + size] in self._words:
                    return True
        return False
