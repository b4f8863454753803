"""The figures of one machine as Markdown: machine, a table for each network, why rows are empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.engines.measure import MEASURED
from benchmarks.engines.result import facts_of, missed, sizes_of, state_of

HEAD = ("backend", "precision", "shape", "p50 ms", "p90 ms", "p99 ms", "CPU ms", "runs", "runs/s", "mW", "J per run")
SUMS = ("network", "backend", "precision", "metric", "score", "gate", "load ms", "first run ms", "MB", "device MB")


BUSY = 0.5
"""Share of the cores that others may use before latencies are theirs, too."""


def markdown(result: Mapping[str, Any]) -> str:
    """The whole page."""
    parts = [
        "# Engines",
        facts_of(result) + ".",
        f"{result['rounds']} rounds of {result['seconds']:g} s for each row and shape, the rows of a network in turn, "
        "each in a process of its own, one run after the other. MB is resident memory and device MB device memory "
        "that loading and running it added. CPU ms is the mean processor time of a run, all its threads. A percentile "
        "of few runs is the slowest of them: see their number." + _busy(result),
        _power(result),
        "## Scores, times to load, memory",
        table(SUMS, (_sums(row) for row in result["rows"])),
    ]
    for network, facts in result["networks"].items():
        rows = [row for row in result["rows"] if row["network"] == network]
        parts += [
            f"## {network}",
            f"{facts['model']}, ONNX {facts['onnx'][:16]}." + _board(facts),
            table(HEAD, (cells for row in rows for cells in _cells(row))),
        ]
    reasons = dict.fromkeys(f"- {row['backend']}: {row['reason']}" for row in result["rows"] if row["reason"])
    if reasons:
        parts += ["## Why rows are empty", "\n".join(reasons)]
    if wrong := missed(result):
        parts += ["## Missed", "\n".join(f"- {sentence}" for sentence in wrong)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def number(value: float | None) -> str:
    """Three significant digits; empty for what was not measured."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def score(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Metric, value and gate of a row."""
    if row["metric"] is None:
        return ("", "", "")
    return (row["metric"], "" if row["value"] is None else f"{row['value']:.4f}", f"{row['threshold']:g}")


def _busy(result: Mapping[str, Any]) -> str:
    load, cores = result["load_before"], result["machine"]["cores"]
    if load < cores * BUSY:
        return ""
    return f" The machine was busy before anything ran (load {load:g} on {cores} cores): only CPU ms can be relied on."


def _power(result: Mapping[str, Any]) -> str:
    if result["rails"] is None:
        return "This machine has no power rails that can be read: mW and J are empty."
    rails = result["rails"]
    idle = f", {number(rails['idle_mw'])} mW when idle" if rails["idle_mw"] is not None else ""
    return f"Power is that of {' + '.join(rails['of'])} in power mode {result['machine']['power_mode']}{idle}."


def _board(facts: Mapping[str, Any]) -> str:
    """Temperatures and clocks before and after; empty where the machine tells none."""
    said = []
    for name, unit in (("celsius", "°C"), ("megahertz", "MHz")):
        before, after = facts["before"][name], facts["after"][name]
        listed = [f"{key} {number(before[key])} → {number(after[key])}" for key in before if key in after]
        said += [f" {unit}: {', '.join(listed)}."] if listed else []
    return "".join(said)


def _sums(row: Mapping[str, Any]) -> Sequence[str]:
    head = (row["network"], row["backend"], row["precision"])
    if row["state"] != MEASURED:
        metric, _, gate = score(row)
        return (*head, metric, state_of(row), gate, "", "", "", "")
    figures = (number(row[name]) for name in ("load_ms", "warm_ms", "resident_mb", "device_mb"))
    return (*head, *score(row), *figures)


def _cells(row: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    head = (row["backend"], row["precision"])
    if row["state"] != MEASURED:
        yield (*head, state_of(row), *[""] * 8)
    for shape in row["shapes"]:
        latency = [number(shape[f"p{share}_ms"]) for share in (50, 90, 99)]
        rest = [number(shape[name]) for name in ("runs_per_s", "milliwatts", "joules")]
        yield (*head, sizes_of(shape) + (f" ({shape['error']})" if shape["error"] else ""), *latency,
               number(shape["cpu_ms"]), str(shape["runs"]), *rest)  # fmt: skip
