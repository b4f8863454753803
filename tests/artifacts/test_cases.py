"""cases.json: schema and its mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.artifacts.cases import load_cases
from appliance.errors import ManifestInvalid

GOOD = {"file": "a.png", "kind": "line", "truth": {"text": "你好", "turned": False}, "licence": "MIT"}


def write(folder: Path, value: object) -> None:
    (folder / "a.png").write_bytes(b"picture")
    (folder / "cases.json").write_text(json.dumps(value), "utf-8")


def test_good(tmp_path: Path) -> None:
    write(tmp_path, [GOOD])
    (case,) = load_cases(tmp_path)
    assert case.path.read_bytes() == b"picture"
    assert (case.kind, case.truth["text"], case.licence) == ("line", "你好", "MIT")


def test_none(tmp_path: Path) -> None:
    assert load_cases(tmp_path) == ()


@pytest.mark.parametrize(
    "value, message",
    [
        ({}, "expected a list"),
        ([1], r"\[0\]: expected a mapping"),
        ([GOOD | {"file": "b.png"}], r"\[0\].file: expected the recording"),
        ([GOOD | {"file": "../a.png"}], r"\[0\].file: expected a relative path"),
        ([GOOD | {"kind": "x"}], r"\[0\].kind: expected one of page, line, clip, sentences, utterance"),
        ([GOOD | {"truth": {"text": "x"}}], r"\[0\].truth.turned: expected this key"),
        ([GOOD | {"truth": GOOD["truth"] | {"more": 1}}], r"\[0\].truth.more: unknown key"),  # type: ignore[operator]
        ([GOOD | {"more": 1}], r"\[0\].more: unknown key"),
    ],
)
def test_mistakes(tmp_path: Path, value: object, message: str) -> None:
    write(tmp_path, value)
    with pytest.raises(ManifestInvalid, match=message):
        load_cases(tmp_path)


def test_not_json(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text("[", "utf-8")
    with pytest.raises(ManifestInvalid, match="expected JSON"):
        load_cases(tmp_path)
