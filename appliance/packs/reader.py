"""Reads a pack's YAML and CSV so that every complaint names the file, the line, what was expected and what is there."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import yaml

from appliance.errors import PackInvalid
from appliance.packs.schema import Localised, Row

_NAMES = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value"}

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml reads the shipped pack in 22 ms and Python in 300; a PyYAML built without it has Python's alone."""


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a YAML file that knows where it stands."""

    file: Path
    """The file."""
    key: str
    """Dotted keys that lead here; empty for the whole file."""
    node: yaml.Node
    """The parsed node with its line."""

    @property
    def line(self) -> int:
        """Line in the file, from 1."""
        return int(self.node.start_mark.line) + 1

    def fail(self, expected: str, found: str) -> PackInvalid:
        """The error to raise here."""
        at = f" ({self.key})" if self.key else ""
        return PackInvalid(
            f"{self.file.parent.name}/{self.file.name} line {self.line}{at}: expected {expected}, got {found}"
        )

    def _wrong_kind(self, expected: str) -> PackInvalid:
        return self.fail(expected, _NAMES.get(type(self.node), "something else"))

    def mapping(self, allowed: Collection[str] | None = None, required: Collection[str] = ()) -> dict[str, Section]:
        """Values by key; refuses keys outside `allowed`, missing `required` keys and keys written twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self._wrong_kind("a mapping")
        found: dict[str, Section] = {}
        for key_node, value_node in self.node.value:
            key = str(key_node.value)
            here = Section(self.file, f"{self.key}.{key}" if self.key else key, value_node)
            if allowed is not None and key not in allowed:
                raise here.fail(f"one of {', '.join(sorted(allowed))}", repr(key))
            if key in found:
                raise here.fail("every key once", f"{key!r} twice")
            found[key] = here
        for key in required:
            if key not in found:
                raise self.fail(f"key {key!r}", "nothing")
        return found

    def items(self) -> list[Section]:
        """Entries of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self._wrong_kind("a list")
        return [Section(self.file, f"{self.key}[{index}]", node) for index, node in enumerate(self.node.value)]

    def text(self) -> str:
        """A single non-empty value as text, exactly as written."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self._wrong_kind("text")
        if not str(self.node.value).strip():
            raise self.fail("text", "nothing")
        return str(self.node.value)

    def texts(self) -> tuple[str, ...]:
        """A list of texts, none twice."""
        found: list[str] = []
        for item in self.items():
            value = item.text()
            if value in found:
                raise item.fail("every entry once", f"{value!r} twice")
            found.append(value)
        return tuple(found)

    def number(self, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        text = self.text()
        try:
            value = float(text)
        except ValueError:
            raise self.fail(f"a number from {low:g} to {high:g}", repr(text)) from None
        if not low <= value <= high:
            raise self.fail(f"a number from {low:g} to {high:g}", text)
        return value

    def flag(self) -> bool:
        """`true` or `false`."""
        text = self.text().lower()
        if text not in ("true", "false"):
            raise self.fail("true or false", repr(text))
        return text == "true"

    def localised(self) -> Localised:
        """`{zh: ..., en: ...}`."""
        parts = self.mapping(("zh", "en"), required=("zh", "en"))
        return Localised(parts["zh"].text(), parts["en"].text())


def read_yaml(path: Path) -> Section:
    """The file as a Section; raises PackInvalid when it is missing, not UTF-8, not YAML or empty."""
    shown = f"{path.parent.name}/{path.name}"
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=_LOADER)
    except OSError as error:
        raise PackInvalid(f"{shown}: expected a readable file, got {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PackInvalid(
            f"{shown}: expected UTF-8, got byte {error.object[error.start]:#x} at {error.start}"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise PackInvalid(f"{shown}{line}: expected YAML, got {getattr(error, 'problem', error)}") from error
    if node is None:
        raise PackInvalid(f"{shown}: expected keys with values, got an empty file")
    return Section(path, "", node)


def read_csv(path: Path, key: str = "") -> tuple[Row, ...]:
    """Rows of a UTF-8 CSV with a header line; refuses ragged rows and, where `key` is given, repeated or blank keys."""
    shown = f"{path.parent.name}/{path.name}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except OSError as error:
        raise PackInvalid(f"{shown}: expected a readable file, got {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PackInvalid(f"{shown}: expected UTF-8 CSV, got {error}") from error
    if not rows:
        raise PackInvalid(f"{shown}: expected a header line, got an empty file")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) != len(header) or not all(header):
        raise PackInvalid(f"{shown} line 1: expected distinct column names, got {header}")
    if key and key not in header:
        raise PackInvalid(f"{shown} line 1: expected a column {key!r}, got {header}")
    table: list[dict[str, str]] = []
    seen: dict[str, int] = {}
    for line, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise PackInvalid(f"{shown} line {line}: expected {len(header)} columns, got {len(cells)}")
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
        if key:
            if not row[key]:
                raise PackInvalid(f"{shown} line {line}: expected a {key}, got nothing")
            if row[key] in seen:
                raise PackInvalid(
                    f"{shown} line {line}: expected every {key} once, got {row[key]!r} as in line {seen[row[key]]}"
                )
            seen[row[key]] = line
        table.append(row)
    return tuple(table)
