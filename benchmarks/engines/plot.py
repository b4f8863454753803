"""A picture of all latencies: a row for each network and shape, a point at p50 and a line to p99, on a log axis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.engines.result import sizes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"fp32": "#0b5d56", "fp16": "#d98a12", "int8": "#2f6fb0"}
MARKS = {"tensorrt": "D", "onnxruntime-cuda": "^", "onnxruntime-cpu": "o"}
DPI = 100
APART = 0.22
"""Of a shape's height, between two rows of it, so that none hides another; more rows make a shape higher."""


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Write the picture; networks without a figure are left out."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    networks = {
        name: rows
        for name in result["networks"]
        if (rows := [row for row in result["rows"] if row["network"] == name and row["shapes"]])
    }
    heights = [len(rows[0]["shapes"]) * max(1.0, len(rows) * APART) + 1.2 for rows in networks.values()] or [1.0]
    figure, all_axes = pyplot.subplots(
        max(1, len(networks)),
        squeeze=False,
        sharex=True,
        figsize=(10, 1.4 + 0.34 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
    )
    labels: dict[str, Any] = {}
    for axes, (name, rows) in zip(all_axes[:, 0], networks.items(), strict=False):
        _network(axes, name, rows)
        handles, texts = axes.get_legend_handles_labels()
        labels |= dict(zip(texts, handles, strict=True))
    last = all_axes[-1, 0]
    last.set(xscale="log", xlabel="milliseconds of one run, point p50, line to p99 (log)")
    last.xaxis.set_major_formatter("{x:g}")
    machine = result["machine"]
    board = machine["board"] if machine["board"] != "not a Jetson" else machine["cpu"]
    figure.suptitle(f"{board}, power mode {machine['power_mode']}, {machine['commit']}", fontsize=10)
    if labels:
        figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=DPI, facecolor="white")
    pyplot.close(figure)


def _network(axes: Axes, name: str, rows: list[dict[str, Any]]) -> None:
    shapes = [sizes_of(shape) for shape in rows[0]["shapes"]]
    for number, row in enumerate(rows):
        shift = (number - (len(rows) - 1) / 2) * min(APART, 0.8 / len(rows))
        colour, mark = COLOURS.get(row["precision"], "#444444"), MARKS.get(row["backend"], "s")
        points = [(shape, at + shift) for at, shape in enumerate(row["shapes"]) if shape["p50_ms"]]
        for shape, at in points:
            axes.plot([shape["p50_ms"], shape["p99_ms"]], [at, at], color=colour, linewidth=1.5)
        axes.plot(
            [shape["p50_ms"] for shape, _ in points],
            [at for _, at in points],
            mark,
            color=colour,
            markersize=5,
            label=f"{row['backend']} {row['precision']}",
        )
    axes.set_yticks(range(len(shapes)), shapes, fontsize=8)
    axes.set_ylim(len(shapes) - 0.4, -0.6)
    axes.grid(axis="x", color="#d5dcda", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(name, fontsize=9, loc="left")
