"""Checks every name of TensorRT's API that the project uses against the real bindings of three versions.

`names.py --cache FOLDER [--report FILE]`. A name need not be in TensorRT-RTX, but may be guarded for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from bindings import REQUIRED, Unprovable, probe
from uses import Use, uses

ROOT = Path(__file__).parent.parent.parent
SOURCES = ("appliance", "benchmarks", "export")


@dataclass(frozen=True)
class Report:
    """What was found."""

    names: Mapping[str, Sequence[str]]
    """Every name to the versions that have it, `rtx` among them."""
    guarded: Sequence[str]
    """Names that are used behind a guard only."""
    files: Sequence[str]
    """Files that use TensorRT."""
    problems: Sequence[str]
    """Names that are missing where they are used."""


def judge(found: Iterable[Use], exists: Mapping[str, set[str]], required: Sequence[str] = REQUIRED) -> Report:
    """Compare uses with what exists, by version.

    A name without a guard has to exist in every required version. One behind a guard has to exist in every version,
    required or not, in which the guard finds what it asks for; and in one version at least, else it is a slip of the
    pen that no machine would ever show.
    """
    found = list(found)
    problems: list[str] = []
    for use in found:
        have = [version for version in exists if use.name in exists[version]]
        if use.noted:
            needed = []
        elif use.behind:
            needed = [version for version in exists if use.behind <= exists[version]]
        else:
            needed = list(required)
        missing = [version for version in needed if version not in have]
        if missing:
            problems.append(
                f"{use.where}: {use.name}: expected in {', '.join(needed)}, missing in {', '.join(missing)}; ask for "
                f"it by getattr or hasattr, or rename the variable if it is no {use.name.partition('.')[0]}"
            )
        elif not have:
            problems.append(f"{use.where}: {use.name}: expected in one version at least, found in none")
    everywhere = {use.name for use in found if not use.guarded}
    names = {use.name: [version for version in exists if use.name in exists[version]] for use in found}
    return Report(
        names=dict(sorted(names.items())),
        guarded=sorted(set(names) - everywhere),
        files=sorted({use.where.rpartition(":")[0] for use in found}),
        problems=list(dict.fromkeys(problems)),
    )


def collect(root: Path = ROOT) -> list[Use]:
    """Every use in the project's sources."""
    files = sorted(path for folder in SOURCES for path in (root / folder).rglob("*.py"))
    return [use for path in files for use in uses(path.read_text("utf-8"), path.relative_to(root).as_posix())]


def told(report: Report) -> list[str]:
    """What to print: the counts, and the guarded names with the versions that have them."""
    plain = len(report.names) - len(report.guarded)
    lines = [
        f"names: {len(report.names)} of TensorRT's API in {len(report.files)} files against {', '.join(REQUIRED)}: "
        f"{plain} used everywhere, {len(report.guarded)} behind a guard, {len(report.problems)} problems"
    ]
    width = max(map(len, report.guarded), default=0)
    lines += [f"  guarded: {name:{width}}  in {', '.join(report.names[name]) or 'none'}" for name in report.guarded]
    return lines + [f"  FAIL {problem}" for problem in report.problems]


def main() -> int:
    """Print what was found; 1 when a name is missing, 2 when it cannot be told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True, help="folder for the wheels of the bindings")
    parser.add_argument("--report", type=Path, help="JSON file to write")
    given = parser.parse_args()
    found = collect()
    try:
        exists = probe({name for use in found for name in (use.name, *use.behind)}, given.cache)
    except Unprovable as error:
        print(f"FAIL names: {error}")
        return 2
    report = judge(found, exists)
    if given.report:
        given.report.write_text(json.dumps(asdict(report), indent=1) + "\n", "utf-8")
    print("\n".join(told(report)))
    return int(bool(report.problems) or not report.names)


if __name__ == "__main__":
    sys.exit(main())
