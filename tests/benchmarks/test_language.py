"""The language benchmark's own arithmetic: limits, figures, keyword matching and mentions."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.language.candidates import Candidate
from benchmarks.language.__main__ import LIMITS, NEED_DATA, NEED_TEACHER, figures, missed
from benchmarks.language.entities import tagged
from benchmarks.language.questions import Keywords, keywords


def result() -> dict[str, Any]:
    intent = {"accuracy": 0.96, "accuracy_noisy": 0.93, "auroc": 0.97, "ece": 0.02}
    student = {"intent": intent, "sentiment": {"accuracy": 0.91}}
    return {
        "variants": {"student int8": student, "appliance": student},
        "entities": {"joined": {"f1": 0.93}},
        "questions": {"answered_right": 0.87, "refused": 0.91, "ratio": 1.4},
        "cpu_ms": {"student int8": {"median": 3.0}, "tagger int8": {"median": 0.6}},
        "memory": {"added_mb": 60.0},
        "files": {"student_int8_mb": 10.4, "student_parameters_m": 10.3},
    }


def with_teacher() -> dict[str, Any]:
    found = result()
    found["variants"]["teacher"] = {"intent": {"accuracy": 0.965}}
    found["cpu_ms"]["12-layer encoder int8"] = {"median": 9.0}
    return found


def test_what_is_good_enough_misses_nothing() -> None:
    assert missed(figures(with_teacher()), NEED_DATA) == []


def test_figures_that_need_the_teacher() -> None:
    found = figures(with_teacher())
    assert found["student behind teacher, points"] == 0.5
    assert found["student faster than teacher, times"] == 3.0
    assert found["intent + sentiment + entities, share of the 12-layer encoder's CPU time"] == 0.4


def test_what_was_not_measured_is_missed_unless_it_was_left_out() -> None:
    found = figures(result())
    assert {line.split(": expected")[0] for line in missed(found)} == {*NEED_TEACHER, *NEED_DATA}
    assert missed(found, (*NEED_TEACHER, *NEED_DATA)) == []


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_every_limit_can_be_missed(name: str) -> None:
    found = figures(with_teacher()) | dict.fromkeys(NEED_DATA, 0.99)
    side, limit = LIMITS[name]
    found[name] = limit - 0.01 if side == "at least" else limit + 0.01
    assert missed(found) == [f"{name}: expected {side} {limit}, got {found[name]}"]
    found[name] = limit
    assert missed(found) == []


def test_keywords_are_pairs_of_characters_and_words() -> None:
    assert list(keywords("WiFi密码是 abc")) == ["wifi", "密码", "码是", "abc"]


def test_keyword_matching_prefers_rare_terms_and_says_when_there_are_none() -> None:
    found = Keywords(["怎么退货", "怎么办会员", "怎么停车"])
    assert found.best("会员怎么弄") == 1
    assert found.best("hello") == -1


def test_mentions_become_tags() -> None:
    spans = [Candidate("product", 0, 2, "牛奶", 1.0), Candidate("product", 2, 4, "面包", 1.0)]
    assert tagged(spans, 5) == ["B-product", "I-product", "B-product", "I-product", "O"]
