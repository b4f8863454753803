"""Reading order: rows that survive skew and perspective, left to right within them, columns one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.vision.detect import Corners
from appliance.vision.rectify import TURNED

SAME_ROW = 0.5
"""Share of the lower box's height that must lie beside the other for both to be in one row."""

GUTTER = 1.0
"""Least width of the empty strip between two columns, in median line heights."""

COLUMN_LINES = 3
"""Fewest lines that make a column."""

PARAGRAPH_ASPECT = 8.0
"""Lines at least this many times as wide as high are running text, not the cells of a table."""

PARAGRAPH_FILL = 0.6
"""Running text fills at least this share of its column in the median; items and prices do not."""

MATCHED_ROWS = 0.5
"""Columns with at least this share of lines beside a line of the other are one table and are read row by row."""

_TILT_LIMIT = np.radians(10)


@dataclass(frozen=True, slots=True)
class Flat:
    """One box after skew is taken out, its sides parallel to the axes."""

    index: int
    """Its place in the sequence given."""
    left: float
    """Smallest x."""
    right: float
    """Largest x."""
    top: float
    """Smallest y."""
    bottom: float
    """Largest y."""

    @property
    def width(self) -> float:
        """Extent along the line."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Extent across the line."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Centre in y."""
        return (self.top + self.bottom) / 2


def reading_order(boxes: Sequence[Corners]) -> list[int]:
    """Indices of `boxes` in the order in which a person reads them; each box's corners begin where its text begins."""
    return [flat.index for row in rows(boxes) for flat in row]


def rows(boxes: Sequence[Corners]) -> list[list[Flat]]:
    """Rows in reading order, each from left to right; columns of upright print from the right, as they are read."""
    flats = _flatten(boxes)
    if 2 * sum(flat.height >= TURNED * flat.width for flat in flats) > len(flats) > 1:
        return _rows([Flat(f.index, f.top, f.bottom, -f.right, -f.left) for f in flats])
    # A line of upright print beside others is no part of their rows; a slim `1` is, being no higher than they are.
    tall = 2 * float(np.median([flat.height for flat in flats])) if flats else 0.0
    flats = [_from_its_top(f) if f.height >= max(tall, TURNED * f.width) else f for f in flats]
    return [row for block in _blocks(flats) for row in _rows(block)]


def _from_its_top(flat: Flat) -> Flat:
    """An upright line as a row without height where it begins."""
    return Flat(flat.index, flat.left, flat.right, flat.top, flat.top)


def _flatten(boxes: Sequence[Corners]) -> list[Flat]:
    """Turn everything by the median angle of the lines, then take out the tilt that perspective leaves."""
    if not boxes:
        return []
    corners = np.asarray(boxes, np.float64)
    along = (corners[:, 1] + corners[:, 2] - corners[:, 0] - corners[:, 3]) / 2
    across = (corners[:, 3] + corners[:, 2] - corners[:, 0] - corners[:, 1]) / 2
    length, height = np.linalg.norm(along, axis=1), np.linalg.norm(across, axis=1)
    lying, upright = length >= TURNED * height, height >= TURNED * length
    # The longer side tells a box's direction best; a square box is asked only where there is no other.
    angles = np.where(upright, np.arctan2(-across[:, 0], across[:, 1]), np.arctan2(along[:, 1], along[:, 0]))
    telling = lying | upright if (lying | upright).any() else np.ones(len(corners), np.bool_)
    skew = _skew(angles[telling], np.maximum(length, height)[telling])
    cosine, sine = np.cos(-skew), np.sin(-skew)
    turned = corners @ np.array([[cosine, sine], [-sine, cosine]])
    centres = turned.mean(axis=1)
    level = centres[:, 1] - _tilt(_wrapped(angles - skew), centres, length, lying) * (
        centres[:, 0] - centres[:, 0].mean()
    )
    extents = turned[:, :, 0].min(axis=1), turned[:, :, 0].max(axis=1)
    # The height of the box itself: that of its outline also counts what tilt is left.
    half = np.where(upright, np.ptp(turned[:, :, 1], axis=1), height) / 2
    return [
        Flat(index, float(left), float(right), float(y - h), float(y + h))
        for index, (left, right, y, h) in enumerate(zip(*extents, level, half, strict=True))
    ]


