"""Actions that look into the pack's tables: exact and prefix look-ups, and search by what customers call things."""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from appliance.dialogue.actions import Computed, Context
from appliance.packs.conditions import words
from appliance.packs.schema import Row
from appliance.packs.vocabulary import ABSENT

_NEAR = 80.0
"""Least rapidfuzz ratio at which a misspelt name still counts."""

_FEW = 4
"""Most different values of a column that are worth saying."""

_ALIASES = re.compile(r"[|;；]")
_SPACE = re.compile(r"[\s\-_·]+")


def folded(text: str) -> str:
    """A name for comparison: width forms folded, lower case, no spaces or dashes."""
    return _SPACE.sub("", unicodedata.normalize("NFKC", text).lower())


_listed = functools.lru_cache(maxsize=16384)(folded)
"""The same for what stands in the tables. What customers say is never kept in a cache: it would outlive their visit."""


def found(rows: Sequence[Row], language: str) -> Mapping[str, Any]:
    """The result of looking: how many, the rows, their names, what they have in common, and the first one's columns.

    `distinct` has the columns in which the rows have a few different values, these joined: 1、2、3.
    """
    first = dict(rows[0]) if rows else {}
    common = {column: text for column, text in first.items() if all(row[column] == text for row in rows)}
    mark = ", " if language == "en" else "、"
    different = {column: tuple(dict.fromkeys(row[column] for row in rows)) for column in first}
    distinct = {column: mark.join(held) for column, held in different.items() if 1 < len(held) <= _FEW}
    names = "、".join(row.get("name_zh", "") for row in rows[:6])
    if language == "en":
        names = ", ".join(row.get("name_en", "") for row in rows[:6])
    return {**first, "count": len(rows), "rows": tuple(rows), "common": common, "distinct": distinct, "names": names}


def lookup(arguments: Mapping[str, object], context: Context) -> Mapping[str, Any]:
    """Rows of `table` whose `column` is `value`.

    `how`: `exact` (default; case, width, spaces and dashes do not count, and a cell may hold several names parted by
    |), `number` (the same, and where no row has it, a value of digits alone also means the one row with these digits
    after letters: people leave out the SF of a waybill), or `filled` (the column is not empty; no value).
    """
    rows = context.tables[words(arguments["table"])]
    column, how = words(arguments["column"]), words(arguments.get("how", "exact"))
    if rows and column not in rows[0]:
        column = f"{column}_{context.language}"
    value = folded(words(arguments.get("value")))
    if how == "filled":
        return found([row for row in rows if row[column]], context.language)
    if not value:
        return found([], context.language)
    same = [row for row in rows if value in _names(row[column])]
    if not same and how == "number" and value.isdigit():
        ending = [row for row in rows if _listed(row[column]).lstrip(string.ascii_lowercase) == value]
        same = ending if len(ending) == 1 else []
    return found(same, context.language)


def search(arguments: Mapping[str, object], context: Context) -> Mapping[str, Any]:
    """Rows of `table` that `text` names, the best kind of match only.

    1. Rows whose first column is among `keys` (comma-separated), where given: the entity already knew them. No row for
       the key ABSENT: 苹果手机 must not end at the apples.
    2. Rows with the text as key, name or alias. 3. Rows whose name or alias lies in the text: the longest ones.
    4. Rows whose names, category or brand hold the text. 5. Rows with a name near to it (typing errors).
    """
    rows = context.tables[words(arguments["table"])]
    keys = [key for key in words(arguments.get("keys")).split(",") if key]
    if keys == [ABSENT]:
        return found([], context.language)
    if keys and rows:
        key_column = next(iter(rows[0]))
        known = [row for row in rows if row[key_column] in keys]
        if known:
            return found(known, context.language)
    text = folded(words(arguments["text"]))
    return found(_named(rows, text) if text else [], context.language)


def _names(cell: str) -> list[str]:
    return [_listed(part) for part in _ALIASES.split(cell) if part.strip()]


def _surfaces(row: Row) -> list[str]:
    key_column = next(iter(row))
    cells = [row[key_column], *(row.get(column, "") for column in ("name_zh", "name_en", "aliases"))]
    return [name for cell in cells for name in _names(cell)]


def _named(rows: Iterable[Row], text: str) -> list[Row]:
    surfaces = [(row, _surfaces(row)) for row in rows]
    exact = [row for row, names in surfaces if text in names]
    if exact:
        return exact
    inside = [
        (max((len(name) for name in names if len(name) > 1 and name in text), default=0), row)
        for row, names in surfaces
    ]
    longest = max((length for length, _ in inside), default=0)
    if longest:
        return [row for length, row in inside if length == longest]
    if len(text) > 1:
        held = [row for row, names in surfaces if any(text in name for name in [*names, *_groups(row)])]
        if held:
            return held
    return _near(surfaces, text)


def _groups(row: Row) -> list[str]:
    return [name for column in ("category", "brand") for name in _names(row.get(column, ""))]


def _near(surfaces: list[tuple[Row, list[str]]], text: str) -> list[Row]:
    from rapidfuzz import fuzz  # lazy: only a name that is not in the table pays for it

    if len(text) < 3:
        return []
    scored = [(max((fuzz.ratio(text, name) for name in names), default=0.0), row) for row, names in surfaces]
    best = max((score for score, _ in scored), default=0.0)
    return [row for score, row in scored if score == best] if best >= _NEAR else []


LOOKUP = Computed("lookup", lookup)
SEARCH = Computed("search", search)
