"""Proves at load time that flows, responses, tables and facts of a pack fit together.

Every name that a step, a condition or a phrasing uses must be known by then: a slot, the result of an earlier step, a
column of the table it read, or a key of facts.yaml.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from appliance.errors import PackInvalid
from appliance.packs.conditions import PATH
from appliance.packs.reader import Section
from appliance.packs.responses import Response
from appliance.packs.signatures import ACTIONS, POLICY_RESPONSES, ROWS, Signature
from appliance.packs.task import Flow, Slot, Step


@dataclass(frozen=True, slots=True)
class _Scope:
    """Names known at one point of a flow."""

    pack: str
    flow: Flow
    facts: Section | None
    results: dict[str, frozenset[str]] = field(default_factory=dict)

    def fail(self, line: int, expected: str, found: str) -> PackInvalid:
        return PackInvalid(f"{self.pack}/flows.yaml line {line} ({self.flow.name}): expected {expected}, got {found}")

    def knows(self, path: str, row: frozenset[str] = frozenset()) -> bool:
        root, _, rest = path.partition(".")
        if root == "facts":
            return _has(self.facts, rest)
        if root == "row" and row:
            return rest in row
        if root in self.results:
            known = self.results[root]
            group, _, column = rest.partition(".")
            return rest in known or (group in ("common", "distinct") and column in known)
        return any(slot.name == root for slot in self.flow.slots)

    def need(self, path: str, line: int, row: frozenset[str] = frozenset()) -> None:
        if not PATH.fullmatch(path) or not self.knows(path, row):
            known = (
                [slot.name for slot in self.flow.slots] + sorted(self.results) + ["facts"] + (["row"] if row else [])
            )
            raise self.fail(line, f"a name under {', '.join(known)}", repr(path))


def _has(facts: Section | None, path: str) -> bool:
    if facts is None or not path:
        return False
    here = facts
    for key in path.split("."):
        if not isinstance(here.node, yaml.MappingNode):
            return False
        inner = here.mapping()
        if key not in inner:
            return False
        here = inner[key]
    return isinstance(here.node, yaml.ScalarNode) or set(here.mapping()) == {"zh", "en"}


def localised_columns(columns: Collection[str]) -> frozenset[str]:
    """Columns as flows name them: `name` stands for `name_zh` and `name_en`."""
    bases = {column[:-3] for column in columns if column.endswith("_zh") and f"{column[:-3]}_en" in columns}
    return frozenset(columns) | bases


def check(
    pack: str,
    flows: Mapping[str, Flow],
    responses: Mapping[str, Response],
    columns: Mapping[str, tuple[str, ...]],
    facts: Section | None,
    actions: Mapping[str, Signature] = ACTIONS,
) -> None:
    """Raise PackInvalid for the first thing that does not fit. `columns` are those of each table."""
    _check_responses(pack, flows, responses, facts)
    for flow in flows.values():
        scope = _Scope(pack, flow, facts)
        for slot in flow.slots:
            _check_slot(scope, slot, responses)
        if flow.help:
            _check_response(scope, flow.help, flow.line, responses)
        acted = ""
        for step in flow.steps:
            _check_step(scope, step, responses, columns, actions)
            if step.do and actions[step.do].acts:
                acted = step.do
            if step.choose and acted:
                raise scope.fail(step.line, "choose before any step that acts in the world", f"it after {acted}")


def _check_responses(
    pack: str, flows: Mapping[str, Flow], responses: Mapping[str, Response], facts: Section | None
) -> None:
    for name, known in POLICY_RESPONSES.items():
        if name not in responses:
            raise PackInvalid(f"{pack}/responses.yaml: expected a response {name!r}, got none")
        strange = {path for path in responses[name].placeholders if path.partition(".")[0] != "facts"} - known
        if strange:
            at = f"{pack}/responses.yaml line {responses[name].line} ({name})"
            raise PackInvalid(f"{at}: expected only {sorted(known) or 'plain words'}, got {sorted(strange)}")
    for response in responses.values():
        for path in response.placeholders:
            root, _, rest = path.partition(".")
            if root == "facts" and not _has(facts, rest):
                at = f"{pack}/responses.yaml line {response.line} ({response.name})"
                raise PackInvalid(f"{at}: expected a key of facts.yaml, got {path!r}")
        for flow in response.suggest:
            if flow not in flows:
                at = f"{pack}/responses.yaml line {response.line} ({response.name})"
                raise PackInvalid(f"{at}: expected flows to suggest, got {flow!r}")


def _check_response(
    scope: _Scope, name: str, line: int, responses: Mapping[str, Response], row: frozenset[str] = frozenset()
) -> None:
    if name not in responses:
        raise scope.fail(line, "a response of responses.yaml", repr(name))
    for path in sorted(responses[name].placeholders):
        if not scope.knows(path, row):
            raise scope.fail(line, f"only known names in response {name}", f"{{{path}}}")


def _check_slot(scope: _Scope, slot: Slot, responses: Mapping[str, Response]) -> None:
    line = scope.flow.line
    if slot.name in ("facts", "row"):
        raise scope.fail(line, "another name for a slot", repr(slot.name))
    for name in (slot.ask, slot.again):
        if name:
            _check_response(scope, name, line, responses)
    if slot.ask == "" and (slot.again or slot.confirm != "never"):
        raise scope.fail(line, f"ask for slot {slot.name}, which has again or confirm", "none")
    for test in slot.when:
        for path in (test.path, *_references(test.values)):
            scope.need(path, line)


def _references(values: Collection[str]) -> Iterator[str]:
    return (value[1:] for value in values if value.startswith("$"))


def _check_step(
    scope: _Scope,
    step: Step,
    responses: Mapping[str, Response],
    columns: Mapping[str, tuple[str, ...]],
    actions: Mapping[str, Signature],
) -> None:
    for test in step.when:
        for path in (test.path, *_references(test.values)):
            scope.need(path, step.line)
    for path in (*_references(step.arguments.values()), *_references(step.data.values())):
        scope.need(path, step.line)
    if step.do:
        _check_action(scope, step, columns, actions)
    row = frozenset[str]()
    if step.each:
        row = _rows_of(scope, step, step.each)
    if step.say:
        _check_response(scope, step.say, step.line, responses, row)
    if step.choose:
        if not {"name_zh", "name_en"} <= _rows_of(scope, step, step.choose.rows):
            raise scope.fail(step.line, f"{step.choose.rows} to have columns name_zh and name_en", "neither or one")
        if not any(slot.name == step.choose.slot for slot in scope.flow.slots):
            raise scope.fail(step.line, "a slot of the flow to choose for", repr(step.choose.slot))
        _check_response(scope, step.choose.ask, step.line, responses)


def _rows_of(scope: _Scope, step: Step, name: str) -> frozenset[str]:
    known = scope.results.get(name, frozenset())
    if "rows" not in known:
        raise scope.fail(step.line, "the name of an earlier lookup or search", repr(name))
    return known - frozenset(ROWS)


def _check_action(
    scope: _Scope, step: Step, columns: Mapping[str, tuple[str, ...]], actions: Mapping[str, Signature]
) -> None:
    if step.do not in actions:
        raise scope.fail(step.line, f"an action ({', '.join(sorted(actions))})", repr(step.do))
    signature = actions[step.do]
    for argument in signature.takes:
        if argument not in step.arguments:
            raise scope.fail(step.line, f"{step.do} with {argument}", "none")
    for argument in step.arguments:
        if argument not in signature.takes + signature.may_take:
            raise scope.fail(
                step.line, f"{step.do} with {', '.join(signature.takes + signature.may_take)}", repr(argument)
            )
    known = frozenset((*signature.gives, "ok"))
    if signature.reads_table:
        table = step.arguments["table"]
        if table not in columns:
            raise scope.fail(step.line, f"a table ({', '.join(sorted(columns))})", repr(table))
        taken = sorted(known & set(columns[table]))
        if taken:
            raise scope.fail(step.line, f"columns of {table}.csv other than {', '.join(sorted(known))}", taken[0])
        if "column" in step.arguments and step.arguments["column"] not in localised_columns(columns[table]):
            raise scope.fail(step.line, f"a column of {table}.csv", repr(step.arguments["column"]))
        known |= localised_columns(columns[table])
    if step.name in scope.results and scope.results[step.name] != known:
        raise scope.fail(step.line, f"one kind of result under the name {step.name}", "two")
    if any(slot.name == step.name for slot in scope.flow.slots) or step.name in ("facts", "row"):
        raise scope.fail(step.line, "a result name that is not a slot's", repr(step.name))
    scope.results[step.name] = known
