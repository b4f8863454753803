"""Mini-conditions of flows.yaml: a mapping from a dotted name to a test; all must hold. No expressions, no eval.

    when: {found.count: 1}                          equal, as text or as number
    when: {kind: [return, exchange]}                one of
    when: {age.days: {max: $facts.returns.days}}    at most; `min` at least, `over` more than; they may stand together
    when: {item.promotion: {exists: true}}          known and not empty
    when: {parcel.state: {not: [lost, returned]}}   none of

A value that begins with `$` names another value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from appliance.packs.reader import Section

Look = Callable[[str], object]
"""Value of a dotted name, or None."""

PATH = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z0-9_]+)*")
_OPERATORS = ("min", "max", "over", "not", "exists")


@dataclass(frozen=True, slots=True)
class Test:
    """One thing that must hold."""

    __test__ = False  # not a test of pytest's
    path: str
    """Dotted name of the value tested."""
    operator: str
    """`in`, `not`, `min`, `max`, `over` or `exists`."""
    values: tuple[str, ...]
    """What it is compared with; `$name` stands for another value."""


def words(value: object) -> str:
    """A value as text: whole numbers without a point, nothing as empty text, yes and no as `true` and `false`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def number(value: object) -> float | None:
    """A value as a number, or None where it is not one."""
    try:
        return float(words(value))
    except ValueError:
        return None


def resolve(text: str, look: Look) -> object:
    """The value behind `$name`, or the text itself."""
    return look(text[1:]) if text.startswith("$") else text


def holds(tests: tuple[Test, ...], look: Look) -> bool:
    """True when every test holds; a comparison of what is unknown or not a number does not hold."""
    return all(_holds(test, look) for test in tests)


def _holds(test: Test, look: Look) -> bool:
    value = look(test.path)
    if test.operator == "exists":
        return bool(words(value)) == (test.values[0] == "true")
    against = [resolve(text, look) for text in test.values]
    if test.operator in ("in", "not"):
        found = any(_same(value, other) for other in against)
        return found == (test.operator == "in")
    left, right = number(value), number(against[0])
    if left is None or right is None:
        return False
    if test.operator == "over":
        return left > right
    return left >= right if test.operator == "min" else left <= right


def _same(left: object, right: object) -> bool:
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one == other
    return words(left) == words(right)


def read_tests(section: Section) -> tuple[Test, ...]:
    """Parse the mapping under `when`."""
    tests: list[Test] = []
    for path, inner in section.mapping().items():
        if not PATH.fullmatch(path):
            raise inner.fail("a dotted name", repr(path))
        if isinstance(inner.node, yaml.MappingNode):
            for operator, item in inner.mapping(_OPERATORS).items():
                if operator == "exists":
                    tests.append(Test(path, operator, ("true" if item.flag() else "false",)))
                else:
                    values = item.texts() if isinstance(item.node, yaml.SequenceNode) else (item.text(),)
                    tests.append(Test(path, operator, values))
        else:
            values = inner.texts() if isinstance(inner.node, yaml.SequenceNode) else (inner.text(),)
            tests.append(Test(path, "in", values))
    return tuple(tests)
