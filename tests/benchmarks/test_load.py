"""What the load test, the soak and Locust's run call a miss; and what they make of a process."""

from __future__ import annotations

import copy
import os
import time

import pytest

from benchmarks import load, outside, soak
from benchmarks.observe import Observer, Probe, Sample, slope_per_hour
from benchmarks.visitors import malformed, recording

PHASE = {
    "users": 10,
    "answered_ms": {"p99": 300.0},
    "process": {"rss_max_mb": 240.0},
    "statuses": {"200": 50, "503": 9},
    "photo_statuses": {"200": 1},
    "photos_ms": {"p50": 900.0},
    "resets": 0,
    "unanswered": 0,
    "late_count": 0,
    "oldest_s": 0.5,
    "without_retry_after": 0,
    "probe_failed": [],
}
MIXED = {
    "seconds": 1200.0,
    "availability": 1.0,
    "answered_share": 0.8,
    "refused": {"415": 3, "503": 1},
    "streams": {"opened": 5},
    "statuses": {"200": 5},
    "photo_statuses": {},
    "spoken": {"503": 5},
}
SOAKED = {
    "mixed": MIXED,
    "within": MIXED | {"seconds": 600.0, "answered_share": 1.0},
    "process": {"rss_max_mb": 300.0},
    "trends": {"mixed": {"rss_mb_per_h": 1.0, "files_per_h": 0.0, "threads_per_h": 0.0}},
}


def changed(result: dict, place: tuple[str, ...], value: object) -> dict:
    result = copy.deepcopy(result)
    inner = result
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return result


@pytest.mark.parametrize(
    "place, value, word",
    [
        (("answered_ms", "p99"), 1000.1, "p99"),
        (("answered_ms",), {}, "no turn"),
        (("resets",), 1, "broke"),
        (("unanswered",), 1, "without an answer"),
        (("late_count",), 1, "over 2 s"),
        (("process", "rss_max_mb"), 600.1, "resident"),
        (("process",), {}, "resident"),
        (("statuses", "500"), 1, "500"),
        (("photo_statuses", "422"), 1, "422"),
        (("photos_ms",), {}, "no photo"),
        (("without_retry_after",), 1, "Retry-After"),
        (("probe_failed",), ["OSError"], "probe"),
    ],
)
def test_each_limit_of_the_load_is_checked(place, value, word):
    assert load.missed({"think": PHASE}) == []
    found = load.missed({"think": PHASE, "photos": changed(PHASE, place, value)})
    assert [word in words and words.startswith("photos: ") for words in found] == [True]


@pytest.mark.parametrize(
    "place, value, word",
    [
        (("mixed", "availability"), 0.9989, "availability"),
        (("within", "answered_share"), 0.9989, "within capacity"),
        (("mixed", "refused", "200"), 1, "broken recordings"),
        (("mixed", "statuses", "500"), 1, "500"),
        (("within", "statuses", "429"), 1, "429"),
        (("mixed", "streams", "broken"), 1, "streams"),
        (("process", "rss_max_mb"), 601.0, "resident"),
        (("trends", "mixed", "rss_mb_per_h"), 20.1, "memory grows"),
        (("trends", "mixed", "files_per_h"), 21.0, "files grow"),
        (("trends", "mixed", "threads_per_h"), 5.0, "threads grow"),
    ],
)
def test_each_limit_of_the_soak_is_checked(place, value, word):
    assert soak.missed(SOAKED) == []
    assert [word in words for words in soak.missed(changed(SOAKED, place, value))] == [True]


def test_a_short_soak_judges_no_trend():
    short = changed(changed(SOAKED, ("mixed", "seconds"), 60.0), ("trends", "mixed", "rss_mb_per_h"), 900.0)
    assert soak.missed(short) == []


def test_availability_counts_deliberate_refusals_and_what_never_came():
    seen = {
        "latencies_ms": [1.0, 2.0],
        "refusals_ms": [3.0],
        "photos_ms": [],
        "unanswered": ["TimeoutError"],
        "statuses": {"200": 6, "503": 2},
        "photo_statuses": {"200": 1},
        "spoken": {"503": 2},
        "without_retry_after": 1,
    }
    judged = soak.judge(seen, 60.0)
    assert judged["sent"] == 12
    assert judged["availability"] == pytest.approx((7 + 3) / 12, abs=1e-6)
    assert judged["answered_share"] == pytest.approx(7 / 12, abs=1e-6)


def test_trend_is_that_of_the_phase_after_its_first_fifth():
    samples = [Sample(s, 100 + (50 if s < 20 else 0) + s / 36, 10, 5, 0.0) for s in range(200)]
    found = soak.trends(samples, 0, 100)
    assert found == {"rss_mb_per_h": 100.0, "files_per_h": 0.0, "threads_per_h": 0.0}


def test_slope_of_many_points_and_of_none():
    assert slope_per_hour([]) == 0.0
    assert slope_per_hour([(s / 2, 3 + s / 7200) for s in range(3600)]) == pytest.approx(1.0)


def test_observer_sees_this_process():
    observer = Observer(os.getpid())
    observer.start()
    while len(observer.samples) < 3:
        time.sleep(0.02)
    observer.stop()
    seen = observer.summary()
    assert seen["samples"] >= 3
    assert seen["rss_max_mb"] > 10
    assert seen["files_max"] >= 3
    assert seen["threads_max"] >= 2
    assert Observer(os.getpid()).summary() == {"samples": 0}


def test_probe_notes_what_does_not_answer():
    probe = Probe("http://127.0.0.1:1")
    probe.start()
    while not probe.failed:
        time.sleep(0.02)
    probe.stop()
    assert probe.failed[0] == "ConnectionRefusedError"


def test_recordings_of_the_visitors():
    from appliance.errors import ApplianceError
    from appliance.speech.wav import decode

    assert decode(recording(), max_seconds=60, max_bytes=1 << 25).seconds == pytest.approx(1.0)
    for number in range(5):
        with pytest.raises(ApplianceError):
            decode(malformed(number), max_seconds=60, max_bytes=1 << 25)


def test_tables_of_locust(tmp_path):
    (tmp_path / "run_stats.csv").write_text(
        "Type,Name,Request Count,Failure Count,Requests/s,Max Response Time,50%,95%,99%\n"
        "POST,turn,10,1,5.04,80,20,40,79\n,Aggregated,0,0,0,0,N/A,N/A,N/A\n"
    )
    (tmp_path / "run_failures.csv").write_text("Method,Name,Error,Occurrences\nPOST,turn,got 500,1\n")
    found = outside.tables(tmp_path)
    assert found["turn"] == {"requests": 10, "failures": 1, "per_s": 5.0, "p50_ms": 20, "p95_ms": 40, "p99_ms": 79,
                             "max_ms": 80}  # fmt: skip
    assert found["Aggregated"]["requests"] == 0
    assert found["failures"] == ["1 x turn: got 500"]
