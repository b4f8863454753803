"""Errors: each has a code of its own, a status, and both languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import appliance
from appliance.errors import ERRORS, IN_VAIN, ApplianceError, DeadlineExceeded, InvalidInput, Overloaded


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_speaks_both_languages(code: str) -> None:
    error = ERRORS[code]("expected x, got y")
    chinese, english = error.message.split(" / ", 1)
    assert any("一" <= character <= "鿿" for character in chinese)
    assert english == "expected x, got y"
    assert " / " in error.remedy
    assert 400 <= error.status <= 503


def test_codes_are_unique_among_errors_that_reach_a_channel() -> None:
    def all_classes(cls: type[ApplianceError]) -> list[type[ApplianceError]]:
        return [cls, *(deeper for sub in cls.__subclasses__() for deeper in all_classes(sub))]

    for cls in all_classes(ApplianceError):
        assert cls.code in ERRORS
        assert cls.status == ERRORS[cls.code].status


def test_an_instance_gives_its_own_remedy_and_wait() -> None:
    error = InvalidInput("text: too long", remedy=("请写短些", "Send less"))
    assert error.remedy == "请写短些 / Send less"
    assert error.account == "输入无效 → 请写短些 / text: too long → Send less"
    assert str(error) == "text: too long"
    assert Overloaded("full", retry_after=3).retry_after == 3


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (Overloaded("full", retry_after=2.1), 3),
        (Overloaded("full", retry_after=0.0), 1),
        (Overloaded("full"), 1),
        (DeadlineExceeded("late", retry_after=IN_VAIN), None),
        (InvalidInput("no"), None),
    ],
)
def test_a_wait_is_said_where_waiting_helps(error: ApplianceError, wait_s: int | None) -> None:
    assert error.wait_s == wait_s


def calls() -> Iterator[tuple[str, ast.expr]]:
    """Each `remedy=` in the sources, with its place."""
    package = Path(appliance.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "remedy":
                        yield f"{path.relative_to(package)}:{node.lineno}", keyword.value


def test_a_command_stands_in_both_halves_of_every_remedy() -> None:
    found = list(calls())
    assert len(found) > 15
    for place, value in found:
        if isinstance(value, ast.Tuple) and not isinstance(value.elts[0], ast.Name):
            chinese, english = map(ast.unparse, value.elts)
            assert re.search("[一-鿿]", chinese), place
            assert not re.search("[一-鿿]", english), place
            said = [set(re.findall(r"`[^`]+`|APPLIANCE_\w+|--\w+", half)) for half in (chinese, english)]
            assert said[0] == said[1], place
        else:
            assert not isinstance(value, (ast.Constant, ast.JoinedStr)), place
