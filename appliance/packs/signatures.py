"""What flows may count on: the actions with their arguments and results, and the answers every pack must have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROWS = ("count", "rows", "names", "common", "distinct")
"""Names in the result of every action that reads a table, beside the columns of its first row."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What an action takes and gives; `dialogue.actions` implements each, and a test compares the two."""

    takes: tuple[str, ...]
    """Arguments it must get."""
    may_take: tuple[str, ...] = ()
    """Arguments it may get."""
    gives: tuple[str, ...] = ()
    """Names in its result."""
    reads_table: bool = False
    """True when its argument `table` names a table, whose columns are in its result, too."""
    acts: bool = False
    """True when it does something in the world; a flow must not ask after it, for it runs anew on every turn."""


ACTIONS: Mapping[str, Signature] = {
    "lookup": Signature(("table", "column"), ("value", "how"), ROWS, True),
    "search": Signature(("table", "text"), ("keys",), ROWS, True),
    "ticket": Signature(("queue",), (), ("number", "queue"), acts=True),
    "hand_over": Signature(("reason",), ("ticket",), ("reason",), acts=True),
    "age": Signature(("date",), (), ("days", "date")),
    "hours": Signature(("opens", "closes"), (), ("open", "now")),
    "tariff": Signature(("first", "more", "weight"), (), ("fee", "kilograms")),
}
"""Actions that a flow may do."""

POLICY_RESPONSES: Mapping[str, frozenset[str]] = {
    "cancelled": frozenset({"task"}),
    "switched": frozenset({"task"}),
    "resumed": frozenset({"task"}),
    "clarify": frozenset(),
    "clarify_one": frozenset({"task"}),
    "not_understood": frozenset(),
    "not_understood_again": frozenset(),
    "give_up": frozenset({"task"}),
    "confirm": frozenset({"value"}),
    "choose_again": frozenset(),
    "unreachable": frozenset(),
    "nothing_to_repeat": frozenset(),
    "not_heard": frozenset(),
    "not_caught": frozenset(),
    "heard_doubt": frozenset({"heard"}),
    "image_read": frozenset({"lines", "first"}),
    "image_partial": frozenset({"lines", "first"}),
    "image_empty": frozenset(),
}
"""Answers that every pack must have beside those of its flows, with the names they may use."""
