"""Rows of the README from what the benchmarks write."""

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


def test_rows_about_crowds(measured: ModuleType) -> None:
    phase = {
        "users": 2000,
        "seconds": 60.0,
        "answered_per_s": 290.6,
        "refused_per_s": 671.2,
        "answered_ms": {"p50": 80.2, "p99": 161.9},
        "oldest_s": 0.26,
        "resets": 0,
        "process": {"rss_max_mb": 235.4},
    }
    result = {"limits": {"p99_ms": 1000, "unanswered_s": 2, "rss_mb": 600}, "phases": {"think": phase, "retry": phase}}
    (what, seen, limit, module), again = measured.load(result)
    assert what == "2000 users who think 1 to 3 s, 60 s"
    assert seen == (
        "291 × 200 and 671 × 503 a second; 200s p50 / p99 80 / 162 ms; longest wait for any answer 0.3 s; "
        "0 resets; 235 MB"
    )
    assert limit == "p99 1 s, 2 s, 0, 600 MB"
    assert module == "load"
    assert "ask again 1 s after a 503" in again[0]


def test_rows_about_half_an_hour(measured: ModuleType) -> None:
    result = {
        "minutes": 30.0,
        "mixed": {"availability": 0.999987, "sent": 91_000},
        "within": {"answered_share": 1.0, "sent": 30_000},
        "process": {"rss_max_mb": 371.6},
        "trends": {"mixed": {"rss_mb_per_h": -1.25, "heap_mb_per_h": 0.5}},
    }
    assert [seen for _, seen, _, _ in measured.soak(result)] == [
        "99.999% of 91000",
        "100.000% of 30000",
        "372 MB; -1.2 and +0.5 MB an hour",
    ]


def test_the_row_about_hearing_names_the_dearest_form(measured: ModuleType) -> None:
    forms = {"16000 Hz": {"rtf": 0.0011}, "48000 Hz": {"rtf": 0.0027}}
    ((_, seen, limit, _),) = measured.hearing({"forms": forms, "limits": {"before_rtf": 0.02}})
    assert (seen, limit) == ("0.0027 at most of 2 forms", "0.02")


def test_rows_about_language(measured: ModuleType) -> None:
    intent = {"count": 870, "accuracy": 0.9534, "accuracy_noisy": 0.9312, "auroc": 0.9671, "ece": 0.0181}
    result = {
        "variants": {
            "student int8": {"intent": intent, "sentiment": {"accuracy": 0.9123}},
            "templates": {"intent": {"accuracy": 0.6321}},
        },
        "entities": {"joined": {"f1": 0.9312}, "rules": {"f1": 0.7}, "network": {"f1": 0.9}},
        "questions": {
            "answerable": 520, "unanswerable": 160, "answered_right": 0.871, "refused": 0.9188, "keywords": 0.6,
        },
        "cpu_ms": {"student int8": {"median": 4.0}, "tagger int8": {"median": 1.0},
                   "12-layer encoder int8": {"median": 12.5}},
        "memory": {"added_mb": 61.4},
    }  # fmt: skip
    assert [(seen, limit) for _, seen, limit, _ in measured.language(result)] == [
        ("0.953; templates 0.632", "0.95"),
        ("0.931; 0.967; 0.018", "0.92; 0.95; 0.05"),
        ("0.912", "0.90"),
        ("0.931; 0.700, 0.900", "0.92"),
        ("0.871, 0.919; 0.600", "0.85, 0.90"),
        ("5.0 ms; 0.40", "0.6"),
        ("61 MB", "150 MB"),
    ]
