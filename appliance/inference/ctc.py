"""Greedy CTC decoding: best path, repeats merged, blanks dropped.

A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber, "Connectionist Temporal Classification", ICML 2006, section 3.2.

The network gives the most probable classes of every step, best first, and the logarithms of their probabilities (see
`inference.arrive`): the first column is the best path, the others are what else a character may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch

BLANK = 0
"""Class that stands for no character."""

Ids = npt.NDArray[np.integer[Any]]
"""Most probable classes of T steps, the best first, shape (T, k)."""

LogProbs = npt.NDArray[np.floating[Any]]
"""Natural logarithms of the probabilities of those classes, shape (T, k)."""


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


def greedy(ids: Ids, logprobs: LogProbs, *, blank: int = BLANK) -> Decoded:
    """Decode the best class of every step.

    A character's confidence is the largest of its steps: the steps at its edges say where it ends, not what it is.
    Raises ModelMismatch for shapes that differ or for values that are not finite.
    """
    if ids.ndim != 2 or not ids.shape[1] or ids.shape != logprobs.shape:
        raise ModelMismatch(f"CTC: expected two arrays of one shape (T, k), got {ids.shape} and {logprobs.shape}")
    classes, sure = ids[:, 0], logprobs[:, 0]
    # One NaN among the classes of a step makes all its probabilities NaN, so a broken network shows itself here.
    if not np.isfinite(sure).all():
        raise ModelMismatch(f"CTC: expected finite log-probabilities, got {sure[~np.isfinite(sure)][0]}")
    if not len(classes):
        empty = np.empty(0, np.int64)
        return Decoded(empty, np.empty(0, np.float32), empty, empty, empty)
    starts = np.flatnonzero(np.concatenate(([True], classes[1:] != classes[:-1])))
    ends = np.append(starts[1:], len(classes)).astype(np.int64)
    kept = classes[starts] != blank
    starts, ends = starts[kept], ends[kept]
    surest = np.array([start + sure[start:end].argmax() for start, end in zip(starts, ends, strict=True)], np.int64)
    confidences = np.exp(sure[surest].astype(np.float32))
    return Decoded(classes[starts].astype(np.int64), confidences, starts, ends, surest)


def rivals(ids: Ids, logprobs: LogProbs, decoded: Decoded, *, blank: int = BLANK) -> list[list[tuple[int, float]]]:
    """For each character of `decoded` the other classes at its surest step with their probabilities, best first.

    The blank is no other reading of a character: of five columns four are left, three where it is among them. Nor is
    what has no probability left in the network's precision. `ids` and `logprobs` are those that `decoded` came from.
    """
    others, odds = ids[decoded.surest, 1:].tolist(), np.exp(logprobs[decoded.surest, 1:]).tolist()
    return [
        [(other, chance) for other, chance in zip(*row, strict=True) if other != blank and chance > 0]
        for row in zip(others, odds, strict=True)
    ]
