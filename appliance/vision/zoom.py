"""How large the detector sees a page: first small, then only as large as the print that was found demands.

The detector's cost is in proportion to its pixels, and print that is large enough gains nothing from more of them.
Measured on 23 photos and pages with 4,130 legible characters: one look in full takes 6.9 s of the detector and 3,960
are read; a glance, and a second look where it shows print that is small, takes 4.7 s and 3,972 are read. With READABLE
at 22, 26 and 30 it was 3,925, 3,947 and 3,959 (of 3,960, strips cut as they were then).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.vision.detect import GROWN, STRIDE, DetectorOptions, Region, input_size

Size = tuple[int, int]
"""(width, height) in pixels."""

Area = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the page, the latter two exclusive."""

GLANCE_FROM = 300_000
"""Pixels of a full look from which a first glance at a quarter of them is worth its cost."""

READABLE = 33.0
"""Height of a box, margin included, at which the detector misses nothing, in pixels of what it sees."""

SMALL_SHARE = 0.1
"""Share of the characters that may be smaller: specks and scraps are not to decide for the page."""

ENOUGH = 1.5
"""A second look that would be larger by less than this factor is not taken."""

PART = 0.7
"""The second look leaves out what is empty when the text takes up less than this share of the page."""

MARGIN = 3.0
"""Lines of the small print that are left around the text."""

SEEN = 0.25
"""Scale below which a glance is taken for blind: a 12-megapixel photo of a page of small print would show it none."""

SPECK = 1.0
"""DetectorOptions.min_height of a glance: it need not read small print but has to notice that there is some. Lines of 8
pixels beside a title of 100, seen at half their size, leave cores of one and two pixels."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the detector is to be shown."""

    area: Area
    """The part of the page."""
    size: Size
    """Its size for the network, both sides multiples of 32."""


def glance(full: Size, size: Size) -> Size:
    """Size of the first look at an image of `size`, for a full look of size `full`, both multiples of 32."""
    if full[0] * full[1] < GLANCE_FROM or full[0] < 2 * SEEN * size[0]:
        return full
    width, height = (max(STRIDE, side // 2 // STRIDE * STRIDE) for side in full)
    return width, height


def without_specks(found: Sequence[Region], seen: Size, size: Size, least: float) -> list[Region]:
    """Boxes of a glance that a look with `least` for min_height would have kept."""
    if not found:
        return []
    heights, _ = _heights(found, seen, size)
    return [region for region, height in zip(found, heights, strict=True) if height >= least + GROWN]


def closer(seen: Size, found: Sequence[Region], size: Size, options: DetectorOptions) -> Look | None:
    """The second look; None when the first, of `seen` pixels, showed print large enough or no more can be seen.

    `found` are the boxes of the first look, specks included, in pixels of the image of `size`.
    """
    full = input_size(*size, options)
    if not found:
        return Look((0, 0, *size), full) if seen != full else None
    heights, characters = _heights(found, seen, size)
    small = _small_print(heights, characters)
    area = _area(found, size, small * size[1] / seen[1])
    width, height = area[2] - area[0], area[3] - area[1]
    most = input_size(width, height, options)
    factor = min(READABLE / small, most[0] * size[0] / (width * seen[0]), most[1] * size[1] / (height * seen[1]))
    if factor < ENOUGH:
        return None
    wanted = (width * factor * seen[0] / size[0], height * factor * seen[1] / size[1])
    return Look(area, (_rounded(wanted[0], most[0]), _rounded(wanted[1], most[1])))


def moved(found: Sequence[Region], area: Area) -> list[Region]:
    """Boxes found in an area of the page, in pixels of the page."""
    return [Region(region.corners + np.array(area[:2], np.float32), region.score) for region in found]


def _rounded(side: float, most: int) -> int:
    return max(STRIDE, min(most, round(side / STRIDE) * STRIDE))


def _area(found: Sequence[Region], size: Size, line: float) -> Area:
    """The part of the page with text and MARGIN lines around it; the whole page when that is most of it."""
    corners = np.concatenate([region.corners for region in found])
    margin = MARGIN * line
    left, top = np.maximum(corners.min(axis=0) - margin, 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0) + margin), size).astype(int).tolist()
    part = (right - left) * (bottom - top) / (size[0] * size[1])
    return (left, top, right, bottom) if part < PART else (0, 0, *size)


Floats = npt.NDArray[np.float64]


def _heights(found: Sequence[Region], seen: Size, size: Size) -> tuple[Floats, Floats]:
    """Height of each box in pixels of what the detector saw, and how many characters it may hold."""
    corners = np.array([region.corners for region in found], np.float64) * (seen[0] / size[0], seen[1] / size[1])
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    pairs = (sides[:, :2] + sides[:, 2:]) / 2
    heights = np.maximum(1.0, pairs.min(axis=1))
    return heights, pairs.max(axis=1) / heights


def _small_print(heights: Floats, characters: Floats) -> float:
    """Height below which SMALL_SHARE of the characters are."""
    order = np.argsort(heights)
    before = np.cumsum(characters[order])
    return float(heights[order][np.searchsorted(before, SMALL_SHARE * before[-1])])
