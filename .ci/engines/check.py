"""`make engines-check`: all that can be proven of the engines on a machine without a GPU, and one summary of it.

`check.py --tests PYTHON [--also MODELS WORK]` (as `build.py` takes it), run by the interpreter of `.venv-engines`.
Every step is a process of its own, so that one that dies (native code) is a failure of that step. Artefacts lie in
var/engines-check/.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
OUT = ROOT / "var" / "engines-check"
DRILLS = ("tests/inference/tensorrt", "tests/e2e/test_drills.py", "tests/artifacts/test_engines_disk.py")


def drills(report: Path) -> tuple[str, list[str]]:
    """What the tests on the fakes came to, from pytest's own report; and what is wrong."""
    if not report.is_file():
        return "fake drills: none", [f"fake drills: expected pytest to report on {' '.join(DRILLS)}, found nothing"]
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    fates: Counter[str] = Counter()
    wrong = []
    for case in cases:
        fate = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        fates[fate] += 1
        if fate != "passed":
            wrong.append(f"fake drills: {case.get('classname')}.{case.get('name')}: {fate}")
    if not cases:
        wrong.append(f"fake drills: expected tests in {' '.join(DRILLS)}, found none")
    return f"fake drills: {', '.join(f'{n} {fate}' for fate, n in sorted(fates.items())) or 'none'}", wrong


def builds(report: Path) -> tuple[str, list[str]]:
    """What the builds came to, from build.json; and what is wrong."""
    if not report.is_file():
        return "builds: none", ["builds: expected a report, the builder left none"]
    made: dict[str, Any] = json.loads(report.read_text("utf-8"))
    rows, targets = made["files"], made["capabilities"]
    precisions = Counter(row["precision"] for row in rows)
    wrong = [f"{row['network']} in {row['precision']}: {said}" for row in rows for said in row["problems"]]
    text = (
        f"builds: {len({row['network'] for row in rows})} networks in {len(rows)} files "
        f"({', '.join(f'{n} {precision}' for precision, n in sorted(precisions.items()))}): "
        f"{sum(len(row['plans']) for row in rows)} of {len(rows) * len(targets)} plans built for {', '.join(targets)}; "
        f"{sum(row['supported'] for row in rows)} of {len(rows)} fully supported by Polygraphy's report"
    )
    return text, [*wrong, *made["problems"]]


def names(report: Path) -> tuple[list[str], list[str]]:
    """What the check of names came to, from names.json; and what is wrong."""
    if not report.is_file():
        return ["names: none"], ["names: expected a report, the check left none"]
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    by: dict[str, list[str]] = {}
    for name in found["guarded"]:
        by.setdefault(", ".join(found["names"][name]) or "no version", []).append(name)
    lines = [
        f"names: {len(found['names'])} of TensorRT's API checked, {len(found['guarded'])} of them behind a guard"
        + (":" if by else "")
    ]
    lines += [f"  only guarded, in {versions}: {', '.join(held)}" for versions, held in by.items()]
    return lines, list(found["problems"])


def main() -> int:
    """Run the steps, print the summary and write summary.json; 1 when anything failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", type=Path, required=True, help="the interpreter that has the tests' environment")
    parser.add_argument("--also", nargs=2, metavar=("MODELS", "WORK"), default=[], help="further models to build")
    given = parser.parse_args()
    also = ["--also", *given.also] if given.also else []
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    cache = Path(sys.prefix) / "bindings"
    xml = OUT / "drills.xml"
    pytest = [given.tests.absolute(), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={xml}", *DRILLS]
    steps: dict[str, list[str | Path]] = {
        "names": [sys.executable, HERE / "names.py", "--cache", cache, "--report", OUT / "names.json"],
        "builds": [sys.executable, HERE / "build.py", "--out", OUT, *also],
        "fake drills": [str(part) for part in pytest],
    }
    seconds: dict[str, float] = {}
    problems = []
    for step, command in steps.items():
        print(f"-- {step}", flush=True)
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, check=False)
        seconds[step] = round(time.monotonic() - began, 1)
        if done.returncode != 0:
            problems.append(f"{step}: ended with {done.returncode}")
    (built, unbuilt), (named, missing) = builds(OUT / "build.json"), names(OUT / "names.json")
    drilled, undrilled = drills(xml)
    lines = [built, *named, drilled, "seconds: " + ", ".join(f"{step} {took:.0f}" for step, took in seconds.items())]
    problems = [*unbuilt, *missing, *undrilled, *problems]
    summary = {"lines": lines, "seconds": seconds, "problems": problems}
    (OUT / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print("== engines-check", *lines, *(f"FAIL {' '.join(said.split())}" for said in problems), sep="\n")
    print(f"reports: {OUT.relative_to(ROOT)}/" + ("" if problems else "; all passed"))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
