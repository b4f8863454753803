"""Where text is: the DB detector (Liao et al. 2020, "Real-time Scene Text Detection with Differentiable Binarization").

The network gives for every pixel the probability that it belongs to the shrunken core of a text line. Cores are found
as contours, boxed by a rotated rectangle, scored, and grown back by the Vatti offset that training shrank them by.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.inference.backend import Run
from appliance.vision.image import Pixels

Corners = npt.NDArray[np.float32]
"""Four corners (x, y): top left, top right, bottom right, bottom left as the text is read; shape (4, 2), float32."""

Map = npt.NDArray[np.float32]
"""Text probability of each pixel that the network saw, shape (height, width), float32."""

STRIDE = 32
"""The network halves its input five times; both sides must be multiples of this."""

GROWN = 2.0
"""Pixels by which a box that is kept must be higher than the least core: all but specks grow by more."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """How the detector looks."""

    max_side: int = 1600
    """Longest side that the network sees, in pixels."""
    max_pixels: int = 1_000_000
    """Most pixels that the network sees: its activations take about 200 bytes for each, 200 MB at this bound."""
    min_side: int = 736
    """Short side to which small images are enlarged: below it, letters are thinner than the network was trained on."""
    max_enlargement: float = 2.0
    """Largest enlargement; beyond it blur is fed, not letters."""
    threshold: float = 0.3
    """Probability from which a pixel counts as text."""
    min_score: float = 0.5
    """Mean probability inside a box from which it is kept."""
    growth: float = 1.5
    """Ratio of the Vatti offset: distance = area * growth / perimeter."""
    min_height: float = 3.0
    """Boxes with a shorter side than this, in pixels of the network's input, are specks."""
    max_boxes: int = 1000
    """Largest number of boxes; the widest contours come first when there are more."""


@dataclass(frozen=True, slots=True)
class Region:
    """One box of text."""

    corners: Corners
    """Its corners in pixels of the image given."""
    score: float
    """Mean text probability inside, 0 to 1."""


def detect(
    run: Run,
    image: Pixels,
    options: DetectorOptions,
    deadline: float | None = None,
    *,
    size: tuple[int, int] | None = None,
) -> list[Region]:
    """Find the text boxes of `image`, in no particular order; `size` (width, height) is what the network sees."""
    height, width = image.shape[:2]
    size = size or input_size(width, height, options)
    outputs = run({"x": tensor(image, size)}, deadline=deadline)
    probability = next(iter(outputs.values()))[0, 0]
    return regions(probability, (width, height), options)


def input_size(width: int, height: int, options: DetectorOptions) -> tuple[int, int]:
    """(width, height) that the network sees: multiples of 32 within the bounds, near the image's proportions."""
    scale = min(options.max_enlargement, max(1.0, options.min_side / min(width, height)))
    scale = min(scale, options.max_side / max(width, height), math.sqrt(options.max_pixels / (width * height)))
    return _multiple(width * scale, options.max_side), _multiple(height * scale, options.max_side)


def _multiple(side: float, limit: int) -> int:
    return max(STRIDE, min(round(side / STRIDE), limit // STRIDE) * STRIDE)


def tensor(image: Pixels, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resize to `size` (width, height) and scale to [-1, 1]: shape (1, 3, height, width), float32, BGR."""
    import cv2

    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    scaled = np.empty((1, 3, size[1], size[0]), np.float32)
    np.multiply(resized.transpose(2, 0, 1), np.float32(1 / 127.5), out=scaled[0])
    scaled -= 1
    return scaled


def regions(probability: Map, size: tuple[int, int], options: DetectorOptions) -> list[Region]:
    """Boxes in a probability map, their corners in pixels of an image of `size` (width, height)."""
    import cv2

    height, width = probability.shape
    # Dilation joins cores that thin strokes cut in two, as PaddleOCR's use_dilation does.
    mask = cv2.dilate((probability > options.threshold).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) > options.max_boxes:
        contours = sorted(contours, key=len, reverse=True)[: options.max_boxes]
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    last = np.array([size[0] - 1, size[1] - 1], np.float32)
    found = []
    for corners, score in _boxes(probability, contours, options):
        scaled = np.clip(corners * scale, 0, last)
        sides = np.linalg.norm(scaled - np.roll(scaled, -1, axis=0), axis=1)
        if sides.min() > options.min_height:
            found.append(Region(scaled, score))
    return found


def _boxes(probability: Map, contours: Any, options: DetectorOptions) -> Iterator[tuple[Corners, float]]:
    for contour in contours:
        core, short = _rectangle(contour)
        if short < options.min_height:
            continue
        score = _score(probability, core)
        if score < options.min_score:
            continue
        grown = grow(core, options.growth)
        if grown is None:
            continue
        corners, short = _rectangle(grown)
        if short >= options.min_height + GROWN:
            yield corners, score


def _rectangle(points: npt.NDArray[Any]) -> tuple[Corners, float]:
    """Smallest rotated rectangle around `points`: its corners, top left first, and its shorter side."""
    import cv2

    rectangle = cv2.minAreaRect(points)
    return in_order(cv2.boxPoints(rectangle)), min(rectangle[1])


def in_order(corners: npt.NDArray[Any]) -> Corners:
    """Corners of a rectangle, given in turn, clockwise from the top left: the side that leads most to the right is its
    top, so that a line that stands and leans a little keeps its top at the top."""
    x, y = corners[:, 0], corners[:, 1]
    if (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() < 0:  # against the clock, y being downwards
        corners = corners[::-1]
    sides = np.roll(corners, -1, axis=0) - corners
    rightwards = sides[:, 0] / np.maximum(1e-6, np.linalg.norm(sides, axis=1))
    return np.roll(corners, -int(np.argmax(rightwards)), axis=0).astype(np.float32)


def _score(probability: Map, corners: Corners) -> float:
    """Mean probability inside `corners`."""
    import cv2

    height, width = probability.shape
    x0, y0 = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width - 1, height - 1)) + 1
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [(corners - (x0, y0)).astype(np.int32)], 1)
    return float(cv2.mean(probability[y0:y1, x0:x1], inside)[0])


def grow(corners: Corners, growth: float) -> Corners | None:
    """Offset a box outwards by area * growth / perimeter (Vatti clipping); None when nothing is left of it."""
    import cv2
    import pyclipper

    perimeter = cv2.arcLength(corners, True)
    if not perimeter:
        return None
    distance = cv2.contourArea(corners) * growth / perimeter
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(corners, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    paths = offset.Execute(distance)
    return np.concatenate([np.asarray(path, np.float32) for path in paths]) if paths else None
