"""The form in which sentences are compared: no punctuation, entities as one mark each, positions remembered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.language.candidates import Candidate
from appliance.language.templates import Slots

_SILENT = frozenset("'\"")


@dataclass(frozen=True, slots=True)
class Flat:
    """A sentence ready to compare."""

    text: str
    """Letters, digits, single spaces between Latin words, and marks for entities."""
    positions: tuple[tuple[int, int], ...]
    """For every character, its span in the cleaned text."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Span in the cleaned text of `text[start:end]`, which must not be empty."""
        return self.positions[start][0], self.positions[end - 1][1]


def flatten(text: str, entities: Iterable[Candidate] = (), slots: Slots | None = None) -> Flat:
    """Flatten a cleaned text; `entities` (none overlapping) become their type's mark."""
    starts = {entity.start: entity for entity in entities}
    characters: list[str] = []
    positions: list[tuple[int, int]] = []
    gap: tuple[int, int] | None = None
    index = 0
    while index < len(text):
        entity = starts.get(index)
        if entity is not None and slots is not None:
            character, end = slots.mark(entity.type), entity.end
        else:
            character, end = text[index], index + 1
        if character.isalnum() or character >= "\ue000":
            if gap and characters and _latin(characters[-1]) and _latin(character):
                characters.append(" ")
                positions.append(gap)
            gap = None
            characters.append(character)
            positions.append((index, end))
        elif character not in _SILENT:
            gap = (index, end)
        index = end
    return Flat("".join(characters), tuple(positions))


def _latin(character: str) -> bool:
    return character < "\u3000" and character.isalnum()
