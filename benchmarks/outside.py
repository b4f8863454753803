"""Locust against the appliance: the crowds of benchmarks.load from another program, as a second opinion.

`python -m benchmarks.outside --locust PATH [--users N] [--seconds S] [--phases P ...] [--check] [--json OUT]` starts
the appliance as its own process and runs benchmarks/locustfile.py headless, once for each habit of benchmarks.load
that has no photos: `think` and `retry`. `--check` exits 1 on what that one calls a miss as far as Locust sees it: p99
of the 200s over 1 s, any answer later than 2 s, too few 200s, resident memory over 600 MB, and any failure; a
deliberate 503 is none. It refuses fewer than 2,000 users or less than 60 s unless `--short` says that this is meant.
`make locust` does it.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.load import P99_MS, RSS_MB, SECONDS, USERS, floor_per_s
from benchmarks.machine import describe
from benchmarks.observe import Observer, Probe
from benchmarks.serving import started
from benchmarks.tally import LATE_S, percentiles
from benchmarks.users import SPARE_FILES, allow_files

LOCUSTFILE = Path(__file__).parent / "locustfile.py"
PHASES: dict[str, tuple[str, ...]] = {"think": (), "retry": ("--retry", "1")}
"""Options of locustfile.py in each phase."""
ARRIVE_S = 3
"""Seconds in which all users arrive, as they do in benchmarks.load."""
USERS_EACH = 900
"""Users that one process of Locust plays: its HTTP client cannot tell more connections apart (see locustfile.py)."""


def row_of(row: dict[str, str]) -> dict[str, float]:
    """What is kept of a line of Locust's table; its empty cells (no request of that name) are zeros."""
    names = {"50%": "p50_ms", "95%": "p95_ms", "99%": "p99_ms", "Max Response Time": "max_ms"}
    kept = {"requests": float(row["Request Count"]), "failures": float(row["Failure Count"])}
    kept["per_s"] = round(float(row["Requests/s"] or 0), 1)
    return kept | {ours: round(float(row[theirs] or 0), 1) for theirs, ours in names.items() if row[theirs] != "N/A"}


def tables(folder: Path) -> dict[str, Any]:
    """Locust's two tables: requests by name, and what failed."""
    with (folder / "run_stats.csv").open(newline="", encoding="utf-8") as file:
        found: dict[str, Any] = {row["Name"]: row_of(row) for row in csv.DictReader(file)}
    with (folder / "run_failures.csv").open(newline="", encoding="utf-8") as file:
        found["failures"] = [f"{row['Occurrences']} x {row['Name']}: {row['Error']}" for row in csv.DictReader(file)]
    return found


def run_locust(
    program: Path, url: str, users: int, seconds: int, habit: tuple[str, ...], folder: Path
) -> tuple[int, float]:
    """Locust's exit code, 0 when it saw no failure, and the processor seconds that it took."""
    command = [
        str(program), "-f", str(LOCUSTFILE), "--headless", "--host", url, "--users", str(users),
        "--spawn-rate", str(max(1, users // ARRIVE_S)), "--run-time", f"{seconds}s", "--stop-timeout", "10",
        "--csv", str(folder / "run"), "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "1",
        "--lateness", str(folder), "--processes", str(-(-users // USERS_EACH)), *habit,
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = subprocess.run(command, timeout=seconds + 90, check=False, stdout=sys.stderr).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(program: Path, url: str, pid: int, users: int, seconds: int, habit: tuple[str, ...]) -> dict[str, Any]:
    """One phase: what Locust saw, what the process did meanwhile, how late Locust was, and what a probe waited.

    Locust counts from before it sends to after it has been woken: with one thread for all users it waits for itself,
    too. Its own lateness, its share of a core, and a probe from another process say how much of a late answer is its.
    They are printed to be read; nothing is subtracted from what Locust measured.
    """
    observer, probe = Observer(pid), Probe(url)
    observer.start()
    probe.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            code, cpu_s = run_locust(program, url, users, seconds, habit, Path(folder))
            seen = tables(Path(folder))
            late_ms = [ms for late in Path(folder).glob("late-*.json") for ms in json.loads(late.read_text("utf-8"))]
    finally:
        observer.stop()
        probe.stop()
    return {
        "users": users,
        "seconds": seconds,
        "exit": code,
        "locust": seen,
        "locust_cores": round(cpu_s / seconds, 2),
        "locust_late_ms": percentiles(late_ms),
        "probe_ms": percentiles([ms for _, ms in probe.taken]),
        "process": observer.summary(),
    }


def missed(phases: dict[str, dict[str, Any]]) -> list[str]:
    """The limits that the phases miss, in words."""
    found: dict[str, bool] = {}
    for name, phase in phases.items():
        seen, rss = phase["locust"], phase["process"].get("rss_max_mb")
        turns = seen.get("turn", {})
        p99, per_s, floor = turns.get("p99_ms"), turns.get("per_s", 0.0), floor_per_s(phase["users"])
        slowest = {key: row.get("max_ms", 0.0) for key, row in seen.items() if key not in ("failures", "Aggregated")}
        late = {key: longest for key, longest in slowest.items() if longest > LATE_S * 1000}
        found |= {f"{name}: {words}": True for words in seen["failures"]}
        found |= {
            f"{name}: no turn was answered": not turns.get("requests"),
            f"{name}: p99 of the 200s {p99} ms is over {P99_MS:g} ms": p99 is not None and p99 > P99_MS,
            f"{name}: {per_s:g} x 200 a second is below {floor:g}": per_s < floor,
            f"{name}: answers later than {LATE_S:g} s: {late}": bool(late),
            f"{name}: resident memory {rss} MB is over {RSS_MB:g} MB": rss is None or rss > RSS_MB,
            f"{name}: locust ended with {phase['exit']}": bool(phase["exit"]) and not seen["failures"],
        }
    return [words for words, is_missed in found.items() if is_missed]


def main() -> int:
    """Measure, print, write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locust", type=Path, required=True, help="the locust program")
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--seconds", type=int, default=int(SECONDS), help="seconds of each phase")
    parser.add_argument("--phases", nargs="+", choices=tuple(PHASES), default=list(PHASES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--short", action="store_true", help="check a run that is smaller than the issue's")
    arguments = parser.parse_args()
    if not arguments.locust.is_file():
        parser.error(f"--locust: expected the program, got {arguments.locust}; `make locust` installs it")
    short = arguments.users < USERS or arguments.seconds < SECONDS or len(set(arguments.phases)) < len(PHASES)
    if short and arguments.check and not arguments.short:
        parser.error(
            f"not the issue's size: expected at least {USERS} users and {SECONDS:g} s in all phases; --short checks it "
            "all the same"
        )
    allow_files(arguments.users + SPARE_FILES)
    phases: dict[str, dict[str, Any]] = {}
    with started() as (url, pid):
        for name in arguments.phases:
            phases[name] = measure(arguments.locust, url, pid, arguments.users, arguments.seconds, PHASES[name])
    text = json.dumps({"machine": describe(), "short": short, "phases": phases}, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if arguments.json:
        arguments.json.write_text(text, "utf-8")
    failures = missed(phases)
    for words in failures:
        print(f"FAIL: {words}")
    if short:
        print("NOTE: not the issue's size")
    return int(arguments.check and bool(failures))


if __name__ == "__main__":
    sys.exit(main())
