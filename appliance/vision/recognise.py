"""What a strip of text says: the recogniser at natural width, then greedy CTC with a confidence per character."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch
from appliance.inference.backend import Run
from appliance.inference.ctc import greedy
from appliance.vision.image import Pixels
from appliance.vision.rectify import STRIP_HEIGHT

STEP = 8
"""Columns of pixels behind one time step of the network."""

MIN_WIDTH = 48
"""Narrower strips are padded to this width."""

MAX_WIDTH = 1280
"""Wider strips are cut at gaps: bounds memory, and the attention's cost, which grows with the square of the width."""

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
        for index, confidence in zip(decoded.indices, decoded.confidences, strict=True):
            text.append(classes[index])
            confidences.append(float(confidence))
    return _trimmed("".join(text), confidences)


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
