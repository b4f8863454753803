"""Pictures of a result: errors by noise, cost and delays, on white so that they read in a dark page too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speech.report import title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0b5d56", "#d98a12", "#2f6fb0", "#a02c1b", "#7fb8ae", "#8a9a95")
LINES = {"pink": "-", "babble": "--"}
DPI = 80

Results = Sequence[Mapping[str, Any]]


def draw(results: Results, folder: Path) -> list[Path]:
    """Write speech-cost.png, speech-delays.png and, with a noise sweep, speech-noise.png into `folder`."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    pictures = {"cost": cost, "delays": delays}
    if any(result["noise"] for result in results):
        pictures["noise"] = noise
    written = []
    for name, picture in pictures.items():
        rows = 2 * len(results) if name == "delays" else 8 + len(results)
        figure, axes = pyplot.subplots(figsize=(10, 1.6 + 0.4 * rows), layout="constrained")
        picture(results, axes)
        written.append(folder / f"speech-{name}.png")
        figure.savefig(written[-1], dpi=DPI, facecolor="white")
        pyplot.close(figure)
    return written


def cost(results: Results, axes: Axes) -> None:
    """Character errors against real-time factor: left and low is good."""
    for index, result in enumerate(results):
        of, colour = result["totals"], COLOURS[index % len(COLOURS)]
        said = f"{title(result)}: {of['cer']['rate']:.1%}, RTF {of['rtf']:.3f}, {result['peak_mb']:.0f} MB"
        axes.scatter([of["rtf"]], [100 * of["cer"]["rate"]], s=60, color=colour, label=said)
    axes.set(title="errors and cost", xlabel="real-time factor (log)", ylabel="CER, %", xscale="log")
    axes.margins(0.25)
    _key(axes)


def delays(results: Results, axes: Axes) -> None:
    """Milliseconds until a word, and until the transcript, is known: p50 (full) and p95 (light)."""
    names = []
    for index, result in enumerate(results):
        of = result["totals"]
        streamed = of.get("streamed")
        shown = [("word", streamed["partial"])] if streamed else []
        for what, found in (*shown, ("end", (streamed or of)["end"])):
            if found["p50_ms"] is None:
                continue
            at, colour = len(names), COLOURS[index % len(COLOURS)]
            axes.barh(at, found["p95_ms"], color=colour, alpha=0.35, height=0.6)
            axes.barh(at, found["p50_ms"], color=colour, height=0.6)
            names.append(f"{title(result)}: {what}")
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#d5dcda", linewidth=0.6)
    axes.set(title="delays: p50 full, p95 light", xlabel="milliseconds")


def noise(results: Results, axes: Axes) -> None:
    """Character errors by signal-to-noise ratio; the clean figure stands at the right."""
    for index, result in enumerate(results):
        colour = COLOURS[index % len(COLOURS)]
        for kind in dict.fromkeys(row["kind"] for row in result["noise"]):
            rows = sorted((row for row in result["noise"] if row["kind"] == kind), key=lambda row: row["snr_db"])
            axes.plot(
                [row["snr_db"] for row in rows],
                [100 * row["rate"] for row in rows],
                LINES.get(kind, ":"),
                marker="o",
                color=colour,
                label=f"{title(result)}, {kind}",
            )
        axes.axhline(100 * result["totals"]["cer"]["rate"], color=colour, linewidth=0.6)
    axes.set(title="errors in noise; thin lines: without", xlabel="signal-to-noise ratio, dB", ylabel="CER, %")
    _key(axes)


def _key(axes: Axes) -> None:
    axes.figure.legend(loc="outside lower left", fontsize=8, frameon=False)
