"""Runs a flow: from what is known to the next question, or to its answer.

A flow is a function of its slots. It runs from its first step on every turn; actions are idempotent by key, so that
running it again repeats nothing. Thus no position has to be kept, and a session can be rebuilt from its events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.dialogue.actions import Result
from appliance.dialogue.scope import Scope
from appliance.dialogue.tracker import Change, Filled
from appliance.packs.conditions import holds, resolve
from appliance.packs.task import Flow, Slot, Step

Run = Callable[[str, Mapping[str, object], str], Result]
"""Runs an action: its name, its arguments, and the part of its idempotency key that names the step."""


@dataclass(frozen=True, slots=True)
class Line:
    """One response to say, with the scope in which its names have values."""

    response: str
    """Name of the response."""
    scope: Scope
    """Where its names are looked up."""
    item: bool = False
    """True for an entry of a list, which stands on a line of its own."""


@dataclass(frozen=True, slots=True)
class Question:
    """The flow needs to know something."""

    slot: str
    """The slot that it asks for."""
    how: str
    """`slot`, `confirm` or `choose`."""
    line: Line
    """The words that ask."""
    choices: tuple[Mapping[str, str], ...] = ()
    """Rows to choose from: `key`, `zh`, `en`."""


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a flow has come."""

    lines: tuple[Line, ...] = ()
    """What it says, in order."""
    question: Question | None = None
    """What it asks; None when it has ended."""
    outcome: str = "resolved"
    """How it ended."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Structured facts of the steps that ran."""
    changes: tuple[Change, ...] = ()
    """What its actions did."""
    durable: bool = False
    """True when an action promised something that must survive a power cut."""


def advance(flow: Flow, scope: Scope, skipped: tuple[str, ...], run: Run) -> Advance:
    """Ask for the first slot that is missing or unconfirmed, or run the steps."""
    question = missing(flow, scope, skipped)
    if question is not None:
        return Advance(question=question)
    return _steps(flow, scope, run)


def missing(flow: Flow, scope: Scope, skipped: tuple[str, ...]) -> Question | None:
    """The question for the first slot that is missing or unconfirmed, or None."""
    for slot in flow.slots:
        if not holds(slot.when, scope.look):
            continue
        filled = scope.slots.get(slot.name)
        if filled is None:
            if slot.ask and slot.name not in skipped:
                return Question(slot.name, "slot", Line(slot.ask, scope))
        elif _unconfirmed(slot, filled):
            label = scope.look(f"{slot.name}.label")
            return Question(slot.name, "confirm", Line("confirm", scope.plus(value=label)))
    return None


def _unconfirmed(slot: Slot, filled: Filled) -> bool:
    wanted = slot.confirm == "always" or (slot.confirm == "unsure" and not filled.sure)
    return not filled.confirmed and (wanted or filled.partial)


def _steps(flow: Flow, scope: Scope, run: Run) -> Advance:
    lines: list[Line] = []
    data: dict[str, Any] = {}
    changes: list[Change] = []
    durable = False
    for index, step in enumerate(flow.steps):
        if not holds(step.when, scope.look):
            continue
        if step.do:
            arguments = {name: resolve(text, scope.look) for name, text in step.arguments.items()}
            result = run(step.do, arguments, f"{flow.name}/{index}")
            if not result.ok:
                changes.append(Change("action_failed", {"action": step.do, "error": result.error}))
                lines.append(Line("unreachable", scope))
                return Advance(tuple(lines), None, "handed_over", data, tuple(changes), durable)
            scope = scope.plus(**{step.name: {**result.values, "ok": True}})
            changes += result.changes
            durable = durable or result.durable
        elif step.choose:
            choices = _choices(step, scope)
            if choices:
                line = Line(step.choose.ask, scope)
                question = Question(step.choose.slot, "choose", line, choices)
                return Advance(tuple(lines), question, "", data, tuple(changes), durable)
        elif step.say:
            lines += [Line(step.say, each, bool(step.each)) for each in _each(step, scope)]
        data.update({name: _plain(resolve(text, scope.look)) for name, text in step.data.items()})
        if step.end:
            return Advance(tuple(lines), None, step.end, data, tuple(changes), durable)
    return Advance(tuple(lines), None, "resolved", data, tuple(changes), durable)


def _rows(name: str, scope: Scope, limit: int) -> list[Mapping[str, str]]:
    rows = scope.look(f"{name}.rows")
    return list(rows)[:limit] if isinstance(rows, tuple) else []


def _each(step: Step, scope: Scope) -> list[Scope]:
    return [scope.plus(row=row) for row in _rows(step.each, scope, step.limit)] if step.each else [scope]


def _choices(step: Step, scope: Scope) -> tuple[Mapping[str, str], ...]:
    rows = _rows(step.choose.rows, scope, step.limit) if step.choose else []
    return tuple({"key": next(iter(row.values())), "zh": row["name_zh"], "en": row["name_en"]} for row in rows)


def _plain(value: object) -> object:
    """A value as JSON: rows become lists."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
