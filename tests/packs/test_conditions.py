"""Mini-conditions: what each holds for."""

from __future__ import annotations

import pytest

from appliance.packs.conditions import holds, number, read_tests, words
from appliance.packs.reader import read_yaml

VALUES = {"a": "7", "b": 10.0, "text": "return", "empty": "", "none": None, "yes": True, "day": -3}


def parsed(tmp_path, text):
    path = tmp_path / "when.yaml"
    path.write_text(text, "utf-8")
    return read_tests(read_yaml(path))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a: 7", True),
        ("a: 7.0", True),
        ("a: '07'", True),
        ("a: 8", False),
        ("text: [return, exchange]", True),
        ("text: exchange", False),
        ("text: {not: [exchange, repair]}", True),
        ("text: {not: return}", False),
        ("none: {not: return}", True),
        ("a: {min: 7, max: 7}", True),
        ("a: {over: 7}", False),
        ("a: {max: $b}", True),
        ("a: {over: $b}", False),
        ("a: {min: $unknown}", False),
        ("text: {min: 1}", False),
        ("none: {max: 1}", False),
        ("empty: {max: 1}", False),
        ("day: {max: 0}", True),
        ("empty: {exists: true}", False),
        ("empty: {exists: false}", True),
        ("none: {exists: false}", True),
        ("a: {exists: true}", True),
        ("yes: true", True),
        ("yes: false", False),
        ("{a: 7, text: exchange}", False),
        ("unknown: x", False),
    ],
)
def test_holds(tmp_path, text, expected):
    assert holds(parsed(tmp_path, text), VALUES.get) is expected


def test_words_and_numbers():
    assert [words(value) for value in (None, True, False, 3.0, 3.5, "x")] == ["", "true", "false", "3", "3.5", "x"]
    assert [number(value) for value in ("12.5", "", None, "abc", 4)] == [12.5, None, None, None, 4.0]
    assert holds((), VALUES.get)
