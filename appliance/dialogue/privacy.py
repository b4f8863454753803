"""What of a turn may be written down: values of personal types are masked wherever they stand, before they are logged.

The log's own redactor works on patterns; names and addresses have none, so what the parser has found is masked here.
The text of a photo is not logged at all: a waybill is somebody's name and address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.dialogue.tracker import Change, Filled
from appliance.language.redact import PERSONAL
from appliance.values import Entity

_DIGITS = 4
"""Digits from which a further detail of a personal value counts as personal, too."""

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
    return secrets


def _parts(kind: str, detail: Mapping[str, str]) -> Iterable[str]:
    # Province and city name nobody and tell a shop where its parcels go; the street does name somebody.
    if kind == "address":
        return [text for name, text in detail.items() if name not in ("province", "city", "district")]
    return [text for text in detail.values() if sum(character.isdigit() for character in text) >= _DIGITS]


def _secrets(kind: str, texts: Iterable[str]) -> dict[str, str]:
    # One character names nobody, and hiding it everywhere would make the record unreadable.
    return {text: mask(kind) for text in texts if len(text) > 1}


def scrub(value: Any, secrets: Secrets) -> Any:
    """The same JSON value with every secret replaced, the longest first."""
    ordered = sorted(secrets.items(), key=lambda item: -len(item[0]))
    return _scrubbed(value, ordered)


def _scrubbed(value: Any, secrets: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for secret, hidden in secrets:
            value = value.replace(secret, hidden)
        return value
    if isinstance(value, Mapping):
        return {key: _scrubbed(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(item, secrets) for item in value]
    return value


def loggable(changes: Iterable[Change], secrets: Secrets) -> list[tuple[str, Mapping[str, object]]]:
    """The changes as the event log takes them."""
    return [(change.kind, scrub(change.payload, secrets)) for change in changes]
