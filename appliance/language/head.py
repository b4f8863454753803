"""A classifier over sentence vectors that a running appliance fits from a few labelled sentences, by numpy alone.

Softmax regression with an L2 penalty on centred vectors of length 1, fitted by Nesterov's accelerated gradient (1983)
with the step that the curvature's bound allows. The problem is convex: the same sentences give the same head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput

Floats = npt.NDArray[np.float32]

_STEPS = 400
_ENOUGH = 1e-4
"""Largest gradient at which fitting ends."""


@dataclass(frozen=True, slots=True)
class Head:
    """Probabilities of labels from a sentence vector. Never changes."""

    labels: tuple[str, ...]
    """Labels, sorted."""
    centre: Floats
    """Mean of the vectors that it was fitted on, shape (width,), float32."""
    weights: Floats
    """Shape (width, labels), float32."""
    bias: Floats
    """Shape (labels,), float32."""

    def probabilities(self, vectors: Floats) -> Floats:
        """Shape (n, labels) float32 for vectors (n, width) float32."""
        return _softmax(centred(vectors, self.centre) @ self.weights + self.bias)


def centred(vectors: Floats, centre: Floats) -> Floats:
    """Vectors (n, width) less `centre`, brought to length 1: sentence vectors share a direction that says nothing."""
    moved = vectors - centre
    found: Floats = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9)
    return found


def fit(vectors: Floats, labels: Sequence[str], penalty: float = 0.02) -> Head:
    """Fit a head to vectors (n, width) float32 with one label each; `penalty` is the weight of the squared norm.

    Raises InvalidInput for fewer than two labels or another number of labels than vectors.
    """
    names = tuple(sorted(set(labels)))
    if len(names) < 2 or len(labels) != len(vectors):
        raise InvalidInput(
            f"head: expected a label for each of {len(vectors)} vectors and at least two labels, got {len(labels)} "
            f"labels, {len(names)} of them different"
        )
    centre = vectors.mean(0)
    inputs = np.concatenate([centred(vectors, centre), np.ones((len(vectors), 1), np.float32)], axis=1)
    targets = np.zeros((len(labels), len(names)), np.float32)
    targets[np.arange(len(labels)), [names.index(label) for label in labels]] = 1
    # Each label counts the same, however many sentences it has.
    weight = (len(labels) / (len(names) * targets.sum(0)) @ targets.T)[:, None] / len(labels)
    pull = np.full((inputs.shape[1], 1), penalty, np.float32)
    pull[-1] = 0.0  # the bias is free
    step = 1.0 / (0.5 * float((weight * inputs**2).sum()) + penalty)
    now = before = np.zeros((inputs.shape[1], len(names)), np.float32)
    for number in range(_STEPS):
        ahead = now + (number / (number + 3)) * (now - before)
        gradient = inputs.T @ (weight * (_softmax(inputs @ ahead) - targets)) + pull * ahead
        before, now = now, (ahead - step * gradient).astype(np.float32)
        if float(np.abs(gradient).max()) < _ENOUGH:
            break
    return Head(names, centre.astype(np.float32), now[:-1], now[-1])


def _softmax(logits: Floats) -> Floats:
    exponent = np.exp(logits - logits.max(1, keepdims=True))
    found: Floats = (exponent / exponent.sum(1, keepdims=True)).astype(np.float32)
    return found
