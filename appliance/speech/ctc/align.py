"""When each token of a known sequence was said: the likeliest CTC path that spells it (Viterbi).

L. Rabiner, "A Tutorial on Hidden Markov Models" (Proc. IEEE 77(2), 1989), section III.B, on the states of CTC: a blank
before, between and behind the tokens, of which the ones between may be left out where the neighbours differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch
from appliance.inference.ctc import Decoded


def align(logprobs: npt.NDArray[np.float32], tokens: Sequence[int], *, blank: int = 0) -> Decoded:
    """Place `tokens` in `logprobs` (T, V), natural logarithms: first and last step, and probability at the surest one.

    Raises ModelMismatch when T steps are too few for them: one each, and a blank between two that are alike.
    """
    count = len(tokens)
    if not count:
        empty = np.empty(0, np.int64)
        return Decoded(empty, np.empty(0, np.float32), empty, empty, empty)
    states = np.full(2 * count + 1, blank, np.int64)
    states[1::2] = tokens
    path = _path(logprobs[:, states].astype(np.float64), states)
    starts = np.array([int(np.argmax(path == 2 * n + 1)) for n in range(count)], np.int64)
    ends = np.array([starts[n] + int((path == 2 * n + 1).sum()) for n in range(count)], np.int64)
    indices = states[1::2].copy()
    surest = np.array(
        [
            start + int(logprobs[start:end, token].argmax())
            for start, end, token in zip(starts, ends, indices, strict=True)
        ],
        np.int64,
    )
    confidences = np.exp(logprobs[surest, indices].astype(np.float32))
    return Decoded(indices, confidences, starts, ends, surest)


def _path(scores: npt.NDArray[np.float64], states: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """State at each step of the best path; `scores` (T, S) are those of each state's class."""
    steps, width = scores.shape
    needed = len(states) // 2 + int((states[3::2] == states[1:-2:2]).sum())
    if steps < needed:
        raise ModelMismatch(f"CTC: expected at least {needed} steps for these tokens, got {steps}")
    skips = np.zeros(width, np.bool_)
    skips[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(width, -np.inf)
    best[:2] = scores[0, :2]
    back = np.zeros((steps, width), np.int8)
    for step in range(1, steps):
        ways = np.full((3, width), -np.inf)
        ways[0] = best
        ways[1, 1:] = best[:-1]
        ways[2, 2:] = np.where(skips[2:], best[:-2], -np.inf)
        back[step] = ways.argmax(axis=0)
        best = ways.max(axis=0) + scores[step]
    state = width - 1 if best[-1] >= best[-2] else width - 2
    path = np.empty(steps, np.int64)
    for step in range(steps - 1, -1, -1):
        path[step] = state
        state -= int(back[step, state])
    return path
