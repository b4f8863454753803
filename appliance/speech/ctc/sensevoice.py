"""SenseVoice-Small (FunAudioLLM; arXiv 2407.04051): one pass of CTC for Chinese, Cantonese, English, Japanese, Korean.

The graph is what FunASR exports (funasr/models/sense_voice/export_meta.py, MIT): four learnt frames, for language,
feeling, kind of sound and writing, stand before the sound, and the network answers with a tag at each of them. The
exports of sherpa-onnx are the same under other names and without the lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from appliance.errors import ModelMismatch, SettingInvalid
from appliance.inference.backend import Run
from appliance.speech.ctc.cmvn import Cmvn
from appliance.speech.ctc.features import SHIFT_S, STEP, Samples, funasr
from appliance.speech.ctc.recognise import Emission
from appliance.speech.ctc.search import log_softmax
from appliance.speech.ctc.tags import read_tags
from appliance.speech.ctc.tokens import Tokens

LANGUAGES: Mapping[str, int] = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12, "nospeech": 13}
"""Numbers of the languages that it is told to hear (lid_dict)."""
NORMS: Mapping[str, int] = {"withitn": 14, "woitn": 15}
"""Numbers of the ways to write: digits and punctuation, or words as they are spoken (textnorm_dict)."""
PREFIX = 4
"""Frames before the sound, each answered with a tag."""
INPUTS = ("speech", "speech_lengths", "language", "textnorm")
OUTPUTS = ("ctc_logits", "encoder_out_lens")
"""Names in FunASR's export; sherpa-onnx's: x, x_length, language, text_norm, and logits alone."""


@dataclass(frozen=True, slots=True)
class SenseVoice:
    """The front end with its network: an `Emit`."""

    run: Run
    """The network."""
    tokens: Tokens
    """Its tokens."""
    cmvn: Cmvn
    """From its am.mvn."""
    language: str = "auto"
    """A key of `LANGUAGES`."""
    norm: str = "woitn"
    """A key of `NORMS`."""
    inputs: Sequence[str] = INPUTS
    """Names of features, lengths, language and norm."""
    outputs: Sequence[str] = OUTPUTS
    """Names of the logits and, where it gives them, the lengths."""

    def __post_init__(self) -> None:
        """Refuse names that it does not know."""
        for kind, value, known in (("language", self.language, LANGUAGES), ("norm", self.norm, NORMS)):
            if value not in known:
                raise SettingInvalid(f"SenseVoice: expected a {kind} of {', '.join(known)}, got {value!r}")
        if len(self.inputs) != len(INPUTS) or not self.outputs:
            raise ModelMismatch(f"SenseVoice: expected inputs {INPUTS}, got {tuple(self.inputs)}")

    def __call__(self, samples: Samples, /, *, deadline: float | None = None) -> Emission:
        """Hear `samples` (n,) at 16 kHz; sound of less than 25 ms gives no step."""
        features = funasr(samples, self.cmvn)
        count = len(features)
        if not count:
            return Emission(np.zeros((0, len(self.tokens)), np.float32), STEP * SHIFT_S)
        values = (
            features[None],
            np.array([count], np.int32),
            np.array([LANGUAGES[self.language]], np.int32),
            np.array([NORMS[self.norm]], np.int32),
        )
        out = self.run(dict(zip(self.inputs, values, strict=True)), deadline=deadline)
        logits = out[self.outputs[0]][0]
        steps = int(out[self.outputs[1]][0]) if len(self.outputs) > 1 else count + PREFIX
        if not PREFIX <= steps <= len(logits):
            raise ModelMismatch(f"SenseVoice: expected {count + PREFIX} steps, got {steps} of {len(logits)}")
        said = logits[:PREFIX].argmax(axis=1)
        known = [self.tokens.texts[token] for token in said.tolist() if token < len(self.tokens)]
        # A joined frame has its middle, not its beginning, at a multiple of 60 ms.
        return Emission(log_softmax(logits[PREFIX:steps]), STEP * SHIFT_S, -STEP * SHIFT_S / 2, read_tags(known))
