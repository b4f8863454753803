"""A picture of accuracy against CPU time for all variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TIMES = {
    "teacher": "12-layer encoder fp32",
    "student fp32": "student fp32",
    "student int8": "student int8",
    "TF-IDF + LR": "TF-IDF + LR",
    "templates": "templates",
}
"""Variant to the entry of `cpu_ms` that is its time."""


def accuracy_and_time(path: Path, result: dict[str, Any]) -> None:
    """Draw accuracy in scope, clean and noisy, against the median CPU milliseconds of one sentence on one thread."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4.6), layout="constrained")
    for name, time in TIMES.items():
        if name not in result["variants"] or time not in result["cpu_ms"]:
            continue
        x, intent = result["cpu_ms"][time]["median"], result["variants"][name]["intent"]
        axis.plot([x, x], [intent["accuracy_noisy"], intent["accuracy_clean"]], color="#8a9a95", zorder=1)
        axis.scatter([x], [intent["accuracy"]], s=60, color="#0b5d56", zorder=2)
        axis.annotate(f"{name}\n{intent['accuracy']:.3f}, {x:.1f} ms", (x, intent["accuracy"]), (8, -4),
                      textcoords="offset points", fontsize=8)  # fmt: skip
    axis.set(
        xscale="log",
        xlabel="CPU milliseconds of one sentence, one thread (log)",
        ylabel="intent accuracy in scope",
        title="Lines reach from the noisy to the clean half of the test sentences",
    )
    axis.margins(x=0.25)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
