"""Recorded inputs with truth that come with a model: engine gate, self-test and CI all use them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.artifacts.schema import Section
from appliance.errors import Both, ManifestInvalid

KINDS = {
    "page": ("width", "height", "photo", "lines"),
    "line": ("text", "turned"),
    "clip": ("rate", "seconds", "speech"),
    "sentences": ("count",),
    "utterance": ("rate", "text", "language", "speech", "synthetic"),
    "arrays": ("count",),
}
"""Kind of case to the keys of its truth.

page: width, height in pixels of the upright image; photo: true when it is not a clean rendering; lines: list of
{text, box}, box = four [x, y] from the top left clockwise, in reading order. line: one upright text line, or the same
one turned by 180 degrees. clip: rate in Hz, seconds, speech = list of [start, end] in seconds. utterance: the words
(text, language zh or en) in a recording with the speech intervals; synthetic when a machine spoke them. sentences: how
many lines of text with their labels and mentions (JSONL, see `language.gate`). arrays: how many steps a network's own
inputs and its answers have (.npz, see `speech.ctc.gate`).
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded input and what is true of it."""

    path: Path
    """The picture or sound."""
    kind: str
    """A key of `KINDS`."""
    truth: Mapping[str, Any]
    """What is true of it; the keys that `KINDS` names."""
    licence: str
    """SPDX name of the recording's licence."""


def load_cases(folder: Path) -> tuple[Case, ...]:
    """Read `folder`/cases.json, a list of {file, kind, truth, licence}; empty where a model has none.

    Raises ManifestInvalid naming the file and key that break the schema, or the recording that is absent.
    """
    index = folder / "cases.json"
    if not index.exists():
        return ()
    try:
        rows = json.loads(index.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestInvalid(f"{index}: expected JSON, got {error}", remedy=_correct(index)) from error
    if not isinstance(rows, list):
        raise ManifestInvalid(f"{index}: expected a list, got {type(rows).__name__}", remedy=_correct(index))
    return tuple(_case(Section(row, index, f"[{number}]"), folder) for number, row in enumerate(rows))


def _correct(index: Path) -> Both:
    return f"请修正 {index}", f"Correct {index}"


def _case(row: Section, folder: Path) -> Case:
    path, kind, licence = folder / row.path("file"), row.text("kind", tuple(KINDS)), row.text("licence")
    if not path.is_file():
        raise row.invalid("file", f"expected the recording {path}, found none")
    truth = row.section("truth")
    values = {key: truth.get(key) for key in KINDS[kind]}
    truth.done()
    row.done()
    return Case(path, kind, values, licence)
