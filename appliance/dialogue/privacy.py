"""What of a turn may be written down: values of personal types are masked wherever they stand, before they are logged.

The log's own redactor works on patterns; names and addresses have none, so what the parser has found is masked here.
The text of a photo is not logged at all: a waybill is somebody's name and address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from appliance.dialogue.tracker import PRIVATE, Change, Filled, read_filled
from appliance.language.redact import PERSONAL
from appliance.values import Entity

_DIGITS = 4
"""Digits from which a further detail of a personal value counts as personal, too."""

_WORD = re.compile(r"[A-Za-z0-9_]")

Secrets = Mapping[str, str]
"""Text to hide, and the mask to put in its place."""


def mask(kind: str) -> str:
    """What stands for a hidden value of this type."""
    return f"[{kind}]"


def of_entities(entities: Iterable[Entity]) -> dict[str, str]:
    """Secrets among entities: value, words and parts."""
    secrets: dict[str, str] = {}
    for entity in entities:
        if entity.type in PERSONAL:
            secrets.update(_secrets(entity.type, (entity.value, entity.text, *_parts(entity.type, entity.detail))))
    return secrets


def of_slots(slots: Iterable[Filled]) -> dict[str, str]:
    """Secrets among filled slots."""
    secrets: dict[str, str] = {}
    for filled in slots:
        if filled.type in PERSONAL:
            secrets.update(_secrets(filled.type, (filled.value, filled.said, *_parts(filled.type, filled.detail))))
        elif PRIVATE in filled.detail:
            # A free text is its own value; an option's or a row's is not the customer's.
            words = (filled.value, filled.said) if filled.type == "text" else (filled.said,)
            secrets.update(_secrets(filled.detail[PRIVATE], words))
    return secrets


def of_changes(changes: Iterable[Change]) -> dict[str, str]:
    """Secrets among slots that were filled, those included that are gone again by the end of the turn."""
    return of_slots(read_filled(c.payload) for c in changes if c.kind in ("slot_filled", "remembered"))


def _parts(kind: str, detail: Mapping[str, str]) -> Iterable[str]:
    # Province and city name nobody and tell a shop where its parcels go; the street does name somebody.
    if kind == "address":
        return [text for name, text in detail.items() if name not in ("province", "city", "district")]
    return [text for text in detail.values() if sum(character.isdigit() for character in text) >= _DIGITS]


def _secrets(kind: str, texts: Iterable[str]) -> dict[str, str]:
    # One character names nobody, and hiding it everywhere would make the record unreadable.
    return {text: mask(kind) for text in texts if len(text) > 1}


def scrub(value: Any, secrets: Secrets) -> Any:
    """The same JSON value with every secret replaced, in upper or lower case; where secrets overlap, all they cover."""
    ordered = sorted(secrets.items(), key=lambda item: -len(item[0]))
    return _scrubbed(value, [(secret, hidden) for secret, hidden in ordered if secret])


def _spans(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """As it was written anywhere, and in any case as words of its own: Li is not in facility, which names a task.

    No regular expression is made of a secret: `re` keeps the last 512, and so the names and numbers of customers who
    have long been forgotten.
    """
    size = len(secret)
    start = text.find(secret)
    while start >= 0:
        yield start, start + size
        start = text.find(secret, start + size)
    level, wanted = _level(text), _level(secret)
    start = level.find(wanted)
    while start >= 0:
        end = start + size
        joined = (start > 0 and _WORD.match(wanted[0]) and _WORD.match(level[start - 1])) or (
            end < len(level) and _WORD.match(wanted[-1]) and _WORD.match(level[end])
        )
        if not joined:
            yield start, end
        start = level.find(wanted, start + 1 if joined else end)


def _level(text: str) -> str:
    """Lower case, character for character: a few (İ) would become two."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def _covered(text: str, secrets: Sequence[tuple[str, str]]) -> str:
    """The text without what the secrets cover together, under the mask of the longest: the rest of one is no rest."""
    found = [(*span, hidden) for secret, hidden in secrets for span in _spans(text, secret)]
    merged: list[tuple[int, int, int, str]] = []
    for start, end, hidden in sorted(found, key=lambda item: item[0]):
        if merged and start < merged[-1][1]:
            first, last, longest, named = merged[-1]
            longer = end - start > longest
            merged[-1] = (first, max(last, end), max(longest, end - start), hidden if longer else named)
        else:
            merged.append((start, end, end - start, hidden))
    for start, end, _, hidden in reversed(merged):
        text = text[:start] + hidden + text[end:]
    return text


def _scrubbed(value: Any, secrets: Sequence[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        return _covered(value, secrets)
    if isinstance(value, Mapping):
        return {key: _scrubbed(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(item, secrets) for item in value]
    return value


def loggable(changes: Iterable[Change], secrets: Secrets) -> list[tuple[str, Mapping[str, object]]]:
    """The changes as the event log takes them."""
    return [(change.kind, _hidden(change.kind, scrub(change.payload, secrets))) for change in changes]


def _hidden(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A private free text is masked altogether, whatever in it was known to be personal."""
    if kind in ("slot_filled", "remembered") and payload["type"] == "text" and PRIVATE in payload["detail"]:
        hidden = mask(payload["detail"][PRIVATE])
        return {**payload, "value": hidden, "said": hidden}
    return payload
