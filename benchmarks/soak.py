"""Half an hour in a shop: mixed traffic, then a crowd that the appliance can serve; availability and trends.

`python -m benchmarks.soak [--minutes M] [--check] [--json OUT] [--out FOLDER]` starts the appliance as its own process
and lets benchmarks.visitors come:

* `mixed`, two thirds of the time: talkers, photographers (with whole readings and line by line, some of whom leave amid
  the lines), typists, speakers with whole and broken recordings, watchers of the event stream who come and go, clients
  that send or fetch a byte at a time. Availability is (200 + deliberate 503) / sent; a deliberate 503 has the code
  `overloaded` and says when to come back. Without a recogniser nobody sends whole recordings, and this is said.
* then the capacity is measured for some seconds: how many turns a second users who ask back to back are answered;
* `within`, the last third: only talkers, as many as ask for half of that. Here the 200s alone count.

`--check` exits 1 when availability, or the 200s alone within capacity, are below 99.9 %, when
a broken recording gets anything but a 4xx or a deliberate 503, when a status was sent that nobody asked for, when
an event stream breaks, when resident memory exceeds 600 MB, or when the heap in use, files or threads grow in the mixed
phase after its first fifth (judged where that phase lasts ten minutes or more: before, heaps and caches are still
filling). The trend of resident memory, and of each minute's least, is printed and judged by eye: it swings by a
hundred megabytes with what the networks' arenas hold, and its trend over a quarter of an hour follows the swing. The
heap in use (/v1/status) does not swing. It still rises a little, while 64 threads fill malloc's caches: without these
(GLIBC_TUNABLES=glibc.malloc.tcache_count=0) it is level from the second minute on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.load import run_users
from benchmarks.machine import describe
from benchmarks.observe import Observer, Sample, slope_per_hour
from benchmarks.serving import started
from benchmarks.tally import odd_answers, percentiles
from benchmarks.users import SPARE_FILES, allow_files
from benchmarks.visitors import HABIT

AVAILABLE = 0.999
RSS_MB = 600.0
HEAP_MB_PER_H = 20.0
"""Limit of the trend of the heap in use: 10 MB in the half hour."""
FILES_PER_H, THREADS_PER_H = 20.0, 4.0
TREND_S = 600.0
"""Shortest mixed phase whose trends are judged: below it, heaps and caches are still filling."""
TALKERS_MIXED = 200
CAPACITY_S = 10.0
CLOSED_LOOP = 8
"""Users who ask back to back while the capacity is measured: a third of the setting `admitted`, so that none is refused
and no time goes into refusals."""
SHARE = 0.5
"""Of the capacity, what the crowd within it asks for: questions come in bunches, and half leaves them room."""
MOST_TALKERS = 2000
GRACE_S = 120.0


def run_visitors(url: str, seconds: float, talkers: int, *more: str) -> dict[str, Any]:
    """What visitors in a process of their own saw."""
    command = [sys.executable, "-m", "benchmarks.visitors", url, str(seconds), str(talkers), *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=seconds + GRACE_S, check=True)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def hearing(url: str) -> str:
    """Why the appliance does not hear; empty when it does."""
    with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
        features = {feature["name"]: feature for feature in json.load(answer)["features"]}
    asr = features["asr"]
    why = "; ".join(asr["reason"].splitlines())
    return "" if asr["state"] in ("ready", "fallback") else f"asr is {asr['state']}: {why}"


def measure_capacity(url: str, seconds: float) -> dict[str, float]:
    """Turns a second that users are answered who ask back to back, and the latency of the median one."""
    tally = run_users(url, CLOSED_LOOP, seconds, ())
    answered = tally["latencies_ms"]
    if not answered:
        raise SystemExit(f"capacity: expected answers, got {tally['statuses']} and {tally['unanswered'][:5]}")
    return {
        "seconds": seconds,
        "users": CLOSED_LOOP,
        "answered_per_s": round(len(answered) / seconds, 1),
        "p50_ms": percentiles(answered)["p50"],
    }


def talkers_within(capacity: dict[str, float]) -> int:
    """Talkers who together ask for SHARE of the capacity: each asks once in a pause and a latency."""
    pause = sum(HABIT.think_s) / len(HABIT.think_s)
    return min(MOST_TALKERS, max(1, int(SHARE * capacity["answered_per_s"] * (pause + capacity["p50_ms"] / 1000))))


WANTED = ("statuses", "photo_statuses", "stream_statuses", "spoken", "typed")
"""The tables of answers to what was right to ask."""


def judge(seen: dict[str, Any], seconds: float) -> dict[str, Any]:
    """A phase's tally with its shares."""
    answered, refused = seen.pop("latencies_ms"), seen.pop("refusals_ms")
    photos, streams, broken = seen.pop("photos_ms"), seen.pop("streams_ms"), seen.pop("unanswered")
    good = sum(seen[name].get("200", 0) for name in WANTED)
    deliberate = sum(seen[name].get("503", 0) for name in WANTED)
    sent = sum(sum(seen[name].values()) for name in WANTED) + len(broken)
    return {
        "seconds": seconds,
        **seen,
        "unanswered": len(broken),
        "unanswered_why": {name: broken.count(name) for name in sorted(set(broken))},
        "sent": sent,
        "availability": round((good + deliberate) / sent, 6) if sent else 0.0,
        "answered_share": round(good / sent, 6) if sent else 0.0,
        "answered_ms": percentiles(answered),
        "refused_ms": percentiles(refused),
        "photos_ms": percentiles(photos),
        "streams_ms": percentiles(streams),
    }


