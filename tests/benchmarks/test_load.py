"""What the load test, the soak and Locust's run call a miss; and what they make of a process."""

from __future__ import annotations

import copy
import os
import sys
import time
from contextlib import contextmanager

import pytest

from benchmarks import load, outside, soak
from benchmarks.observe import Observer, Probe, Sample, slope_per_hour
from benchmarks.visitors import malformed, recording

PHASE = {
    "users": 2000,
    "answered_ms": {"p99": 300.0},
    "process": {"rss_max_mb": 240.0},
    "statuses": {"200": 50, "503": 9},
    "photo_statuses": {"200": 1},
    "photos_ms": {"p50": 900.0},
    "stream_statuses": {"200": 1, "503": 2},
    "streams_ms": {"p50": 900.0},
    "ended": {"204": 8, "404": 1, "503": 1},
    "answered_per_s": 60.0,
    "resets": 0,
    "unanswered": 0,
    "late_count": 0,
    "oldest_s": 0.5,
    "probe_failed": [],
}
MIXED = {
    "seconds": 1200.0,
    "availability": 1.0,
    "answered_share": 0.8,
    "refused": {"415": 3, "503": 1},
    "streams": {"opened": 5},
    "statuses": {"200": 5, "503": 1},
    "photo_statuses": {},
    "stream_statuses": {"200": 2, "503": 1},
    "spoken": {"200": 4, "503": 1},
    "typed": {"200": 9},
    "ended": {"204": 3},
}
SOAKED = {
    "mixed": MIXED,
    "within": MIXED | {"seconds": 600.0, "answered_share": 1.0},
    "process": {"rss_max_mb": 300.0, "heap_samples": 300},
    "trends": {"mixed": {"rss_mb_per_h": 90.0, "heap_mb_per_h": 1.0, "files_per_h": 0.0, "threads_per_h": 0.0}},
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
        (("statuses", "503 unavailable"), 1, "unavailable"),
        (("photo_statuses", "503 without Retry-After"), 1, "Retry-After"),
        (("stream_statuses", "500"), 1, "500"),
        (("streams_ms",), {}, "line by line"),
        (("ended", "500"), 1, "sessions"),
        (("answered_per_s",), 49.9, "below 50"),
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
        (("mixed", "spoken", "503 unavailable"), 1, "unavailable"),
        (("mixed", "stream_statuses", "422"), 1, "422"),
        (("mixed", "typed", "500"), 1, "typed 500"),
        (("mixed", "refused", "503 unavailable"), 1, "broken recordings"),
        (("mixed", "ended", "429"), 1, "ends of sessions"),
        (("mixed", "streams", "broken"), 1, "streams"),
        (("process", "rss_max_mb"), 601.0, "resident"),
        (("trends", "mixed", "heap_mb_per_h"), 20.1, "heap in use grows"),
        (("process", "heap_samples"), 0, "nothing of its heap"),
        (("trends", "mixed", "files_per_h"), 21.0, "files grow"),
        (("trends", "mixed", "threads_per_h"), 5.0, "threads grow"),
    ],
)
def test_each_limit_of_the_soak_is_checked(place, value, word):
    assert soak.missed(SOAKED) == []
    assert [word in words for words in soak.missed(changed(SOAKED, place, value))] == [True]


def test_a_short_soak_judges_no_trend():
    short = changed(changed(SOAKED, ("mixed", "seconds"), 60.0), ("trends", "mixed", "heap_mb_per_h"), 900.0)
    assert soak.missed(short) == []


def test_availability_counts_deliberate_refusals_and_what_never_came():
    seen = {
        "latencies_ms": [1.0, 2.0],
        "refusals_ms": [3.0],
        "photos_ms": [],
        "streams_ms": [],
        "unanswered": ["TimeoutError"],
        "statuses": {"200": 6, "503": 2, "503 unavailable": 1},
        "photo_statuses": {"200": 1},
        "stream_statuses": {"200": 1, "503": 1},
        "spoken": {"503 unavailable": 2},
        "typed": {"200": 3},
        "ended": {"204": 5, "503": 7},
    }
    judged = soak.judge(seen, 60.0)
    assert judged["sent"] == 18
    assert judged["availability"] == pytest.approx((11 + 3) / 18, abs=1e-6)
    assert judged["answered_share"] == pytest.approx(11 / 18, abs=1e-6)


