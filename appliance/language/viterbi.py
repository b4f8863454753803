"""The best sequence of tags under a linear-chain CRF (Lafferty et al. 2001), found by Viterbi's algorithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Transitions:
    """What a CRF has learnt of the order of tags."""

    begin: Floats
    """Score of beginning with a tag, shape (tags,), float32."""
    end: Floats
    """Score of ending with a tag, shape (tags,), float32."""
    between: Floats
    """Score of the second tag following the first, shape (tags, tags), float32."""


_TINY = np.float32(1e-38)
"""Keeps the logarithm of nothing a number."""


def best_tags(emissions: Floats, order: Transitions) -> tuple[npt.NDArray[np.intp], Floats]:
    """The likeliest tags of emissions (length, tags) float32, and each tag's posterior probability.

    Returns numbers of tags, shape (length,), and the probabilities of those tags given the whole sentence (forward-
    backward), shape (length,), float32. Both are empty for no emissions.
    """
    length = len(emissions)
    if not length:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    score = emissions[0] + order.begin
    back = np.zeros((length, emissions.shape[1]), np.intp)
    for at in range(1, length):
        paths = score[:, None] + order.between
        back[at] = paths.argmax(0)
        score = np.take_along_axis(paths, back[at][None], 0)[0] + emissions[at]
    path = np.empty(length, np.intp)
    path[-1] = int((score + order.end).argmax())
    for at in range(length - 1, 0, -1):
        path[at - 1] = back[at, path[at]]
    return path, _posterior(emissions, order)[np.arange(length), path]


def _posterior(emissions: Floats, order: Transitions) -> Floats:
    """Probability of every tag at every place, shape (length, tags)."""
    length = len(emissions)
    forward, backward = np.empty_like(emissions), np.empty_like(emissions)
    forward[0] = emissions[0] + order.begin
    for at in range(1, length):
        forward[at] = _log_sum(forward[at - 1][:, None] + order.between, 0) + emissions[at]
    backward[-1] = order.end
    for at in range(length - 2, -1, -1):
        backward[at] = _log_sum(order.between + (emissions[at + 1] + backward[at + 1])[None], 1)
    together = forward + backward
    found: Floats = np.exp(together - _log_sum(together, 1)[:, None]).astype(np.float32)
    return found


def _log_sum(values: Floats, axis: int) -> Floats:
    """log(sum(exp(values))) along an axis, without overflow."""
    most = values.max(axis, keepdims=True)
    most = np.where(np.isfinite(most), most, 0)  # where nothing leads to a tag
    found: Floats = (np.log(np.exp(values - most).sum(axis) + _TINY) + most.squeeze(axis)).astype(np.float32)
    return found
