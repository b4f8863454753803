"""Figures of several boards on one page: `python -m benchmarks.report FILE... --out PAGE.md`.

FILE is the engines.json of `python -m benchmarks.engines --out FOLDER` on each board. The page has the machines on top
and a table for each network with the boards as columns: p50 / p99 in milliseconds, runs a second and, where a board has
rails, millijoules of a run. What no board has measured on TensorRT or CUDA says so. A file of another schema is
refused; where models, files of one precision or commits differ between boards, the page and stderr warn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engines.measure import FAILED, MEASURED
from benchmarks.engines.plan import ON_HARDWARE
from benchmarks.engines.result import NOT_YET, facts_of, load, sizes_of, state_of
from benchmarks.engines.table import number, score, table

NOTHING = "—"
"""A board whose file has no such row, or has nothing in it that another board has."""

Result = Mapping[str, Any]
Key = tuple[str, str]
"""Backend and precision."""


def page(results: Sequence[Result]) -> str:
    """The whole page in Markdown."""
    names = boards(results)
    parts = [
        "# Engines on several machines" if len(results) > 1 else "# Engines on one machine",
        "\n".join(
            f"- **{name}**: {facts_of(result)}; measured {result['measured_at']}"
            for name, result in zip(names, results, strict=True)
        ),
        "A cell is p50 / p99 in milliseconds of one run, runs a second and, where the board has power rails, "
        "millijoules of a run. Every row's first line is its score by the model's gate, time to load and memory added.",
    ]
    if found := warnings(results, names):
        parts.append("\n".join(f"- Warning: {sentence}" for sentence in found))
    for network in dict.fromkeys(name for result in results for name in result["networks"]):
        parts += [f"## {network}", table(("backend", "precision", "shape", *names), _lines(network, results))]
    return "\n\n".join(parts) + "\n"


def boards(results: Sequence[Result]) -> list[str]:
    """A short name for each machine, no two alike."""
    names: list[str] = []
    for result in results:
        machine = result["machine"]
        board = machine["board"] if machine["board"] != "not a Jetson" else machine["cpu"]
        name = board if machine["power_mode"] == "none" else f"{board}, {machine['power_mode']}"
        again = sum(known == name or known.startswith(f"{name} #") for known in names)
        names.append(f"{name} #{again + 1}" if again else name)
    return names


def warnings(results: Sequence[Result], names: Sequence[str]) -> list[str]:
    """A sentence for each network, and each ONNX file of it, that is not the same on all boards."""
    found: list[str] = []
    for network in dict.fromkeys(name for result in results for name in result["networks"]):
        hashes = {
            name: result["networks"][network]["onnx"][:16]
            for name, result in zip(names, results, strict=True)
            if network in result["networks"]
        }
        found += _unequal(network, "model", hashes)
        if len(set(hashes.values())) == 1:
            for backend, precision in _keys(network, results):
                if backend == "tensorrt":  # every engine is its own board's
                    continue
                files = {
                    name: row["sha256"]
                    for name, result in zip(names, results, strict=True)
                    if (row := _row(result, network, (backend, precision))) and row["sha256"]
                }
                found += _unequal(network, f"{precision} file on {backend}", files)
    commits = {name: result["machine"]["commit"] for name, result in zip(names, results, strict=True)}
    return [*found, *_unequal("project", "commit", commits)]


def _unequal(what: str, kind: str, values: Mapping[str, str]) -> Iterator[str]:
    if len(set(values.values())) > 1:
        said = "; ".join(f"{name} {value}" for name, value in values.items())
        yield f"{what}: expected the same {kind} on all machines, got {said}: figures are not of the same thing"


def _lines(network: str, results: Sequence[Result]) -> Iterator[Sequence[str]]:
    for key in _keys(network, results):
        rows = [_row(result, network, key) for result in results]
        if not any(row and row["state"] == MEASURED for row in rows):
            yield (*key, "", *(_empty(row, key[0]) for row in rows))
            continue
        yield (*key, "score, load, memory", *(_sums(row) for row in rows))
        listed = dict.fromkeys(sizes_of(shape) for row in rows if row for shape in row["shapes"])
        for sizes in listed:
            yield (*key, sizes, *(_timing(row, sizes) for row in rows))


def _keys(network: str, results: Sequence[Result]) -> list[Key]:
    """Backends and precisions of a network, in the order of the files."""
    return list(
        dict.fromkeys(
            (row["backend"], row["precision"])
            for result in results
            for row in result["rows"]
            if row["network"] == network
        )
    )


def _row(result: Result, network: str, key: Key) -> Mapping[str, Any] | None:
    return next(
        (row for row in result["rows"] if (row["network"], row["backend"], row["precision"]) == (network, *key)), None
    )


def _empty(row: Mapping[str, Any] | None, backend: str) -> str:
    """A cell of a row that no board has measured."""
    if row is not None and row["state"] == FAILED:
        return "failed"
    if backend in ON_HARDWARE:
        return NOT_YET
    return NOTHING if row is None else state_of(row)


def _sums(row: Mapping[str, Any] | None) -> str:
    if row is None or row["state"] != MEASURED:
        return "failed" if row is not None and row["state"] == FAILED else NOTHING
    metric, value, gate = score(row)
    said = [f"{metric} {value or 'not scored'} (gate {gate})"] if metric else []
    said.append(f"load {number(row['load_ms'])} ms")
    if row["resident_mb"] is not None:
        said.append(f"{number(row['resident_mb'])} MB")
    if row["device_mb"] is not None:
        said.append(f"{number(row['device_mb'])} MB on the device")
    return ", ".join(said)


def _timing(row: Mapping[str, Any] | None, sizes: str) -> str:
    shape = next((shape for shape in row["shapes"] if sizes_of(shape) == sizes), None) if row else None
    if shape is None or not shape["runs"]:
        return "failed" if shape is not None else NOTHING
    energy = f", {number(shape['joules'] * 1000)} mJ" if shape["joules"] is not None else ""
    return f"{number(shape['p50_ms'])} / {number(shape['p99_ms'])} ms, {number(shape['runs_per_s'])}/s{energy}"


def main() -> int:
    """Merge and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, metavar="PAGE.md", help="default: print it")
    arguments = parser.parse_args()
    try:
        results = [load(path) for path in arguments.files]
    except ValueError as error:
        parser.error(str(error))
    for sentence in warnings(results, boards(results)):
        print(f"warning: {sentence}", file=sys.stderr)
    if arguments.out:
        arguments.out.write_text(page(results), "utf-8")
    else:
        print(page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
