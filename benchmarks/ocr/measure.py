"""Who reads what, when: the sides take turns image by image, so that a slow minute of the machine hits all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.ocr.score import Score, normal, score
from benchmarks.ocr.sides import Side
from benchmarks.ocr.truth import Image

ANGLES = (90, 180, 270)
"""Degrees clockwise by which each image is turned."""

Answers = Mapping[str, Sequence[Mapping[str, Any]]]
"""What one side answered, by image name, one answer for each repeat."""


def interleaved(
    sides: Sequence[Side], images: Sequence[Image], repeats: int, done: Callable[[str], None]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Answers by side, image and repeat. Another side begins at each image, and at the same image in each repeat."""
    for side in sides:
        side.read(images[0].path)  # the first reading pays for what is made on first use
    answers: dict[str, dict[str, list[dict[str, Any]]]] = {
        side.name: {image.name: [] for image in images} for side in sides
    }
    for repeat in range(repeats):
        for index, image in enumerate(images):
            first = (repeat + index) % len(sides)
            for side in (*sides[first:], *sides[:first]):
                answers[side.name][image.name].append(side.read(image.path))
                done(f"{side.name} {image.name}")
    return answers


def turned(
    sides: Sequence[Side], images: Sequence[Image], folder: Path, done: Callable[[str], None]
) -> dict[str, dict[str, dict[int, dict[str, Any]]]]:
    """Answers by side, image and angle, to the images turned clockwise; `folder` takes one file for a moment."""
    answers: dict[str, dict[str, dict[int, dict[str, Any]]]] = {
        side.name: {image.name: {} for image in images} for side in sides
    }
    for index, image in enumerate(images):
        for angle in ANGLES:
            path = turn(image.path, angle, folder)
            first = index % len(sides)
            for side in (*sides[first:], *sides[:first]):
                answers[side.name][image.name][angle] = side.read(path)
                done(f"{side.name} {image.name} {angle}°")
            path.unlink()
    return answers


def turn(path: Path, angle: int, folder: Path) -> Path:
    """A PNG in `folder` of the image at `path`, upright by its EXIF data, turned clockwise by `angle` degrees."""
    import numpy as np
    from PIL import Image as Pillow

    from appliance.vision.image import decode

    pixels = decode(path.read_bytes(), max_bytes=1 << 30, max_pixels=1 << 30)
    target = folder / f"{path.stem}-{angle}.png"
    rgb = np.ascontiguousarray(np.rot90(pixels, -angle // 90)[:, :, ::-1])
    Pillow.fromarray(rgb).save(target, compress_level=1)
    return target


def of_image(image: Image, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One side's figures of one image from its repeats: medians, and the score of its first reading."""
    first = answers[0]
    stages = {name: [answer["stages_ms"].get(name, 0.0) for answer in answers] for name in first["stages_ms"]}
    figures: dict[str, Any] = {
        "cpu_s": statistics.median(answer["cpu_s"] for answer in answers),
        "wall_s": statistics.median(answer["wall_s"] for answer in answers),
        "stages_ms": {name: round(statistics.median(values), 1) for name, values in stages.items()},
        "stable": all(answer["lines"] == first["lines"] for answer in answers),
        "angle": first["angle"],
        "lines": first["lines"],
    }
    if image.truth is not None:
        figures["score"] = scored(image, first["lines"])
    return figures


def scored(image: Image, lines: Sequence[str]) -> dict[str, Any]:
    """The score of a reading with its ratios, for JSON."""
    assert image.truth is not None
    found: Score = score(image.truth.lines, lines, image.truth.illegible, caseless=image.truth.caseless)
    counts = {name: getattr(found, name) for name in ("characters", "found", "confused", "read", "lines", "exact")}
    ratios = {name: round(getattr(found, name), 4) for name in ("recall", "surplus", "error_rate")}
    return counts | ratios | {"missed": list(found.missed), "invented": list(found.invented)}


def kept(upright: Sequence[str], answers: Mapping[int, Mapping[str, Any]]) -> dict[str, float | None]:
    """Share of the characters read upright that each turned image gives in the same order; None when there were none.

    The longest common subsequence of the two whole texts: a character counts only where it stands in its place.
    """
    from rapidfuzz.distance import LCSseq

    whole = normal("".join(upright))
    return {
        str(angle): LCSseq.similarity(whole, normal("".join(answer["lines"]))) / len(whole) if whole else None
        for angle, answer in answers.items()
    }
