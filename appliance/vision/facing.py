"""Which way up a page stands: told from its boxes, the line classifier, and only where they leave doubt by reading.

Text lines give the axis: their longer sides lie across the image or stand upright in it. The classifier of upside-down
lines then gives the direction, and Chinese that is printed in columns is told from lines of a page that lies on its
side by turning single characters: whichever way they can be read is how they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from appliance.inference.backend import Run
from appliance.vision.detect import Corners
from appliance.vision.image import Pixels
from appliance.vision.orient import SAMPLE, probability
from appliance.vision.recognise import Reading
from appliance.vision.rectify import STRIP_HEIGHT, TURNED, strip

Read = Callable[[Pixels], Reading]
"""Reads one strip."""

DOUBT = 0.25
"""The classifier's mean answer on the sample settles the direction when it is this close to 0 or 1. On 17 photos in
four positions it was within it for 66 of 68 pages and never on the wrong side."""

BELIEVED = 0.7
"""Mean confidence that a page must be read with before it is turned: what is no text is left as it is."""

CLEARER = 1.3
"""Single characters can be read in each position in which they are, by this factor, about as sure as in the best."""

_READ = 3
"""Strips read where reading decides."""

_WINDOW = 320
"""Columns of a strip that are enough to read."""

_CELLS = 6
"""Single characters turned and read at once."""


def facing(image: Pixels, boxes: Sequence[Corners], tell: Run | None, read: Read, deadline: float | None = None) -> int:
    """Degrees clockwise by which the page with text in `boxes` stands turned in `image`: 0, 90, 180 or 270.

    `tell` is the classifier of upside-down lines; without it lines are read in both directions. 0 where there is no
    text that could be believed.
    """
    lengths = np.array([_sides(box) for box in boxes]).reshape(-1, 2)
    across, down = lengths[:, 0], lengths[:, 1]
    lying, tall = across >= TURNED * down, down >= TURNED * across
    if not (lying | tall).any():
        return _by_single_characters([strip(image, box) for box in boxes[:_READ]], read)
    sideways = float(down[tall].sum()) > float(across[lying].sum())
    along = np.where(tall if sideways else lying, lengths.max(axis=1), 0)
    longest = [int(index) for index in np.argsort(-along, kind="stable")[:SAMPLE] if along[index]]
    strips = [strip(image, boxes[index]) for index in longest]
    if _backward(strips, tell, read, deadline):
        strips = [flipped(each) for each in strips]
        angle = 270 if sideways else 180
    else:
        angle = 90 if sideways else 0
    sample = strips[: _READ if angle else 1]
    readings = [read(_window(each)) for each in sample]
    if angle and max(reading.confidence for reading in readings) < BELIEVED:
        return 0
    if any(_stands(_window(each), reading, read) for each, reading in zip(sample, readings, strict=True)):
        angle -= 90  # the characters stand on the side of their line: it is a column
    return angle % 360


def upright(image: Pixels, angle: int) -> Pixels:
    """Turn back an image that stands turned by `angle` degrees clockwise, a multiple of 90."""
    return np.ascontiguousarray(np.rot90(image, angle // 90)) if angle % 360 else image


def placed(corners: Corners, angle: int, size: tuple[int, int]) -> Corners:
    """Corners in an image turned back by `upright` as corners in the image given, of `size` (width, height)."""
    width, height = size
    x, y = corners[:, 0], corners[:, 1]
    turned = {0: (x, y), 90: (width - 1 - y, x), 180: (width - 1 - x, height - 1 - y), 270: (y, height - 1 - x)}
    return np.stack(turned[angle % 360], axis=1).astype(np.float32)


def _sides(corners: Corners) -> tuple[float, float]:
    """Mean lengths of a box from left to right and from top to bottom."""
    top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    return float(top + bottom) / 2, float(left + right) / 2


def _backward(strips: Sequence[Pixels], tell: Run | None, read: Read, deadline: float | None) -> bool:
    """Whether the lines run from right to left."""
    if tell is not None:
        mean = float(np.mean([probability(tell, each, deadline) for each in strips]))
        if abs(mean - 0.5) >= 0.5 - DOUBT:
            return mean > 0.5
    windows = [_window(each) for each in strips[:_READ]]
    return sum(read(flipped(each)).weight - read(each).weight for each in windows) > 0


def _stands(window: Pixels, reading: Reading, read: Read) -> bool:
    """Whether the characters of a line stand turned against the clock in it, as those of a column do.

    The recogniser was trained on such lines too and reads them as they are. Turned upright one by one, the characters
    of a column give the same text again; those of a line, turned on their side, do not.
    """
    ideographs = [at for at, character in enumerate(reading.characters) if "㐀" <= character.text <= "鿿"]
    if len(ideographs) < 2 or 2 * len(ideographs) < len(reading.characters):
        return False
    pitch = float(np.median(np.diff(reading.columns)))
    half = int(np.clip(pitch / 2, STRIP_HEIGHT // 3, STRIP_HEIGHT))
    chosen = ideographs[:_CELLS]
    cells = [_cell(window, reading.columns[at], half) for at in chosen]
    again = read(np.concatenate(cells, axis=1))
    wanted = Counter(reading.characters[at].text for at in chosen)
    return 2 * (wanted & Counter(again.text)).total() > len(chosen)


def _cell(window: Pixels, column: int, half: int) -> Pixels:
    """One character of a line turned clockwise by 90 degrees: shape (48, width, 3)."""
    import cv2

    left, right = max(0, column - half), min(window.shape[1], column + half)
    turned = np.ascontiguousarray(np.rot90(window[:, left:right], -1))
    width = max(1, round(turned.shape[1] * STRIP_HEIGHT / turned.shape[0]))
    return cv2.resize(turned, (width, STRIP_HEIGHT)).astype(np.uint8, copy=False)


def _by_single_characters(strips: Sequence[Pixels], read: Read) -> int:
    """The page of boxes that are neither wide nor high, by the positions in which they can be read.

    The recogniser also reads characters that lie against the clock: of two neighbouring positions the first counts.
    """
    import cv2

    weights = []
    for quarter in range(4):
        turned = [np.ascontiguousarray(np.rot90(each, quarter)) for each in strips]
        sized = [cv2.resize(t, (round(t.shape[1] * STRIP_HEIGHT / t.shape[0]), STRIP_HEIGHT)) for t in turned]
        weights.append(sum(read(each.astype(np.uint8, copy=False)).weight for each in sized))
    if max(weights) <= BELIEVED * len(strips):
        return 0
    readable = [weight > max(weights) / CLEARER for weight in weights]
    if readable == [True, False, False, True]:
        return 270
    if readable[0]:  # also what can be read in many positions, as 田 and 8 can
        return 0
    return 90 * next(quarter for quarter in (1, 2, 3) if readable[quarter])


def flipped(strip: Pixels) -> Pixels:
    """A strip turned by 180 degrees."""
    return strip[::-1, ::-1]


def _window(strip: Pixels) -> Pixels:
    start = max(0, strip.shape[1] - _WINDOW) // 2
    return strip[:, start : start + _WINDOW]
