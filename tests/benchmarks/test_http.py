"""What the benchmark over HTTP calls flat, and what it calls a miss."""

from __future__ import annotations

import copy

import pytest

from benchmarks.http import GROWTH_KB, SLOPE_KB_S, missed
from benchmarks.memory import trend
from benchmarks.tally import percentiles

SECONDS = [second / 2 for second in range(120)]
GOOD = {
    "one_user": {"ms": {"p50": 3.0}},
    "users": {
        "statuses": {"200": 5, "503": 2},
        "unanswered": 0,
        "rss": {"slope_kb_s": 1.0, "growth_kb": 60.0},
    },
}


def test_percentiles():
    assert percentiles([]) == {}
    assert percentiles([float(n) for n in range(1, 101)]) == {"p50": 51.0, "p90": 91.0, "p99": 100.0, "max": 100.0}


def test_a_leak_of_a_hundred_bytes_a_turn_is_seen():
    found = trend([(second, 160 + second * 220 * 100 / 2**20) for second in SECONDS])
    assert found["slope_kb_s"] == pytest.approx(21.5, abs=0.1)
    assert found["slope_kb_s"] > SLOPE_KB_S
    assert found["growth_kb"] > GROWTH_KB


def test_spikes_do_not_bend_the_trend():
    samples = [(second, 160.0 + (40 if second in (3.0, 58.0) else 0)) for second in SECONDS]
    assert trend(samples) == {"slope_kb_s": 0.0, "growth_kb": 0.0}


def test_growth_sees_a_step_that_the_slope_does_not():
    found = trend([(second, 160.0 if second < 50 else 164.0) for second in SECONDS])
    assert found["slope_kb_s"] == 0.0
    assert found["growth_kb"] == 4096.0


def test_few_samples():
    assert trend([]) == {"slope_kb_s": 0.0, "growth_kb": 0.0}
    assert trend([(0.0, 1.0)]) == {"slope_kb_s": 0.0, "growth_kb": 0.0}


@pytest.mark.parametrize(
    "place, name, value, word",
    [
        (("one_user", "ms"), "p50", 15.1, "p50"),
        (("users", "statuses"), "500", 1, "500"),
        (("users", "statuses"), "200", 0, "no turn"),
        (("users", "statuses"), "503 unavailable", 1, "unavailable"),
        (("users",), "unanswered", 1, "without an answer"),
        (("users", "rss"), "slope_kb_s", SLOPE_KB_S + 1, "rises"),
        (("users", "rss"), "growth_kb", GROWTH_KB + 1, "grew"),
    ],
)
def test_each_limit_is_checked(place, name, value, word):
    result = copy.deepcopy(GOOD)
    assert missed(result) == []
    inner = result
    for step in place:
        inner = inner[step]
    inner[name] = value
    assert [word in words for words in missed(result)] == [True]
