"""Greedy CTC decoding: best path, repeats merged, blanks dropped.

A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber, "Connectionist Temporal Classification", ICML 2006, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch

BLANK = 0
"""Class that stands for no character."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Characters of one sequence, k of them, in order of time."""

    indices: npt.NDArray[np.int64]
    """Class of each character, shape (k,); never the blank."""
    confidences: npt.NDArray[np.float32]
    """Probability of each character at its surest step, 0 to 1, shape (k,)."""
    starts: npt.NDArray[np.int64]
    """First time step of each character, shape (k,)."""
    ends: npt.NDArray[np.int64]
    """One past its last time step, shape (k,)."""
    surest: npt.NDArray[np.int64]
    """Time step at which each character is surest, shape (k,); the first of several."""

    def __len__(self) -> int:
        """Number of characters."""
        return len(self.indices)

    @property
    def confidence(self) -> float:
        """Mean confidence of the characters; 0 when there is none."""
        return float(self.confidences.mean()) if len(self) else 0.0


def greedy(probabilities: npt.NDArray[np.floating[Any]], *, blank: int = BLANK) -> Decoded:
    """Decode `probabilities` of shape (T, C), rows summing to 1 (a softmax's output, not logits).

    Raises ModelMismatch for another rank or for values that are not finite.
    """
    if probabilities.ndim != 2:
        raise ModelMismatch(f"CTC: expected probabilities of shape (T, C), got {probabilities.shape}")
    if not probabilities.size:
        return collapse(np.empty(0, np.int64), np.empty(0, np.float32), blank=blank)
    classes = probabilities.argmax(axis=1)
    return collapse(classes, probabilities[np.arange(len(classes)), classes], blank=blank)


def collapse(
    classes: npt.NDArray[np.integer[Any]], confidences: npt.NDArray[np.floating[Any]], *, blank: int = BLANK
) -> Decoded:
    """Decode the best class of every step and its probability, both of shape (T,), as a graph ending in ArgMax gives.

    A character's confidence is the largest of its steps: the steps at its edges say where it ends, not what it is.
    Raises ModelMismatch for shapes that differ or for values that are not finite.
    """
    if classes.ndim != 1 or classes.shape != confidences.shape:
        raise ModelMismatch(f"CTC: expected two arrays of one shape (T,), got {classes.shape} and {confidences.shape}")
    # argmax takes the first NaN for the largest value, so a broken network shows itself here.
    if not np.isfinite(confidences).all():
        raise ModelMismatch(f"CTC: expected finite probabilities, got {confidences[~np.isfinite(confidences)][0]}")
    if not len(classes):
        empty = np.empty(0, np.int64)
        return Decoded(empty, np.empty(0, np.float32), empty, empty, empty)
    starts = np.flatnonzero(np.concatenate(([True], classes[1:] != classes[:-1])))
    ends = np.append(starts[1:], len(classes)).astype(np.int64)
    kept = classes[starts] != blank
    starts, ends = starts[kept], ends[kept]
    steps = [start + confidences[start:end].argmax() for start, end in zip(starts, ends, strict=True)]
    surest = np.array(steps, np.int64)
    return Decoded(classes[starts].astype(np.int64), confidences[surest].astype(np.float32), starts, ends, surest)


def rivals(
    probabilities: npt.NDArray[np.floating[Any]], decoded: Decoded, count: int = 4, *, blank: int = BLANK
) -> list[list[tuple[int, float]]]:
    """For each character of `decoded`, up to `count` other classes at its surest step, the most probable first.

    The blank is no other reading of a character. `probabilities` are those that `decoded` came from, shape (T, C).
    """
    found = []
    for step, index in zip(decoded.surest, decoded.indices, strict=True):
        left = probabilities[step].copy()
        left[[blank, index]] = -1
        best = []
        # A few passes for the largest value are vectorised: of 18,710 classes 13 us, where argpartition takes 73.
        for _ in range(min(count, len(left) - 2)):
            other = int(left.argmax())
            best.append((other, float(left[other])))
            left[other] = -1
        found.append(best)
    return found
