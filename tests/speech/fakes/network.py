"""Fake VAD network: each frame's probability is its loudest sample, so that a test writes probabilities as sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

FRAME = 512


class LoudNetwork:
    """Says how loud the new samples of a frame are, counts frames in its state, and fails when told to."""

    def __init__(self) -> None:
        self.frames = 0
        self.states: list[float] = []
        self.failure: Exception | None = None

    def __call__(self, inputs: Mapping[str, np.ndarray], /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        if self.failure is not None:
            raise self.failure
        block = inputs["input"]
        self.frames += len(block)
        self.states.append(float(inputs["h"].flat[0]))
        loud = np.abs(block[:, -FRAME:]).max(axis=1).astype(np.float32)
        return {"speech_probs": loud, "hn": inputs["h"] + len(block), "cn": inputs["c"] - len(block)}


def sound(values: Sequence[float]) -> np.ndarray:
    """Frames whose probabilities are `values`; no two samples of a frame are alike, so that a shift is seen."""
    shape = np.linspace(1.0, 0.5, FRAME, dtype=np.float32)
    return (np.asarray(values, np.float32)[:, None] * shape).reshape(-1)
