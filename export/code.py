"""The code that a step depends on: its module and all of the project that this imports, for the hash of the step."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import appliance

_ROOTS = {"appliance": Path(appliance.__file__).parent.parent, "export": Path(__file__).parent.parent}
"""Folders of the project's own packages."""


def code_of(*modules: str) -> tuple[Path, ...]:
    """Files of `modules` and of what they import, sorted; the tables beside a module are of its code.

    Imports inside functions count. Raises FileNotFoundError for a module that is none of the project's.
    """
    found: set[Path] = set()
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None:
            raise FileNotFoundError(f"{name}: expected a module of {', '.join(_ROOTS)}, found none")
        if path not in found:
            found |= {path, *path.parent.glob("*.csv")}
            waiting += [one for one in _imported(path) if _file(one) is not None]
    return tuple(sorted(found))


def _file(name: str) -> Path | None:
    root = _ROOTS.get(name.partition(".")[0])
    if root is None:
        return None
    whole = root.joinpath(*name.split("."))
    return next((path for path in (whole.with_suffix(".py"), whole / "__init__.py") if path.is_file()), None)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
