"""Networks whose output is CTC and nothing else: wav2vec2 (waveform in) and offline Zipformer-CTC (filter banks in).

A. Baevski et al., "wav2vec 2.0" (arXiv 2006.11477), as Hugging Face exports Wav2Vec2ForCTC; Z. Yao et al., "Zipformer"
(arXiv 2310.11230), as icefall's export-onnx-ctc.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ModelMismatch
from appliance.inference.backend import Run
from appliance.speech.ctc.features import Samples, icefall, wav2vec2
from appliance.speech.ctc.recognise import TAIL, Emission
from appliance.speech.ctc.search import log_softmax
from appliance.speech.ctc.tokens import Tokens
from appliance.speech.resample import RATE

STRIDE = 320
"""Samples from one step of wav2vec2 to the next: the product of its convolutions' strides, 20 ms."""
LEAST = 400
"""Samples that its first step takes."""
SUBSAMPLED_S = 0.040
"""Seconds of one step of Zipformer: four filter banks."""
LEAST_FRAMES = 9
"""Filter banks that its first convolutions take for one step."""


@dataclass(frozen=True, slots=True)
class Wav2Vec2:
    """The front end with its network: an `Emit`."""

    run: Run
    """The network."""
    tokens: Tokens
    """Its tokens."""
    normalise: bool = True
    """Whether its processor brings the waveform to variance 1 (do_normalize)."""
    inputs: Sequence[str] = ("input_values",)
    """Names of the waveform and, where it takes one, of the mask."""
    output: str = "logits"
    """Name of the logits."""
    stride: int = STRIDE
    """Samples from one step to the next."""

    def __call__(self, samples: Samples, /, *, deadline: float | None = None) -> Emission:
        """Hear `samples` (n,) at 16 kHz, of which the last are the tail: the sound alone is normalised."""
        sound, behind = samples[:-TAIL], samples[-TAIL:]
        values = np.concatenate([wav2vec2(sound, normalise=self.normalise), behind])[None]
        if values.shape[1] < LEAST:
            return Emission(np.zeros((0, len(self.tokens)), np.float32), self.stride / RATE)
        given: dict[str, npt.NDArray[Any]] = {self.inputs[0]: values}
        if len(self.inputs) > 1:
            given[self.inputs[1]] = np.ones(values.shape, np.int64)
        out = self.run(given, deadline=deadline)
        return Emission(log_softmax(out[self.output][0]), self.stride / RATE)


@dataclass(frozen=True, slots=True)
class Zipformer:
    """The front end with its network: an `Emit`."""

    run: Run
    """The network."""
    tokens: Tokens
    """Its tokens."""
    inputs: Sequence[str] = ("x", "x_lens")
    """Names of the filter banks and their number."""
    outputs: Sequence[str] = ("log_probs", "log_probs_len")
    """Names of the log-probabilities and, where it gives it, their number."""

    def __call__(self, samples: Samples, /, *, deadline: float | None = None) -> Emission:
        """Hear `samples` (n,) at 16 kHz."""
        features = icefall(samples)
        if len(features) < LEAST_FRAMES:
            return Emission(np.zeros((0, len(self.tokens)), np.float32), SUBSAMPLED_S)
        given: dict[str, npt.NDArray[Any]] = {
            self.inputs[0]: features[None],
            self.inputs[1]: np.array([len(features)], np.int64),
        }
        out = self.run(given, deadline=deadline)
        logits = out[self.outputs[0]][0]
        steps = int(out[self.outputs[1]][0]) if len(self.outputs) > 1 else len(logits)
        if not 0 <= steps <= len(logits):
            raise ModelMismatch(f"Zipformer: expected at most {len(logits)} steps, got {steps}")
        return Emission(log_softmax(logits[:steps]), SUBSAMPLED_S)
