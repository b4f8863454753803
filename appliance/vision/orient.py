"""Which strips are upside down: the 0 / 180 degree text line classifier of PP-OCR, asked as rarely as is safe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from appliance.inference.backend import Run
from appliance.vision.image import Pixels

WIDTH = 192
"""Columns that the classifier sees; longer strips are squeezed into them."""

SURE = 0.9
"""Probability of 180 degrees from which a strip counts as upside down."""

SAMPLE = 6
"""Strips asked first. Photos are upright or upside down as a whole, so an unanimous sample settles the rest."""

_HEIGHT = 48


def turned(run: Run, strips: Sequence[Pixels], deadline: float | None = None) -> list[bool]:
    """For each strip, shape (48, width, 3), whether it has to be turned by 180 degrees.

    The longest strips are asked first: they are the ones that the classifier is sure of. If none of them is upside
    down, none is; otherwise every strip is asked by itself.
    """
    longest = sorted(range(len(strips)), key=lambda index: -strips[index].shape[1])
    answers = [False] * len(strips)
    for index in longest[:SAMPLE]:
        answers[index] = upside_down(run, strips[index], deadline)
    if any(answers):
        for index in longest[SAMPLE:]:
            answers[index] = upside_down(run, strips[index], deadline)
    return answers


def upside_down(run: Run, strip: Pixels, deadline: float | None = None) -> bool:
    """Ask the classifier about one strip; batches gain nothing on a CPU, and one shape serves every engine."""
    probabilities = next(iter(run({"x": tensor(strip)}, deadline=deadline).values()))[0]
    return bool(probabilities[1] > SURE)


def tensor(strip: Pixels) -> npt.NDArray[np.float32]:
    """Scale a strip to [-1, 1] in 48 x 192 pixels, squeezed or padded with grey: (1, 3, 48, 192), float32, BGR."""
    import cv2

    width = min(WIDTH, strip.shape[1])
    resized = strip if width == strip.shape[1] else cv2.resize(strip, (width, _HEIGHT))
    scaled = np.zeros((1, 3, _HEIGHT, WIDTH), np.float32)
    np.multiply(resized.transpose(2, 0, 1), np.float32(1 / 127.5), out=scaled[0, :, :, :width])
    scaled[..., :width] -= 1
    return scaled
