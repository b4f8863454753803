"""The hash chain of the event log: canonical bytes of an event, its sha256, and the check of a run of events.

The chain carries no secret: it shows damage, edits, insertions and removals inside the log. Someone who may write the
file can rebuild all of it, so a report that must hold against its owner keeps `EventLog.head()` somewhere else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

GENESIS = "0" * 64
"""What the first event names as the hash before it."""

_LONG_NUMBER = 10**8
"""Whole numbers from here on have nine digits or more and could be a phone or an order: redacted like text."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a session."""

    session: str
    """Log identifier of the session: derived from its name, which cannot be found from it."""
    sequence: int
    """Position in the whole log, from 1; 0 while the event waits in memory for the database."""
    time: float
    """Seconds since 1970, UTC."""
    kind: str
    """What happened, for example `turn` or `slot_filled`."""
    payload: Mapping[str, object]
    """Particulars, JSON types only, redacted."""
    previous: str
    """Hash of the event before; empty while waiting."""
    hash: str
    """Hash of this event; empty while waiting."""


def log_id(session: str) -> str:
    """Identifier under which a session is logged: 128 bits of sha256 over its unguessable name.

    The name itself opens the session, so it must not be readable in a log; a name of 144 random bits cannot be
    searched for from its hash.
    """
    return hashlib.sha256(b"appliance session\0" + session.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def digest(previous: str, session: str, sequence: int, time: float, kind: str, payload: str) -> str:
    """Hash of one event: sha256 over a JSON array of its fields, the payload as the text that is stored."""
    line = json.dumps([previous, session, sequence, time, kind, payload], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(line.encode("ascii")).hexdigest()


def redacted(value: object, redact: Callable[[str], str]) -> object:
    """The same JSON value with every text, and every whole number of nine digits or more, passed through `redact`."""
    if isinstance(value, str):
        # A lone surrogate (half an emoji) is legal in a Python string and in JSON, and cannot be stored as UTF-8.
        return redact(value.encode("utf-8", "replace").decode("utf-8"))
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) < _LONG_NUMBER:
            return value
        text = redact(str(value))
        return value if text == str(value) else text
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {redact(str(key)): redacted(inner, redact) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner, redact) for inner in value]
    return redact(str(value))


def canonical(payload: Mapping[str, object]) -> str:
    """The payload as it is stored and hashed."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def first_broken(
    rows: Iterable[tuple[str, int, float, str, str, str, str]], after: int = 0, previous: str = GENESIS
) -> int | None:
    """Sequence of the first event that does not follow from the one before, or None when all do.

    `rows` are (session, sequence, time, kind, payload text, previous, hash) in order; the first must follow event
    `after` with hash `previous`. A missing event is named by the sequence that is missing.
    """
    for session, sequence, time, kind, payload, named, found in rows:
        if sequence != after + 1:
            return after + 1
        if named != previous or digest(previous, session, sequence, time, kind, payload) != found:
            return int(sequence)
        after, previous = sequence, found
    return None
