"""Pictures of a result: recall, CPU time, stages and turned pages, on white so that they read in a dark page too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ocr.report import CPU, KEPT, ratio
from benchmarks.ocr.sides import OFF, ON, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {OFF: "#7fb8ae", ON: "#0b5d56", PEER: "#d98a12"}
NAMES = {OFF: "ours, page orientation off", ON: "ours, page orientation on", PEER: "peer"}
LIMIT = "#a02c1b"
STAGES = {
    "decode": "#8a9a95",
    "detect": "#0b5d56",
    "rectify": "#7fb8ae",
    "orient": "#d98a12",
    "recognise": "#2f6fb0",
    "layout": "#a02c1b",
}
"""Stages that are known by name; whatever else a side tells is drawn in grey."""
DPI = 80


def draw(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ocr-recall.png, ocr-cpu.png (with a peer), ocr-stages.png and ocr-turned.png into `folder`."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"recall": recall, "stages": stages, "turned": turned}
    if PEER in result["sides"]:
        pictures["cpu"] = cpu
    written = []
    for name, picture in pictures.items():
        rows = len(result["sides"]) * 1.5 if name == "stages" else len(result["images"])
        figure, axes = pyplot.subplots(figsize=(10, 1.6 + 0.28 * rows), layout="constrained")
        picture(result, axes)
        written.append(folder / f"ocr-{name}.png")
        figure.savefig(written[-1], dpi=DPI, facecolor="white")
        pyplot.close(figure)
    return written


def recall(result: Mapping[str, Any], axes: Axes) -> None:
    """Character recall of each labelled image."""
    images = [image for image in result["images"] if "score" in image["sides"][ON]]
    lowest = 1.0
    for side, mark, size in ((PEER, "o", 9), (ON, "D", 5)):
        if side in result["sides"]:
            values = [image["sides"][side]["score"]["recall"] for image in images]
            lowest = min([lowest, *values])
            label = f"{NAMES[side]}: {result['totals'][side]['recall']:.2%} of all"
            axes.plot(
                [100 * value for value in values], range(len(images)), mark, c=COLOURS[side], ms=size, label=label
            )
    _rows(axes, [image["name"] for image in images])
    axes.set(title="character recall", xlabel="% of the legible characters", xlim=(100 * lowest - 2, 101))
    _key(axes)


def cpu(result: Mapping[str, Any], axes: Axes) -> None:
    """Our CPU time by the peer's, for each image."""
    images = result["images"]
    for side, most in CPU.items():
        values = [ratio(image, side) for image in images]
        median = result["totals"][side]["cpu_ratio"]
        axes.plot(values, range(len(images)), "o", color=COLOURS[side], label=f"{NAMES[side]}: median {median:.2f}")
        axes.axvline(most, color=COLOURS[side], linestyle="--", label=f"limit of that median: {most:g}")
    axes.axvline(1, color="#8a9a95", linestyle=":")
    _rows(axes, [image["name"] for image in images])
    axes.set(title="CPU time, one thread each", xlabel="share of the peer's CPU time on the same image", xlim=(0, None))
    _key(axes)


def stages(result: Mapping[str, Any], axes: Axes) -> None:
    """Where the wall-clock time goes, over all images."""
    sides = list(result["sides"])
    told = {
        side: {
            stage: sum(image["sides"][side]["stages_ms"].get(stage, 0.0) for image in result["images"]) / 1000
            for image in result["images"]
            for stage in image["sides"][side]["stages_ms"]
        }
        for side in sides
    }
    names = list(dict.fromkeys([*STAGES, *(stage for side in sides for stage in told[side])]))
    left = [0.0] * len(sides)
    for name in names:
        widths = [told[side].get(name, 0.0) for side in sides]
        if any(widths):
            axes.barh([NAMES[side] for side in sides], widths, 0.6, left, color=STAGES.get(name, "#444444"), label=name)
            left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set(title=f"stages as each side tells them, {len(result['images'])} images", xlabel="s")
    _key(axes)


def turned(result: Mapping[str, Any], axes: Axes) -> None:
    """What each turned image keeps of the characters that the same side read upright."""
    images = result["images"]
    marks, lowest = {"90": "<", "180": "v", "270": ">"}, KEPT
    for side in (side for side in (PEER, ON) if side in result["sides"]):
        for angle, mark in marks.items():
            shares = [image["sides"][side]["kept"].get(angle) for image in images]
            points = [(100 * share, row) for row, share in enumerate(shares) if share is not None]
            if points:
                lowest = min(lowest, *(share / 100 for share, _ in points))
                axes.plot(*zip(*points, strict=True), mark, color=COLOURS[side], label=f"{NAMES[side]}, {angle}°")
    axes.axvline(100 * KEPT, color=LIMIT, linestyle="--", label=f"limit: {KEPT:.0%}")
    _rows(axes, [image["name"] for image in images])
    axes.set(title="turned clockwise", xlabel="% kept of the characters read upright", xlim=(100 * lowest - 2, 101))
    _key(axes)


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color="#d5dcda", linewidth=0.6)
    axes.set_axisbelow(True)


def _key(axes: Axes) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
