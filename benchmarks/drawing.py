"""Small pictures of courses over time, as SVG: lines over lines, with limits drawn through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Line = Sequence[tuple[float, float]]
COLOURS = ("#c2410c", "#1d4ed8")


@dataclass(frozen=True, slots=True)
class Panel:
    """One field of a picture."""

    label: str
    """What is drawn, with its unit."""
    lines: tuple[Line, ...]
    """(x, y), one line for each name; an empty one is not drawn."""
    limits: tuple[float, ...] = ()
    """Values through which a line is drawn."""


def draw(path: Path, title: str, panels: Sequence[Panel], names: Sequence[str], below: str) -> None:
    """Write the picture to `path`; the same courses make the same file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "appliance", "path.simplify_threshold": 0.5}):
        figure = Figure(figsize=(8, 1.8 * len(panels) + 0.6), layout="constrained")
        every = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(every, panels, strict=True):
            for line, name, colour in zip(panel.lines, names, COLOURS, strict=False):
                if line:
                    axes.plot(*zip(*line, strict=True), color=colour, linewidth=0.8, label=name)
            for limit in panel.limits:
                axes.axhline(limit, color="#888", linestyle="--", linewidth=0.8)
            axes.set_ylabel(panel.label)
            axes.margins(x=0)
        every[0].set_title(title, fontsize=9)
        every[0].legend(loc="upper right", fontsize=8)
        every[-1].set_xlabel(below)
        figure.savefig(path, metadata={"Date": None})
