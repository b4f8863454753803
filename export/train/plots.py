"""Pictures beside a trained model: who is taken for whom, how honest the confidence is, how learning went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.train.calibrate import Bin

GREEN, RED, GREY = "#0b5d56", "#a02c1b", "#8a9a95"


def _pyplot() -> Any:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot


def confusion(
    path: Path, labels: Sequence[str], truth: npt.NDArray[np.integer], guess: npt.NDArray[np.integer]
) -> None:
    """Rows are what was meant, columns what was understood."""
    pyplot = _pyplot()
    counts = np.zeros((len(labels), len(labels)))
    np.add.at(counts, (truth, guess), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axis = pyplot.subplots(figsize=(3 + 0.3 * len(labels), 2.4 + 0.3 * len(labels)), layout="constrained")
    axis.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    axis.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    axis.set_yticks(range(len(labels)), labels, fontsize=7)
    for row, column in zip(*np.nonzero(counts), strict=True):
        dark = shares[row, column] > 0.6
        axis.text(
            column, row, int(counts[row, column]), ha="center", va="center", fontsize=6, color="w" if dark else "k"
        )
    axis.set(xlabel="understood", ylabel="meant")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def reliability(path: Path, curves: Mapping[str, Sequence[Bin]]) -> None:
    """Share of right answers against confidence, for each name."""
    pyplot = _pyplot()
    figure, axis = pyplot.subplots(figsize=(5, 4.6), layout="constrained")
    axis.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="honest")
    for (name, curve), colour in zip(curves.items(), (GREEN, RED, "#d98a12"), strict=False):
        axis.plot([b.confidence for b in curve], [b.accuracy for b in curve], marker="o", color=colour, label=name)
    axis.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axis.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def learning(path: Path, log: Sequence[Mapping[str, Any]]) -> None:
    """Loss and dev metrics by epoch, from the trainer's log."""
    pyplot = _pyplot()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    left.plot(
        *zip(*[(row["epoch"], row["loss"]) for row in log if "loss" in row], strict=True), color=GREEN, label="train"
    )
    left.plot(
        *zip(*[(row["epoch"], row["eval_loss"]) for row in log if "eval_loss" in row], strict=True),
        color=RED,
        label="dev",
    )
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    left.legend()
    names = sorted({name for row in log for name in row if name.startswith("eval_dev_")})
    for name, colour in zip(names, (GREEN, RED, "#d98a12", GREY), strict=False):
        points = [(row["epoch"], row[name]) for row in log if name in row]
        right.plot(*zip(*points, strict=True), marker="o", color=colour, label=name.removeprefix("eval_dev_"))
    right.set(xlabel="epoch", ylabel="on dev")
    right.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