def test_the_crowd_within_the_capacity_asks_for_half_of_it():
    assert soak.talkers_within({"answered_per_s": 200.0, "p50_ms": 100.0}) == 210  # each asks every 2.1 s
    assert soak.talkers_within({"answered_per_s": 0.2, "p50_ms": 100.0}) == 1


@pytest.mark.parametrize("module, asked", [(load, []), (outside, ["--locust", __file__])])
@pytest.mark.parametrize("more", [["--users", "1999"], ["--seconds", "59"], ["--phases", "think"]])
def test_a_run_below_the_issues_size_is_no_check_unless_it_says_so(monkeypatch, capsys, module, asked, more):
    started = []

    @contextmanager
    def refuse():
        started.append(True)
        raise SystemExit("started")
        yield

    monkeypatch.setattr(module, "started", refuse)
    monkeypatch.setattr(module, "allow_files", lambda wanted: None)
    for words, begins in (([*more, "--check"], False), ([*more, "--check", "--short"], True), (["--check"], True)):
        monkeypatch.setattr(sys, "argv", ["benchmark", *asked, *words])
        started.clear()
        with pytest.raises(SystemExit):
            module.main()
        assert bool(started) is begins
        assert ("not the issue's size" in capsys.readouterr().err) is not begins


def test_a_small_crowd_has_to_get_half_of_what_it_asks_for():
    assert load.floor_per_s(2000) == load.ANSWERED_PER_S
    assert load.floor_per_s(20) == 5.0


OUTSIDE = {
    "users": 2000,
    "exit": 0,
    "process": {"rss_max_mb": 240.0},
    "locust": {
        "turn": {"requests": 9000, "failures": 0, "per_s": 150.0, "p99_ms": 800.0, "max_ms": 1900.0},
        "turn refused (503)": {"requests": 9000, "failures": 0, "per_s": 150.0, "max_ms": 900.0},
        "Aggregated": {"requests": 18000, "failures": 0, "per_s": 300.0},
        "failures": [],
    },
}


@pytest.mark.parametrize(
    "place, value, word",
    [
        (("locust", "turn", "p99_ms"), 1100.0, "p99"),
        (("locust", "turn refused (503)", "max_ms"), 2100.0, "later than 2 s"),
        (("locust", "turn", "per_s"), 49.0, "below 50"),
        (("locust", "turn", "requests"), 0, "no turn"),
        (("locust", "failures"), ["3 x turn: expected 200"], "3 x turn"),
        (("process", "rss_max_mb"), 601.0, "resident"),
        (("exit",), 1, "ended with 1"),
    ],
)
def test_locusts_run_has_the_same_limits(place, value, word):
    assert outside.missed({"think": OUTSIDE}) == []
    found = outside.missed({"think": OUTSIDE, "retry": changed(OUTSIDE, place, value)})
    assert [word in words and words.startswith("retry: ") for words in found] == [True]


def test_trend_is_that_of_the_phase_after_its_first_fifth():
    heap = {s: 60 + s / 72 for s in range(0, 200, 10)}
    samples = [Sample(s, 100 + (50 if s < 20 else 0) + s / 36, 10, 5, 0.0, heap.get(s)) for s in range(200)]
    found = soak.trends(samples, 0, 100)
    assert found == {
        "rss_mb_per_h": 100.0,
        "rss_floor_mb_per_h": 100.0,
        "heap_mb_per_h": 50.0,
        "files_per_h": 0.0,
        "threads_per_h": 0.0,
    }


def test_the_trend_of_the_least_of_each_minute_does_not_see_what_comes_and_goes():
    swings = [(s / 2, 300.0 + (s % 40) * 2.5 + s / 7200 * 30) for s in range(1800)]
    late = [(at_s, value + (60 if at_s > 600 and at_s % 60 > 20 else 0)) for at_s, value in swings]
    found = slope_per_hour(soak.floors(late))
    assert found == pytest.approx(30, abs=0.5)
    assert slope_per_hour(late) > 60


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
    assert seen["heap_samples"] == 0
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
