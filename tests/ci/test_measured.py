"""The README's rows about reading, from what benchmarks.ocr writes."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPOSITORY / ".ci"))
    return importlib.import_module("measured")


def test_rows_about_reading(measured: ModuleType) -> None:
    result = {
        "limits": {
            "recall_below_peer": 0.002,
            "cpu_ratio": {"ours-off": 0.75, "ours-on": 0.85},
            "rss_mb": 450.0,
            "kept": 0.98,
        },
        "totals": {
            "ours-off": {"cpu_ratio": 0.612, "recall": 0.95, "labelled": 17},
            "ours-on": {"cpu_ratio": 0.68, "recall": 0.9512, "labelled": 17},
            "peer": {"recall": 0.949, "labelled": 17},
        },
        "sides": {
            "ours-off": {"peak_mb": 280.0},
            "ours-on": {"peak_mb": 301.4},
            "peer": {"peak_mb": 842.0, "versions": {"rapidocr": "3.10.0"}},
        },
        "images": [
            {"sides": {"ours-on": {"kept": {"90": 1.0, "180": 0.991, "270": None}}}},
            {"sides": {"ours-on": {"kept": {"90": 0.994, "180": 1.0, "270": 1.0}}}},
        ],
    }
    rows = measured.reading(result)
    assert [(seen, limit) for _, seen, limit, _ in rows] == [
        ("95.12%, rapidocr 94.90%", "at most 0.2 points below"),
        ("0.61; 0.68", "0.75; 0.85"),
        ("301 MB, rapidocr 842 MB", "450 MB"),
        ("99.1%", "98%"),
    ]
    assert "17 labelled images" in rows[0][0]
    assert {module for *_, module in rows} == {"ocr --data FOLDER --peer rapidocr"}
