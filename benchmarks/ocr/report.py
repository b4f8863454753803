"""What the measurements say: totals, the limits that are missed, and a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.ocr.score import Score, total
from benchmarks.ocr.sides import OFF, ON, PEER

RECALL = 0.002
"""Largest lead of the peer in character recall over all labelled images."""
CPU = {OFF: 0.75, ON: 0.85}
"""Largest median over the images of our CPU time by the peer's."""
RSS_MB = 450.0
"""Largest resident memory of our process, in 10^6 bytes."""
KEPT = 0.98
"""Smallest share of its upright characters that each turned image keeps."""
LIMITS = {"recall_below_peer": RECALL, "cpu_ratio": CPU, "rss_mb": RSS_MB, "kept": KEPT}

COUNTS = ("characters", "found", "confused", "read", "lines", "exact")


def totals(images: list[dict[str, Any]], sides: list[str]) -> dict[str, Any]:
    """Over all images: sums of the scores by side, and the medians of the CPU ratios."""
    found: dict[str, Any] = {}
    for side in sides:
        scores = [image["sides"][side]["score"] for image in images if "score" in image["sides"][side]]
        summed = total(Score(**{name: one[name] for name in COUNTS}) for one in scores)
        found[side] = {
            "labelled": len(scores),
            "characters": summed.characters,
            "recall": summed.recall,
            "mean_recall": statistics.mean(one["recall"] for one in scores) if scores else None,
            "surplus": summed.surplus,
            "error_rate": summed.error_rate,
            "lines": summed.lines,
            "exact": summed.exact,
            "cpu_s": sum(image["sides"][side]["cpu_s"] for image in images),
        }
        if side in CPU and PEER in sides:
            found[side]["cpu_ratio"] = statistics.median(ratio(image, side) for image in images)
    return found


def ratio(image: Mapping[str, Any], side: str) -> float:
    """A side's CPU time by the peer's on one image."""
    return float(image["sides"][side]["cpu_s"] / image["sides"][PEER]["cpu_s"])


def missed(result: Mapping[str, Any]) -> list[str]:
    """The limits that a result misses, in words; those that need the peer only where it took part."""
    return [*_missed_reading(result), *_missed_cost(result), *_missed_turned(result)]


def _missed_reading(result: Mapping[str, Any]) -> Iterator[str]:
    of = result["totals"]
    if not of[ON]["labelled"]:
        yield "no image has a truth: nothing says what was read right"
    for side in (OFF, ON):
        behind = of[PEER]["recall"] - of[side]["recall"] if PEER in of else 0.0
        # Rounded to a millionth, so that 0.2 points are not 0.2000000001.
        if round(behind, 6) > RECALL:
            yield (
                f"{side}: character recall {of[side]['recall']:.2%} is {behind * 100:.2f} points below the peer's "
                f"{of[PEER]['recall']:.2%}, over {RECALL * 100:g}"
            )
        for image in result["images"]:
            if not image["sides"][side]["stable"]:
                yield f"{side}: {image['name']} was read differently in another repeat"


def _missed_cost(result: Mapping[str, Any]) -> Iterator[str]:
    for side, most in CPU.items():
        found = result["totals"][side].get("cpu_ratio")
        if found is not None and found > most:
            yield f"{side}: CPU time is {found:.3f} of the peer's in the median, over {most:g}"
        peak = result["sides"][side]["peak_mb"]
        if peak > RSS_MB:
            yield f"{side}: peak resident memory {peak:.0f} MB is over {RSS_MB:g}"


def _missed_turned(result: Mapping[str, Any]) -> Iterator[str]:
    for image in result["images"]:
        for angle, share in image["sides"][ON]["kept"].items():
            if share is not None and share < KEPT:
                yield f"{ON}: {image['name']} turned by {angle}° keeps {share:.1%} of its characters, under {KEPT:.0%}"


def table(result: Mapping[str, Any], console: Console) -> None:
    """Print figures per image, and over all."""
    sides = list(result["sides"])
    shown = Table(title=f"{len(result['images'])} images, medians of {result['repeats']}", title_justify="left")
    shown.add_column("image", no_wrap=True)
    for what in ("recall", "CER", "surplus", "exact lines", "CPU s", "CPU / peer", "kept turned"):
        shown.add_column(what + "\n" + " · ".join(_short(side) for side in _of(what, sides)), justify="right")
    for image in result["images"]:
        shown.add_row(image["name"], *_row(image["sides"], sides))
    shown.add_section()
    shown.add_row("all", *_last_row(result["totals"], sides))
    console.print(shown)
    for line in sentences(result):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _of(what: str, sides: list[str]) -> list[str]:
    """The sides that have a figure of this kind."""
    unfit = {"CPU / peer": (PEER,) if PEER in sides else sides, "kept turned": (OFF,)}
    return [side for side in sides if side not in unfit.get(what, ())]


def _short(side: str) -> str:
    return side.removeprefix("ours-")


def _row(found: Mapping[str, Any], sides: list[str]) -> Iterator[str]:
    for name in ("recall", "error_rate", "surplus"):
        yield " · ".join(f"{found[side]['score'][name]:6.1%}" for side in sides if "score" in found[side])
    scores = [found[side]["score"] for side in sides if "score" in found[side]]
    yield " · ".join(str(one["exact"]) for one in scores) + (f" of {scores[0]['lines']}" if scores else "")
    yield " · ".join(f"{found[side]['cpu_s']:5.2f}" for side in sides)
    yield " · ".join(f"{ratio({'sides': found}, side):.2f}" for side in _of("CPU / peer", sides))
    yield " · ".join(_least(found[side]["kept"]) for side in _of("kept turned", sides))


def _least(kept: Mapping[str, float | None]) -> str:
    shares = [share for share in kept.values() if share is not None]
    return f"{min(shares):6.1%}" if shares else "nothing read"


def _last_row(of: Mapping[str, Any], sides: list[str]) -> Iterator[str]:
    for name in ("recall", "error_rate", "surplus"):
        yield " · ".join(f"{of[side][name]:6.2%}" for side in sides)
    yield " · ".join(str(of[side]["exact"]) for side in sides) + f" of {of[sides[0]]['lines']}"
    yield " · ".join(f"{of[side]['cpu_s']:5.1f}" for side in sides)
    yield " · ".join(f"{of[side]['cpu_ratio']:.3f}" for side in _of("CPU / peer", sides))
    yield ""


def sentences(result: Mapping[str, Any]) -> Iterator[str]:
    """What stands under the table: ratios, memory, versions."""
    for side, of in result["totals"].items():
        said = result["sides"][side]
        cost = f", CPU {of['cpu_ratio']:.3f} of the peer's in the median" if "cpu_ratio" in of else ""
        versions = ", ".join(f"{name} {version}" for name, version in said["versions"].items())
        yield f"{side}: peak resident memory {said['peak_mb']:.0f} MB{cost} ({versions})"
