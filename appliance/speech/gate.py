"""Task metric of the voice activity detector on a model's cases: what a file or an engine must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.artifacts.cases import Case
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.speech.level import levelled
from appliance.speech.resample import to_16k
from appliance.speech.vad import FRAME_SECONDS, USUAL, Vad
from appliance.speech.wav import decode
from appliance.values import Audio

FRAME_AGREEMENT = "frame_agreement"

_SECONDS, _BYTES = 60.0, 1 << 23


def frame_agreement(run: Run, cases: Sequence[Case], folder: Path) -> float:
    """Share of the 32 ms frames of the `clip` cases that are on the right side of the threshold of speech."""
    agreed = []
    for clip in _clips(cases):
        speech = Vad(run).probabilities(_audio(clip)) >= USUAL.threshold
        agreed.append(speech == _spoken(clip, len(speech)))
    return float(np.concatenate(agreed).mean()) if agreed else 0.0


def frames_in(cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The `clip` cases as the network takes them, each whole and from a state of zeros: what follows is its own."""
    for clip in _clips(cases):
        heard: list[Arrays] = []

        def listen(
            inputs: Arrays, /, *, deadline: float | None = None, heard: list[Arrays] = heard
        ) -> dict[str, npt.NDArray[Any]]:
            heard.append(inputs)
            silence = np.zeros(len(inputs["input"]), np.float32)
            return {"speech_probs": silence, "hn": inputs["h"], "cn": inputs["c"]}

        Vad(listen).probabilities(_audio(clip))
        if heard:
            yield {**heard[0], "input": np.concatenate([block["input"] for block in heard])}


def _clips(cases: Sequence[Case]) -> Iterator[Case]:
    return (case for case in cases if case.kind == "clip")


def _audio(clip: Case) -> Audio:
    """The sound of a case as the network hears one that was sent: at 16 kHz and brought to level."""
    return levelled(to_16k(decode(clip.path.read_bytes(), max_seconds=_SECONDS, max_bytes=_BYTES)))


def _spoken(clip: Case, count: int) -> npt.NDArray[np.bool_]:
    """For each of the first `count` frames of a clip whether somebody speaks in its middle."""
    middles = (np.arange(count) + 0.5) * FRAME_SECONDS
    spoken = np.zeros(count, np.bool_)
    for start, end in clip.truth["speech"]:
        spoken |= (middles >= start) & (middles < end)
    return spoken


METRICS: Mapping[str, Callable[[Run, Sequence[Case], Path], float]] = {FRAME_AGREEMENT: frame_agreement}
"""Metrics by the names that manifests use."""
FEEDS: Mapping[str, Callable[[Sequence[Case], Path], Iterator[Arrays]]] = {FRAME_AGREEMENT: frames_in}
"""What makes the inputs of the networks that these metrics are of."""
