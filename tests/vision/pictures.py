"""What the vision tests share: networks ready to use, and pictures loaded and turned."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from appliance.inference.backend import Run
from appliance.vision.image import Pixels, decode


@dataclass(frozen=True)
class Networks:
    detect: Run
    recognise: Run
    orient: Run
    characters: tuple[str, ...]


def picture(path: Path) -> Pixels:
    return decode(path.read_bytes(), max_bytes=1 << 24, max_pixels=40_000_000)


def rotated(image: Pixels, degrees: float) -> Pixels:
    """Turned against the clock on a canvas that holds all of it."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    turned = cv2.transform(corners, matrix)[0]
    low, high = turned.min(axis=0), turned.max(axis=0)
    matrix[:, 2] -= low
    size = tuple(int(side) for side in np.ceil(high - low))
    return cv2.warpAffine(image, matrix, size, borderValue=(255, 255, 255)).astype(np.uint8)


def without_spaces(text: str) -> str:
    return "".join(text.split())


def kept(truth: str, read: str) -> float:
    """Share of the truth's characters, spaces aside, that were read, whatever their order."""
    wanted, found = Counter(without_spaces(truth)), Counter(without_spaces(read))
    return (wanted & found).total() / wanted.total()
