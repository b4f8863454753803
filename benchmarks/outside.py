"""Locust against the appliance: the same customers from another program, as a second opinion on benchmarks.load.

`python -m benchmarks.outside --locust PATH [--users N] [--seconds S] [--check] [--json OUT]` starts the appliance as
its own process and runs benchmarks/locustfile.py headless for a bounded time. `--check` exits 1 on any failure that
Locust saw, or when nothing was answered; 503 with Retry-After is a deliberate refusal and no failure. `make locust`
does it.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.http import started
from benchmarks.machine import describe
from benchmarks.observe import Observer
from benchmarks.users import SPARE_FILES, allow_files

LOCUSTFILE = Path(__file__).parent / "locustfile.py"


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


def run_locust(program: Path, url: str, users: int, seconds: int, folder: Path) -> int:
    """Locust's exit code: 0 when it saw no failure."""
    command = [
        str(program), "-f", str(LOCUSTFILE), "--headless", "--host", url, "--users", str(users),
        "--spawn-rate", str(max(1, users // 3)), "--run-time", f"{seconds}s", "--stop-timeout", "10",
        "--csv", str(folder / "run"), "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "1",
    ]  # fmt: skip
    return subprocess.run(command, timeout=seconds + 90, check=False, stdout=sys.stderr).returncode


def main() -> int:
    """Measure, print, write and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locust", type=Path, required=True, help="the locust program")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not arguments.locust.is_file():
        parser.error(f"--locust: expected the program, got {arguments.locust}; `make locust` installs it")
    allow_files(arguments.users + SPARE_FILES)
    with started() as (url, pid), tempfile.TemporaryDirectory() as folder:
        observer = Observer(pid)
        observer.start()
        code = run_locust(arguments.locust, url, arguments.users, arguments.seconds, Path(folder))
        observer.stop()
        seen = tables(Path(folder))
    result = {
        "machine": describe(),
        "users": arguments.users,
        "seconds": arguments.seconds,
        "exit": code,
        "locust": seen,
        "process": observer.summary(),
    }
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if arguments.json:
        arguments.json.write_text(text, "utf-8")
    answered = seen.get("turn", {}).get("requests", 0)
    missed = [*seen["failures"], *(["no turn was answered"] if not answered else [])]
    missed += [f"locust ended with {code}"] if code and not missed else []
    for words in missed:
        print(f"FAIL: {words}")
    return int(arguments.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
