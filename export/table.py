"""The table of `python -m export.all`: a row for every precision of every network, as Markdown and for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.steps import ARRIVE, MEASURE, PREPARE, REBUILD, in_halves, result
from export.variants import Network

HEAD = ("network", "precision", "for", "MB", "parity", "metric", "value", "needs", "CPU ms", "")
NOTE = """\
Parity: largest difference of any output to float32's on the model's cases; of float32 itself to PyTorch's or to the
file that it is prepared of. CPU ms: of one thread for one case, all precisions of a network by turns. ONNX Runtime's
CPU computes fp16 files in float32: what they score in real halves stands in brackets."""


@dataclass(frozen=True, slots=True)
class Row:
    """One precision of one network."""

    network: str
    """MODEL/FILE."""
    precision: str
    """fp32, fp16 or int8, and the recipe that made it."""
    backends: tuple[str, ...]
    """Which backends prefer it; none for float32 and where the manifest does not make it."""
    bytes: int | None
    """Size of its file; None where there is none."""
    parity: float | None
    """Largest difference of a floating output; None where it was compared with nothing."""
    differing: float | None
    """Share of the whole numbers in the outputs that differ; None where there are none."""
    metric: str
    """Task metric."""
    value: float | None
    """What it scores; None where it could not be made."""
    halves: float | None
    """What it scores in real halves."""
    threshold: float
    """What it has to score."""
    cpu_ms: float | None
    """CPU time of a run."""
    problem: str
    """Why it was refused; empty where it was not."""
    promised: bool
    """True when the manifest has it made, so that a refusal is a failure."""

    @property
    def failed(self) -> bool:
        """True when what the manifest promises is not there."""
        return bool(self.problem) and self.promised

    @property
    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        parity = "" if self.parity is None else f"{self.parity:.1e}"
        if self.differing is not None:
            parity += f", {self.differing:.1%} ids"
        value = "" if self.value is None else f"{self.value:.4f}"
        if self.halves is not None:
            value += f" ({self.halves:.4f})"
        return (
            self.network,
            self.precision,
            ", ".join(self.backends) if self.promised else "tried only",
            "" if self.bytes is None else f"{self.bytes / 1e6:.2f}",
            parity,
            self.metric,
            value,
            f"{self.threshold:g}",
            "" if self.cpu_ms is None else f"{self.cpu_ms:.2f}",
            "refused" if self.problem else "",
        )


def rows(network: Network, root: Path) -> list[Row]:
    """Rows of a network whose steps have their results in `root`; float32 first."""
    gate = network.spec.gate
    metric, threshold = (gate.metric, gate.threshold) if gate else ("", 0.0)
    measured = result(root / MEASURE)
    whole = measured["files"]["fp32"]
    origin = result(root / REBUILD).get("torch", result(root / PREPARE).get("parity"))
    value = float(measured["value"])
    low = f"{network.name}: expected {metric} of at least {threshold}, got {value}" if not value >= threshold else ""
    found = [
        Row(
            network=network.name,
            precision="fp32",
            backends=(),
            bytes=whole["bytes"],
            parity=origin,
            differing=None,
            metric=metric,
            value=value,
            halves=None,
            threshold=threshold,
            cpu_ms=whole["cpu_ms"],
            problem=low,
            promised=True,
        )
    ]
    for variant in network.variants:
        made, halves = result(root / variant.step), result(root / in_halves(variant.step))
        figures: dict[str, Any] = measured["files"].get(variant.step, {})
        found.append(
            Row(
                network=network.name,
                precision=f"{variant.made.precision} {variant.made.recipe}",
                backends=variant.backends,
                bytes=figures.get("bytes"),
                parity=figures.get("parity"),
                differing=figures.get("differing"),
                metric=metric,
                value=made.get("value"),
                halves=halves.get("value"),
                threshold=threshold,
                cpu_ms=figures.get("cpu_ms"),
                problem=made.get("problem") or halves.get("problem", ""),
                promised=variant.promised,
            )
        )
    return found


def checks(network: Network, root: Path) -> list[str]:
    """What was checked of a network before it was built on, a sentence each."""
    found = []
    if again := result(root / REBUILD):
        same = "byte for byte the shipped file" if again["identical"] else "not the same bytes as the shipped file"
        found.append(
            f"exported anew with the shipped weights: {again['torch']:.1e} from PyTorch at {again['shapes']} sizes, "
            f"{again['shipped']:.1e} from the shipped file on the cases, {same}"
        )
    seen = result(root / ARRIVE)
    slim = seen["slim"]
    used = f"not used: {slim['why']}" if slim["why"] else f"{slim['size'] / 1e6:.2f} MB, {slim['difference']:.1e} apart"
    found.append(
        f"{seen['file']} has opset {seen['opset']} and IR {seen['ir']}, runs at {seen['shapes']} sizes; "
        f"onnxslim {used}; {_oldest(seen)}"
    )
    if made := result(root / PREPARE):
        found.append(f"made of {seen['file']}: {made['parity']:.1e} apart on the cases; {_oldest(made)}")
    return found


def _oldest(seen: Mapping[str, Any]) -> str:
    apart = "not here (make .venv-ort1232/.done)" if seen["oldest"] is None else f"{seen['oldest']:.1e} apart"
    return f"ONNX Runtime 1.23.2 {apart}"


def markdown(found: Sequence[Row], checked: Sequence[tuple[str, str]], remarks: Sequence[str]) -> str:
    """The page: table, why rows were refused, what was checked, and remarks."""
    lines = ["# Every network in every precision", "", f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    lines += [f"| {' | '.join(row.cells)} |" for row in found]
    lines += ["", NOTE]
    if refused := [row for row in found if row.problem]:
        lines += ["", "## Refused", ""]
        lines += [f"- {row.network} {row.precision}: {row.problem}" for row in refused]
    lines += ["", "## Checked", "", *(f"- {name}: {what}" for name, what in checked)]
    lines += ["", *remarks] if remarks else []
    return "\n".join(lines) + "\n"


def plain(found: Sequence[Row]) -> str:
    """The table in columns, for a terminal or a log."""
    cells = [HEAD, *(row.cells for row in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    aligned = (
        str.ljust,
        str.ljust,
        str.ljust,
        str.rjust,
        str.rjust,
        str.ljust,
        str.rjust,
        str.rjust,
        str.rjust,
        str.ljust,
    )
    return "\n".join(
        "  ".join(align(text, width) for align, text, width in zip(aligned, row, widths, strict=True)).rstrip()
        for row in cells
    )
