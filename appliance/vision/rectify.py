"""Straightening: each text box becomes an upright strip of fixed height, as the recogniser was trained on."""

from __future__ import annotations

import math

import numpy as np

from appliance.vision.detect import Corners
from appliance.vision.image import Pixels

STRIP_HEIGHT = 48
"""Height in pixels of every strip."""

TURNED = 1.5
"""A box at least this many times as high as wide holds text that runs downwards, and is laid on its side."""

MAX_STRIP_WIDTH = 8192
"""Widest strip; a longer one is squeezed (170 characters of square text)."""


REDUCED = 2.0
"""Boxes that are so many times as high as a strip are cut at their own size and averaged: thin strokes of large print
survive that, and not plain sampling."""


def strip(image: Pixels, corners: Corners) -> Pixels:
    """Cut a box out of `image`: shape (48, width, 3), width in proportion to the box, at least 1.

    A box at least 1.5 times as high as wide is turned by 90 degrees against the clock, so that its top comes left.
    """
    import cv2

    width, height = _size(corners)
    if height >= TURNED * width:
        corners, width, height = np.roll(corners, -1, axis=0), height, width
    wanted = min(MAX_STRIP_WIDTH, max(1, math.ceil(STRIP_HEIGHT * width / height)))
    if height > REDUCED * STRIP_HEIGHT:
        crop = _warped(image, corners, (width, height))
        return cv2.resize(crop, (wanted, STRIP_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    # One step, because a second one blurs: on 23 photos and pages 0.0496 of the characters are wrong, and 0.0516 when
    # the box is cut at its own size first.
    return _warped(image, corners, (wanted, STRIP_HEIGHT))


def _size(corners: Corners) -> tuple[int, int]:
    """Width and height of a box in whole pixels, by the longer of opposite sides."""
    top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    return max(1, int(max(top, bottom))), max(1, int(max(left, right)))


def _warped(image: Pixels, corners: Corners, size: tuple[int, int]) -> Pixels:
    """The box at `size` (width, height), its perspective taken out."""
    import cv2

    width, height = size
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    # Only the part of the image around the box is handed over: OpenCV bounds the source's sides at 32767.
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 3
    transform = cv2.getPerspectiveTransform(np.ascontiguousarray(corners - (x0, y0), np.float32), target)
    warped = cv2.warpPerspective(
        image[y0:y1, x0:x1], transform, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return warped.astype(np.uint8, copy=False)
