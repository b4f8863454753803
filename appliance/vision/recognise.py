"""What a strip of text says: the recogniser at natural width, then greedy CTC with a confidence per character."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch
from appliance.inference.backend import Run
from appliance.inference.ctc import Decoded, greedy
from appliance.vision.image import Pixels
from appliance.vision.rectify import STRIP_HEIGHT

STEP = 8
"""Columns of pixels behind one time step of the network."""

MIN_WIDTH = 96
"""Narrower strips are padded to this width: with less beside it, a single `0` is read as `o`."""

MAX_WIDTH = 1280
"""Wider strips are cut at gaps: bounds memory, and the attention's cost, which grows with the square of the width."""

LEAST_GAP = 5.0
"""Fewest time steps (40 columns, 0.8 of the height) between the middles of two characters that a space parts."""

WIDE_GAP = 2.5
"""The same in median distances of the line's characters, so that wide print is not torn apart."""

_SEARCH = 160
"""Columns before `MAX_WIDTH` in which the emptiest place to cut is sought."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of one strip."""

    text: str
    """Recognised characters; empty when none."""
    confidences: tuple[float, ...]
    """Confidence of each character of `text`, 0 to 1."""

    @property
    def confidence(self) -> float:
        """Mean character confidence; 0 for an empty text."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0


def alphabet(characters: Sequence[str]) -> tuple[str, ...]:
    """Text of each class of the network: blank, the characters of the model's list, and the space it does not name."""
    return ("", *characters, " ")


def recognise(run: Run, strip: Pixels, classes: Sequence[str], deadline: float | None = None) -> Reading:
    """Read one strip, shape (48, width, 3). `classes` is the text of every class, as `alphabet` gives it.

    Raises ModelMismatch when the network has another number of classes.
    """
    text, confidences = [], []
    for piece in pieces(strip):
        probabilities = next(iter(run({"x": tensor(piece)}, deadline=deadline).values()))[0]
        if probabilities.shape[1] != len(classes):
            raise ModelMismatch(f"recogniser: expected {len(classes)} classes, got {probabilities.shape[1]}")
        decoded = greedy(probabilities)
        characters = [classes[index] for index in decoded.indices]
        for apart, character, confidence in zip(
            gaps(characters, decoded), characters, decoded.confidences, strict=True
        ):
            text.append(f" {character}" if apart else character)
            confidences += [float(confidence)] * len(text[-1])
    return _trimmed("".join(text), confidences)


def gaps(characters: Sequence[str], decoded: Decoded) -> list[bool]:
    """For each character, whether a space that the network did not write stands before it.

    The detector joins neighbouring cells of a table now and then, and `1` and `55.90` must not become `155.90`. Chinese
    is left alone: it is often set wide, and a space inside a word would be worse than none between two.
    """
    apart = [False] * len(characters)
    if len(characters) < 3:
        return apart
    middles = (decoded.starts + decoded.ends) / 2
    pitch = np.diff(middles)
    least = max(LEAST_GAP, WIDE_GAP * float(np.median(pitch)))
    for index, distance in enumerate(pitch, start=1):
        one, other = characters[index - 1], characters[index]
        apart[index] = bool(distance >= least) and (one + other).isascii() and " " not in (one, other)
    return apart


def tensor(strip: Pixels) -> npt.NDArray[np.float32]:
    """Scale a strip to [-1, 1] and pad it with grey to a multiple of 8 columns: (1, 3, 48, width), float32, BGR."""
    width = strip.shape[1]
    scaled = np.zeros((1, 3, STRIP_HEIGHT, max(MIN_WIDTH, -(-width // STEP) * STEP)), np.float32)
    np.multiply(strip.transpose(2, 0, 1), np.float32(1 / 127.5), out=scaled[0, :, :, :width])
    scaled[..., :width] -= 1
    return scaled


def pieces(strip: Pixels, limit: int = MAX_WIDTH) -> Iterator[Pixels]:
    """Cut a strip into pieces of at most `limit` columns, each cut at the place with the least ink nearby."""
    while strip.shape[1] > limit:
        start = limit - min(_SEARCH, limit // 2)
        at = start + _emptiest(strip[:, start:limit])
        yield strip[:, :at]
        strip = strip[:, at:]
    yield strip


def _emptiest(window: Pixels) -> int:
    """Middle of the widest run of columns that have about the least contrast of all in `window`."""
    contrast = np.ptp(window.mean(axis=2), axis=0)
    empty = contrast <= contrast.min() + 0.1 * np.ptp(contrast)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], empty, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    widest = int(np.argmax(ends - starts))
    return max(1, int(starts[widest] + ends[widest]) // 2)


def _trimmed(text: str, confidences: list[float]) -> Reading:
    """Without spaces at either end: they are padding that was read."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    return Reading(text[start:end], tuple(confidences[start:end])) if end > start else Reading("", ())