def floors(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The least of each minute of (seconds, value).

    While photos are read, memory rises and falls as the networks' arena fills and is given back. What a minute never
    falls below is nearer to what stays.
    """
    least: dict[int, tuple[float, float]] = {}
    for at_s, value in points:
        minute = int(at_s // 60)
        if minute not in least or value < least[minute][1]:
            least[minute] = (at_s, value)
    return list(least.values())


def trends(all_samples: list[Sample], begin_s: float, end_s: float) -> dict[str, float]:
    """Growth per hour of memory (MB), files and threads between two moments, after the first fifth of that time."""
    settled_s = begin_s + (end_s - begin_s) / 5
    samples = [sample for sample in all_samples if settled_s <= sample.at_s <= end_s]
    return {
        "rss_mb_per_h": round(slope_per_hour([(s.at_s, s.rss_mb) for s in samples]), 2),
        "rss_floor_mb_per_h": round(slope_per_hour(floors([(s.at_s, s.rss_mb) for s in samples])), 2),
        "heap_mb_per_h": round(slope_per_hour([(s.at_s, s.heap_mb) for s in samples if s.heap_mb is not None]), 2),
        "files_per_h": round(slope_per_hour([(s.at_s, s.files) for s in samples]), 2),
        "threads_per_h": round(slope_per_hour([(s.at_s, s.threads) for s in samples]), 2),
    }


def missed(result: dict[str, Any]) -> list[str]:
    """The limits that a run misses, in words."""
    mixed, within, process = result["mixed"], result["within"], result["process"]
    wrong = {s: n for s, n in mixed["refused"].items() if not s.startswith("4") and s != "503"}
    odd = {
        f"{phase} {kind} {status}": count
        for phase in ("mixed", "within")
        for kind in WANTED
        for status, count in odd_answers(result[phase][kind], "200", "503").items()
    }
    ended = {
        f"{phase} {status}": count
        for phase in ("mixed", "within")
        for status, count in odd_answers(result[phase]["ended"], "204", "404", "503").items()
    }
    found = {
        f"availability {mixed['availability']:.4%} is below {AVAILABLE:.1%}": mixed["availability"] < AVAILABLE,
        f"within capacity {within['answered_share']:.4%} were answered with 200, below {AVAILABLE:.1%}": (
            within["answered_share"] < AVAILABLE
        ),
        f"broken recordings were answered with {wrong}": bool(wrong),
        f"answers other than 200 and a deliberate 503: {odd}": bool(odd),
        f"ends of sessions were answered with {ended}": bool(ended),
        f"{mixed['streams'].get('broken', 0)} event streams broke": mixed["streams"].get("broken", 0) > 0,
        f"resident memory {process['rss_max_mb']} MB is over {RSS_MB:g} MB": process["rss_max_mb"] > RSS_MB,
    }
    if mixed["seconds"] >= TREND_S:
        grown = result["trends"]["mixed"]
        found |= {
            f"the heap in use grows by {grown['heap_mb_per_h']} MB an hour": grown["heap_mb_per_h"] > HEAP_MB_PER_H,
            "the appliance said nothing of its heap": not result["process"].get("heap_samples"),
            f"open files grow by {grown['files_per_h']} an hour": grown["files_per_h"] > FILES_PER_H,
            f"threads grow by {grown['threads_per_h']} an hour": grown["threads_per_h"] > THREADS_PER_H,
        }
    return [words for words, is_missed in found.items() if is_missed]


def plot(path: Path, observer: Observer, mixed_s: float) -> None:
    """Memory, files and threads over the whole run."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(19, 4), layout="constrained")
    shown = {"rss_mb": "resident MB", "heap_mb": "heap in use, MB", "files": "open files", "threads": "threads"}
    for axis, (name, label) in zip(axes, shown.items(), strict=True):
        points = [(s.at_s / 60, getattr(s, name)) for s in observer.samples if getattr(s, name) is not None]
        axis.plot(*zip(*points, strict=True), color="#0b5d56")
        axis.axvline(mixed_s / 60, color="#8a9a95", linestyle=":")
        axis.set(xlabel="minutes", ylabel=label, ylim=(0, None))
    axes[0].set(title="mixed traffic, then a crowd within capacity")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> int:
    """Soak, print, write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="of both phases together, 0.2 to 120")
    parser.add_argument("--talkers", type=int, default=TALKERS_MIXED, help="talkers amid the mixed traffic")
    parser.add_argument("--within", type=int, help="talkers of the last third; default: half the measured capacity")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--out", type=Path, help="folder for soak.json and soak.png")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not 0.2 <= arguments.minutes <= 120:
        parser.error("expected --minutes of 0.2 to 120")
    allow_files(max(arguments.talkers, arguments.within or MOST_TALKERS) + SPARE_FILES)
    mixed_s, within_s = arguments.minutes * 40, arguments.minutes * 20
    with started() as (url, pid):
        deaf = hearing(url)
        observer = Observer(pid, url)
        observer.start()
        began = time.perf_counter()
        mixed = judge(run_visitors(url, mixed_s, arguments.talkers, "--mixed", *([] if deaf else ["--hears"])), mixed_s)
        capacity = measure_capacity(url, min(CAPACITY_S, within_s))
        talkers = arguments.within or talkers_within(capacity)
        print(f"capacity {capacity['answered_per_s']:g} turns a second; {talkers} talkers come", flush=True)
        within_began = time.perf_counter() - began
        within = judge(run_visitors(url, within_s, talkers), within_s)
        observer.stop()
    result = {
        "machine": describe(),
        "minutes": arguments.minutes,
        "left_out": {"spoken": deaf} if deaf else {},
        "mixed": mixed,
        "capacity": capacity | {"talkers": talkers},
        "within": within,
        "process": observer.summary(),
        "trends": {
            "mixed": trends(observer.samples, 0, mixed_s),
            "within": trends(observer.samples, within_began, within_began + within_s),
        },
    }
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    print(f"availability {mixed['availability']:.4%} of {mixed['sent']} sent, (200 + deliberate 503) / sent")
    if deaf:
        print(f"whole recordings were left out: {deaf}")
    offered = round(within["sent"] / within_s, 1)
    print(f"capacity {capacity['answered_per_s']:g} turns a second; {talkers} talkers offered {offered:g}")
    print(f"within capacity {within['answered_share']:.4%} of {within['sent']} answered with 200")
    for phase, grown in result["trends"].items():
        print(f"{phase}: " + ", ".join(f"{name} {value:+g}" for name, value in grown.items()))
    if arguments.json:
        arguments.json.write_text(text, "utf-8")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "soak.json").write_text(text, "utf-8")
        plot(arguments.out / "soak.png", observer, mixed_s)
    failures = missed(result)
    for words in failures:
        print(f"FAIL: {words}")
    return int(arguments.check and bool(failures))


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent)  # the visitors are started as a module of this folder
    sys.exit(main())
