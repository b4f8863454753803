"""What names mean while a flow runs: slots, results of actions, facts, and the row of a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.dialogue.tracker import Filled
from appliance.packs.conditions import words
from appliance.packs.responses import Response, fill
from appliance.packs.task import Flow

_WHOLE = re.compile(r"(?<=\d)\.0+$")


@dataclass(frozen=True, slots=True)
class Scope:
    """Finds the value of a dotted name, in the language of the turn."""

    flow: Flow | None
    """Flow whose options give slots their words."""
    language: str
    """`zh` or `en`."""
    facts: Mapping[str, Any]
    """facts.yaml."""
    slots: Mapping[str, Filled] = field(default_factory=dict)
    """Filled slots."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """Results of actions by name, `row` among them inside a list; plain values for the policy's own answers."""

    def look(self, path: str) -> object:
        """The value, or None. A slot is its value, `slot.keys` and the like are its detail, `slot.label` its words,
        `slot.said` the customer's."""
        root, _, rest = path.partition(".")
        if root == "facts":
            return self._inside(self.facts, rest)
        if root in self.results:
            return self._inside(self.results[root], rest)
        if root in self.slots:
            return self._of_slot(root, self.slots[root], rest)
        return None

    def say(self, response: Response, turn: int) -> str:
        """The response in words."""
        return fill(response.phrase(self.language, turn), lambda path: _shown(self.look(path)))

    def plus(self, **results: Any) -> Scope:
        """The same scope with further results."""
        return replace(self, results={**self.results, **results})

    def _of_slot(self, name: str, filled: Filled, rest: str) -> object:
        if not rest:
            return filled.value
        if rest == "label":
            return self._label(name, filled)
        if rest == "said":
            return filled.said or filled.value
        return filled.detail.get(rest)

    def _label(self, name: str, filled: Filled) -> str:
        options = self.flow.slot(name).options if self.flow else ()
        for option in options:
            if option.value == filled.value:
                return option.label.said_in(self.language)
        if filled.type == "row":
            return filled.detail.get(self.language, filled.value)
        if self.language == "en" and not filled.value.isascii():
            return filled.detail.get("name_en", filled.said or filled.value)
        return filled.value

    def _inside(self, value: Any, path: str) -> object:
        for key in path.split(".") if path else ():
            if not isinstance(value, Mapping):
                return None
            localised = f"{key}_{self.language}"
            value = value.get(key, value.get(localised))
        if isinstance(value, Mapping) and set(value) == {"zh", "en"}:
            return value[self.language]
        return value


def _shown(value: object) -> str:
    """A value as people write it: 69 for the 69.0 that a table holds."""
    return _WHOLE.sub("", words(value))
