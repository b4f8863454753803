"""Brings sound to the 16 kHz that voice activity detection and recognisers were trained on."""

from __future__ import annotations

import numpy as np

from appliance.values import Audio

RATE = 16_000
"""Samples per second inside the speech room."""


def to_16k(audio: Audio) -> Audio:
    """Resample to 16 kHz float32, shape (round(n * 16000 / rate),), by soxr's HQ recipe (linear phase, 20 bit).

    Sound that already is at 16 kHz comes back as it is. The result is clipped to [-1, 1]: the band limit of a
    resampler lets full-scale square edges overshoot by some percent.
    """
    if audio.rate == RATE:
        return audio
    import soxr  # lazy: a native library that only recordings at other rates need

    samples = soxr.resample(audio.samples, audio.rate, RATE, quality="HQ")
    return Audio(np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False), RATE)
