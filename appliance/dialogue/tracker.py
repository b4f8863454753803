"""The state of a customer session as a fold over its events: `apply(state, event)` is all that ever changes it.

The same fold over the event log rebuilds a session, with masks where the log has masked something personal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

PRIVATE = "private"
"""Detail of a value that keeps a turn's own words, where the turn held something personal: the type of that."""


class Happened(Protocol):
    """What `apply` reads of an event; `records.chain.Event` is one."""

    @property
    def kind(self) -> str:
        """What happened."""

    @property
    def payload(self) -> Mapping[str, Any]:
        """Particulars, JSON types only."""


@dataclass(frozen=True, slots=True)
class Change:
    """An event as the policy makes it, before it is logged."""

    kind: str
    """What happened."""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """Particulars, JSON types only."""


@dataclass(frozen=True, slots=True)
class Filled:
    """The value of a slot."""

    value: str
    """Normalised value."""
    type: str
    """Entity type, `option`, `yes_no`, `text` or `row`."""
    said: str = ""
    """The words that gave it."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """What is known with it, for example `keys` of table rows or the `carrier` of a tracking number."""
    sure: bool = True
    """False when it was heard, read in a photo or found with little confidence."""
    confirmed: bool = False
    """True once the customer has said that it is right."""
    partial: bool = False
    """True when it comes from a photo that was not read to its end: what says otherwise may stand in the rest."""

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        detail = dict(self.detail)
        known = {"value": self.value, "type": self.type, "said": self.said, "detail": detail, "sure": self.sure}
        return known | ({"partial": True} if self.partial else {})


@dataclass(frozen=True, slots=True)
class Said:
    """The last answer, for `repeat`."""

    text: str
    """Its words."""
    suggestions: tuple[Mapping[str, Any], ...] = ()
    """Its suggestions as JSON."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Its data."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything known in a session."""

    language: str = "zh"
    """`zh` or `en`, of the last turn."""
    turns: int = 0
    """Turns so far."""
    task: str = ""
    """Flow in progress; empty when none waits for an answer."""
    tasks: int = 0
    """Flows begun so far; part of idempotency keys."""
    slots: Mapping[str, Filled] = field(default_factory=dict)
    """Slots filled in the task."""
    skipped: tuple[str, ...] = ()
    """Slots of the task that the customer could not fill."""
    asked: str = ""
    """Slot that the kiosk waits for."""
    asking: str = ""
    """How: `slot`, `confirm` or `choose`."""
    choices: tuple[Mapping[str, str], ...] = ()
    """Rows offered with `choose`: `key`, `zh`, `en`."""
    attempts: int = 0
    """Answers to the asked slot that did not fit."""
    misses: int = 0
    """Turns in a row that were not understood."""
    unheard: int = 0
    """Times in a row that the customer was asked to say it again."""
    doubted: str = ""
    """Words that the kiosk has just asked about, because they may have been misheard; a plain yes means them."""
    offered: str = ""
    """Intent that the kiosk has just asked about; a plain yes means it."""
    memory: Mapping[str, Filled] = field(default_factory=dict)
    """What later tasks may recall, by name."""
    said: Said | None = None
    """The last answer."""
    outcome: str = ""
    """Outcome of the last turn."""
    ended: bool = False
    """True once the session has been ended or forgotten."""


def read_filled(payload: Mapping[str, Any]) -> Filled:
    """A value from its JSON."""
    detail = {str(name): str(value) for name, value in payload["detail"].items()}
    return Filled(
        str(payload["value"]),
        str(payload["type"]),
        str(payload["said"]),
        detail,
        bool(payload["sure"]),
        partial=bool(payload.get("partial", False)),
    )


def _without(slots: Mapping[str, Filled], name: str) -> dict[str, Filled]:
    return {other: filled for other, filled in slots.items() if other != name}


_IDLE: dict[str, Any] = {
    "task": "",
    "slots": {},
    "skipped": (),
    "asked": "",
    "asking": "",
    "choices": (),
    "attempts": 0,
}


def apply(state: SessionState, event: Happened) -> SessionState:
    """The state after `event`. Pure; an event of an unknown kind changes nothing, so that old logs stay readable."""
    p = event.payload
    match event.kind:
        case "opened":
            return replace(state, language=p["language"])
        case "turn":
            # A photo has questions of its own: a yes behind it means those.
            doubted = "" if p.get("source") == "image" else state.doubted
            return replace(state, language=p["language"], turns=state.turns + 1, doubted=doubted)
        case "task_started":
            return replace(state, **{**_IDLE, "task": p["task"]}, tasks=state.tasks + 1)
        case "slot_filled":
            return replace(
                state,
                slots={**state.slots, p["slot"]: read_filled(p)},
                skipped=tuple(name for name in state.skipped if name != p["slot"]),
                attempts=0,
            )
        case "slot_confirmed":
            confirmed = replace(state.slots[p["slot"]], confirmed=True)
            return replace(state, slots={**state.slots, p["slot"]: confirmed}, attempts=0)
        case "slot_cleared":
            return replace(state, slots=_without(state.slots, p["slot"]), attempts=state.attempts + 1)
        case "slot_skipped":
            return replace(state, skipped=(*state.skipped, p["slot"]), attempts=0)
        case "slot_missed":
            return replace(state, attempts=state.attempts + 1)
        case "asked":
            fresh = (p["slot"], p["how"]) != (state.asked, state.asking)
            attempts = 0 if fresh and not p.get("again") else state.attempts
            return replace(state, asked=p["slot"], asking=p["how"], choices=tuple(p["choices"]), attempts=attempts)
        case "task_ended":
            return replace(state, **_IDLE)
        case "remembered":
            return replace(state, memory={**state.memory, p["name"]: read_filled(p)})
        case "answered":
            return replace(state, said=Said(p["text"], tuple(p["suggestions"]), p["data"]), offered=p["offered"])
        case "not_caught":
            return replace(state, unheard=state.unheard + 1, doubted=p["text"])
        case "caught":
            return replace(state, unheard=0, doubted="")
        case "outcome":
            missed = p["outcome"] == "not_understood"
            return replace(state, outcome=p["outcome"], misses=state.misses + 1 if missed else 0)
        case "ended":
            return SessionState(ended=True)
    return state


def rebuild(events: Iterable[Happened]) -> SessionState:
    """The state after all `events`."""
    state = SessionState()
    for event in events:
        state = apply(state, event)
    return state
