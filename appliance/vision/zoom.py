"""How large the detector sees a page: first small, then only as large as the print that was found demands.

The detector's cost is in proportion to its pixels, and print that is large enough gains nothing from more of them.
Measured on 23 photos and pages with 4,130 legible characters, lines turned upright and read in full each time: looked
at in full 3,960 were read; with a glance first and READABLE at 22, 26, 30, 33: 3,925, 3,947, 3,959, 3,970, for 0.46,
0.62, 0.75 and 0.84 of the detector's time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from appliance.vision.detect import STRIDE, Region

Size = tuple[int, int]
"""(width, height) in pixels."""

GLANCE_FROM = 300_000
"""Pixels of a full look from which a first glance at a quarter of them is worth its cost."""

READABLE = 33.0
"""Height of a box, margin included, at which the detector misses nothing, in pixels of what it sees."""

SMALL_SHARE = 0.1
"""Share of the boxes that may be smaller: specks and scraps are not to decide for the page."""

ENOUGH = 1.2
"""A look that would be larger by less than this factor is not taken."""


def glance(full: Size) -> Size:
    """Size of the first look, for a full look of size `full`, both multiples of 32."""
    if full[0] * full[1] < GLANCE_FROM:
        return full
    width, height = (max(STRIDE, side // 2 // STRIDE * STRIDE) for side in full)
    return width, height


def closer(seen: Size, full: Size, found: Sequence[Region], size: Size) -> Size | None:
    """Size of the second look, at most `full`; None when the first, of size `seen`, was large enough.

    `found` are its boxes, in pixels of the image of `size`.
    """
    if seen == full:
        return None
    if not found:
        return full
    factor = READABLE / _small_print(found, seen[1] / size[1], seen[0] / size[0])
    if factor < ENOUGH:
        return None
    width, height = (min(most, round(side * factor / STRIDE) * STRIDE) for side, most in zip(seen, full, strict=True))
    return width, height


def _small_print(found: Sequence[Region], down: float, across: float) -> float:
    """Height of the smaller boxes, by the scales of what the detector saw."""
    corners = np.array([region.corners for region in found]) * (across, down)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    heights = np.sort(np.minimum(sides[:, 0] + sides[:, 2], sides[:, 1] + sides[:, 3]) / 2)
    return max(1.0, float(heights[int(SMALL_SHARE * len(heights))]))