def _skew(angles: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    """Weighted median of angles, taken around their mean direction because a photo may be upside down."""
    mean = float(np.angle((weights * np.exp(1j * angles)).sum()))
    apart = _wrapped(angles - mean)
    order = np.argsort(apart)
    total = np.cumsum(weights[order])
    return mean + float(apart[order][np.searchsorted(total, total[-1] / 2)])


def _wrapped(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same directions within half a turn of zero."""
    return np.asarray((angles + np.pi) % (2 * np.pi) - np.pi)


def _tilt(
    angles: npt.NDArray[np.float64],
    centres: npt.NDArray[np.float64],
    length: npt.NDArray[np.float64],
    lying: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """Slope at each box by a line through the slopes of all: perspective makes it change evenly from top to bottom."""
    used = lying & (np.abs(angles) < _TILT_LIMIT)
    if used.sum() < 4 or np.ptp(centres[used, 1]) < 1:
        return np.zeros(len(angles))
    fit = np.polynomial.Polynomial.fit(centres[used, 1], np.tan(angles[used]), 1, w=length[used])
    limit = np.tan(_TILT_LIMIT)
    return np.asarray(np.clip(fit(centres[:, 1]), -limit, limit))


def _rows(flats: Sequence[Flat]) -> list[list[Flat]]:
    """Join boxes from left to right with the row whose last box they stand beside; order the rows from the top."""
    found: list[list[Flat]] = []
    for flat in sorted(flats, key=lambda flat: flat.left):
        best, share = None, SAME_ROW
        for row in found:
            beside = _beside(row[-1], flat)
            follows = flat.left >= (row[-1].left + row[-1].right) / 2
            if follows and beside >= share:
                best, share = row, beside
        if best is None:
            found.append([flat])
        else:
            best.append(flat)
    return sorted(found, key=lambda row: sum(flat.middle for flat in row) / len(row))


def _beside(one: Flat, other: Flat) -> float:
    """Share of the lower box's height that both have in common."""
    common = min(one.bottom, other.bottom) - max(one.top, other.top)
    return common / max(1e-6, min(one.height, other.height))


def _blocks(flats: list[Flat]) -> list[list[Flat]]:
    """Split into columns where there are any; lines that cross the gutter part what is above from what is below."""
    gutter = _gutter(flats)
    if gutter is None:
        return [flats]
    blocks, left, right = [], list[Flat](), list[Flat]()
    for flat in sorted(flats, key=lambda flat: flat.middle):
        if flat.right <= gutter:
            left.append(flat)
        elif flat.left >= gutter:
            right.append(flat)
        else:
            blocks += [*_blocks(left), *_blocks(right), [flat]]
            left, right = [], []
    return [block for block in [*blocks, *_blocks(left), *_blocks(right)] if block]


def _gutter(flats: Sequence[Flat]) -> float | None:
    """X of the middle of the widest empty strip that parts two columns; None where there is none."""
    if len(flats) < 2 * COLUMN_LINES:
        return None
    page = max(flat.right for flat in flats) - min(flat.left for flat in flats)
    narrow = sorted((flat for flat in flats if flat.width < 0.6 * page), key=lambda flat: flat.left)
    least = GUTTER * float(np.median([flat.height for flat in flats]))
    gaps, reach = [], -np.inf
    for number, flat in enumerate(narrow):
        if number and flat.left - reach >= least:
            gaps.append((flat.left - reach, (flat.left + reach) / 2))
        reach = max(reach, flat.right)
    for _, middle in sorted(gaps, reverse=True):
        left = [flat for flat in narrow if flat.right <= middle]
        right = [flat for flat in narrow if flat.left >= middle]
        if _are_columns(left, right):
            return float(middle)
    return None


def _are_columns(left: Sequence[Flat], right: Sequence[Flat]) -> bool:
    if min(len(left), len(right)) < COLUMN_LINES:
        return False
    top = max(min(flat.top for flat in side) for side in (left, right))
    bottom = min(max(flat.bottom for flat in side) for side in (left, right))
    shared = [[flat for flat in side if top <= flat.middle <= bottom] for side in (left, right)]
    fewer, more = sorted(shared, key=len)
    if len(fewer) < COLUMN_LINES:
        return False
    matched = sum(any(_beside(flat, other) >= 0.7 for other in more) for flat in fewer) / len(fewer)
    return matched < MATCHED_ROWS or all(_is_paragraph(side) for side in shared)


def _is_paragraph(flats: Sequence[Flat]) -> bool:
    """Whether one side of a gutter is running text, in one column or in several."""
    aspect = np.median([flat.width / max(1e-6, flat.height) for flat in flats])
    fill = np.median([flat.width / width for column, width in _columns(flats) for flat in column])
    return bool(aspect >= PARAGRAPH_ASPECT and fill >= PARAGRAPH_FILL)


def _columns(flats: Sequence[Flat]) -> list[tuple[list[Flat], float]]:
    """Boxes over which no upright line could be drawn that crosses none of them, with their extent together."""
    found: list[list[Flat]] = []
    reach = -np.inf
    for flat in sorted(flats, key=lambda flat: flat.left):
        if flat.left >= reach:
            found.append([])
        found[-1].append(flat)
        reach = max(reach, flat.right)
    return [(column, max(flat.right for flat in column) - column[0].left) for column in found]
