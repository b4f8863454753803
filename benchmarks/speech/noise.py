"""Noise behind speech at a signal-to-noise ratio, the same in every run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from appliance.speech.level import loudness

Samples = npt.NDArray[np.float32]

VOICES = 4
"""Other speakers at once in babble."""


def pink(length: int, rng: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """Noise whose power falls with the frequency, as of fans and streets: shape (length,), float32."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum, length).astype(np.float32)


def babble(length: int, rng: np.random.Generator, others: Sequence[Samples]) -> Samples:
    """`VOICES` of the `others` at once, each from anywhere and again from its start: shape (length,), float32."""
    mixed = np.zeros(length, np.float32)
    for voice in rng.permutation(len(others))[:VOICES]:
        sound = others[voice]
        level = loudness(sound)
        if level > 0:
            mixed += np.resize(np.roll(sound, int(rng.integers(len(sound)))), length) / np.float32(level)
    return mixed


KINDS: Mapping[str, Callable[[int, np.random.Generator, Sequence[Samples]], Samples]] = {"pink": pink, "babble": babble}
"""Kinds of noise by name."""


def noisy(speech: Samples, kind: str, snr_db: float, name: str, others: Sequence[Samples]) -> Samples:
    """`speech` with noise behind it, in [-1, 1]; where the sum would clip, both are made softer.

    The ratio is that of the loud part of speech (`speech.level.loudness`) to the noise's root mean square, so that
    pauses do not decide. `name` and `kind` choose the noise: the same for every recogniser and every ratio.
    """
    rng = np.random.default_rng(zlib.crc32(f"{kind}/{name}".encode()))
    noise = KINDS[kind](len(speech), rng, others)
    power = float(np.sqrt(np.mean(np.square(noise, dtype=np.float64))))
    if power == 0:
        return speech
    mixed = speech + noise * np.float32(loudness(speech) / power * 10 ** (-snr_db / 20))
    return mixed / np.float32(max(1.0, float(np.abs(mixed).max())))
