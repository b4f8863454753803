"""faq.csv: frequent questions with their answers, and further ways of asking each, divided by a vertical bar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from appliance.errors import PackInvalid
from appliance.language.faq import FaqRow
from appliance.packs.reader import read_csv

FILE = "faq.csv"
COLUMNS = ("id", "question_zh", "answer_zh", "question_en", "answer_en", "variants")
"""Columns of the file; the English ones and `variants` may be empty in a row."""
_REQUIRED = ("id", "question_zh", "answer_zh")


def load_faq(folder: Path) -> tuple[FaqRow, ...]:
    """Rows of the pack's faq.csv, none where it has no such file; raises PackInvalid naming line and column."""
    path = folder / FILE
    return tuple(_rows(path)) if path.is_file() else ()


def _rows(path: Path) -> Iterator[FaqRow]:
    shown = f"{path.parent.name}/{path.name}"
    asked: dict[str, str] = {}
    for number, row in enumerate(read_csv(path, "id"), 1):
        missing = [name for name in COLUMNS if name not in row]
        if missing:
            raise PackInvalid(
                f"{shown} line 1: expected the columns {', '.join(COLUMNS)}, got none named {missing[0]!r}"
            )
        for name in _REQUIRED:
            if not row[name]:
                raise PackInvalid(f"{shown} row {number} ({row['id']}): expected text under {name}, got nothing")
        ways = tuple(
            dict.fromkeys(
                way
                for way in (row["question_zh"], row["question_en"], *map(str.strip, row["variants"].split("|")))
                if way
            )
        )
        for way in ways:
            if asked.setdefault(way, row["id"]) != row["id"]:
                raise PackInvalid(
                    f"{shown} row {number} ({row['id']}): expected a question under one id, got {way!r} under "
                    f"{asked[way]} too"
                )
        yield FaqRow(
            row["id"],
            {"zh": row["question_zh"], "en": row["question_en"] or row["question_zh"]},
            {"zh": row["answer_zh"], "en": row["answer_en"] or row["answer_zh"]},
            ways,
        )
