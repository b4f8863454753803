"""Whether something written lies in view, and where: on a small grey picture, without a network.

A stroke of a pen or of print has two edges of opposite direction close to each other (Epshtein, Ofek and Wexler,
"Detecting text in natural scenes with stroke width transform", CVPR 2010), while the rim of a thing has one. So the
picture is divided into cells, and a cell counts as written where both directions of edges are frequent (edge density as
in Liu and Samarabandu, "Multiscale edge-based text extraction from complex images", ICME 2006). The largest group of
such cells is the document. A sheet need not be seen as a whole, nor be whiter than what it lies on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.vision.image import Pixels
from appliance.vision.sharpness import Grey

SIDE = 320
"""Longest side of the small picture."""
CELL = 8
"""Side of a cell in its pixels."""
EDGE = 10
"""Step of brightness between neighbours that is an edge; what is left of a camera's noise is a tenth of it."""
DENSE = 0.06
"""Share of a cell's pixels that must be edges of each of the two directions."""
LEAST_CELLS = 12
"""Cells of the smallest document: a bank card in a view 40 cm wide."""
LEAST_SHARE = 0.12
"""Share of the cells in its box that are written."""

ALIKE = 0.5
"""Least correlation of a cell that shows the same as before."""

Cells = npt.NDArray[np.bool_]
"""One for each cell of the small picture, shape (rows, columns)."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a picture as shares of its sides."""

    left: float
    """0 to 1."""
    top: float
    """0 to 1."""
    right: float
    """0 to 1, beyond `left`."""
    bottom: float
    """0 to 1, beyond `top`."""

    def cut(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The part itself; no copy."""
        height, width = pixels.shape[:2]
        left, right = int(self.left * width), max(int(self.left * width) + 1, round(self.right * width))
        top, bottom = int(self.top * height), max(int(self.top * height) + 1, round(self.bottom * height))
        return pixels[top:bottom, left:right]

    def overlap(self, other: Box) -> float:
        """Area that both cover over the area that any of them covers."""
        wide = max(0.0, min(self.right, other.right) - max(self.left, other.left))
        high = max(0.0, min(self.bottom, other.bottom) - max(self.top, other.top))
        both = wide * high
        return both / (self.area + other.area - both)

    @property
    def area(self) -> float:
        """Share of the picture."""
        return (self.right - self.left) * (self.bottom - self.top)


def small(pixels: Pixels) -> Grey:
    """The picture in grey, its longest side `SIDE`."""
    import cv2

    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(CELL, round(width * scale)), max(CELL, round(height * scale)))
    # Green is most of the brightness, and of a large picture every second or third pixel is enough: what is left is
    # still the mean of nine, in which a camera's noise goes. All of it in colour would take four times as long.
    step = max(1, int(1 / scale) // 3)
    green = np.ascontiguousarray(pixels[::step, ::step, 1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(green, size, interpolation=way), np.uint8)


def written(grey: Grey) -> Cells:
    """Which cells of a small picture are written."""
    import cv2

    rows, columns = grey.shape[0] // CELL, grey.shape[1] // CELL
    signed = grey.astype(np.int16)
    found = np.zeros((rows, columns), bool)
    for axis in (0, 1):
        step = np.zeros_like(signed)
        inner = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        step[inner] = np.diff(signed, axis=axis)
        rises, falls = (
            cv2.resize(
                (edges[: rows * CELL, : columns * CELL] * np.uint8(255)), (columns, rows), interpolation=cv2.INTER_AREA
            )
            for edges in (step > EDGE, step < -EDGE)
        )
        found |= np.minimum(rises, falls) > DENSE * 255
    return found


def alike(grey: Grey, other: Grey) -> Cells:
    """Which cells show the same in both pictures, however much lighter or darker: by their normalised correlation."""
    import cv2

    size = (grey.shape[1] // CELL, grey.shape[0] // CELL)
    one, two = (part[: size[1] * CELL, : size[0] * CELL].astype(np.float32) for part in (grey, other))

    def mean(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)

    a, b = mean(one), mean(two)
    spread = np.sqrt(np.maximum(mean(one * one) - a * a, 1) * np.maximum(mean(two * two) - b * b, 1))
    same: Cells = (mean(one * two) - a * b) / spread >= ALIKE
    return same


def document(cells: Cells) -> Box | None:
    """Where the largest group of written cells lies, with a cell around it; None where none is large enough."""
    import cv2

    rows, columns = cells.shape
    if int(cells.sum()) < LEAST_CELLS:
        return None
    # Lines and blocks of print on one sheet lie up to four cells apart.
    joined = cv2.dilate(cells.astype(np.uint8), np.ones((5, 5), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8)
    sizes = np.bincount(labels[cells], minlength=count)
    sizes[0] = 0
    largest = int(sizes.argmax())
    if sizes[largest] < LEAST_CELLS:
        return None
    ys, xs = np.nonzero(cells & (labels == largest))
    top, bottom, left, right = int(ys.min()), int(ys.max()) + 1, int(xs.min()), int(xs.max()) + 1
    if sizes[largest] < LEAST_SHARE * (bottom - top) * (right - left):
        return None
    return Box(
        max(0, left - 1) / columns,
        max(0, top - 1) / rows,
        min(columns, right + 1) / columns,
        min(rows, bottom + 1) / rows,
    )
