"""Brings a recording to the level that networks were trained on, and takes hum and offset out of it.

A kiosk's microphone may be set far too low, hum from its power supply, or carry an offset, and Silero VAD follows the
level. Of 19 recordings (17 of AISHELL-1) no speech was found in 14 when they were made 40 dB quieter, and in 17 under a
50 Hz hum of half of full scale; brought to level, it is found in all 19, and noise, room tone and hum are still
no speech. Recognisers gain too: Vosk, which adds noise of its own, heard no word in speech 30 dB too quiet until then.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput
from appliance.speech.resample import RATE
from appliance.values import Audio

TARGET = 0.1
"""Level (root mean square) to which the loud part of a recording is brought: -20 dB of full scale."""
MOST_GAIN = 10 ** (40 / 20)
"""Largest amplification, 40 dB: what is quieter still lies in the noise of 16 bits and of the microphone."""
RUMBLE_HZ = 60.0
"""Below is no speech: a deep voice begins at 80 Hz. Half the amplitude is gone here, 22 dB at 50 Hz."""

_LOUD_FRAMES = 6
"""Frames of 32 ms that reach the level of the loud part: 0.2 s are a curt word, but more than taps on the screen."""
_FRAME = 512
_REACH = 800
"""Samples that the filter looks to either side, 50 ms: narrow enough a transition to keep 80 Hz and take 50."""
_BLOCK = 32_768
"""Samples of one transform, so that no temporary grows with the recording."""


def levelled(audio: Audio) -> Audio:
    """`audio` (16 kHz) without what lies below 60 Hz and its loud part at `TARGET`; of the same length, nothing moves.

    The loud part is what the loudest 0.2 s reach all through, so that a click does not decide. It is amplified by at
    most `MOST_GAIN`; digital silence stays silence. Peaks beyond 1 are clipped. Raises InvalidInput for another rate.
    """
    if audio.rate != RATE:
        raise InvalidInput(f"level: expected {RATE} samples per second, got {audio.rate}")
    if not len(audio.samples):
        return audio
    clean = np.empty(len(audio.samples), np.float32)
    for first, block in _without_rumble(audio.samples):
        clean[first : first + len(block)] = block
    level = loudness(clean)
    if level > 0:
        clean *= np.float32(min(TARGET / level, MOST_GAIN))
    return Audio(np.clip(clean, -1.0, 1.0, out=clean), RATE)


def loudness(samples: npt.NDArray[np.float32]) -> float:
    """Root mean square that each of the loudest frames (0.2 s in all) reaches; of the whole when it is shorter."""
    whole = len(samples) // _FRAME
    if not whole:
        return math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    frames = samples[: whole * _FRAME].reshape(whole, _FRAME)
    powers = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / _FRAME
    loud = min(_LOUD_FRAMES, whole)
    return math.sqrt(float(np.partition(powers, whole - loud)[whole - loud]))


def _without_rumble(samples: npt.NDArray[np.float32]) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Where each piece begins, and the piece, high-passed: overlap-save with a symmetric kernel, so without delay.

    Before and behind the recording its first and last value go on, or an offset would be a step there.
    """
    spectrum = np.fft.rfft(_kernel(), _BLOCK)
    fresh = _BLOCK - 2 * _REACH
    for first in range(0, len(samples), fresh):
        count = min(fresh, len(samples) - first)
        begin, end = first - _REACH, first + count + _REACH
        inside = samples[max(begin, 0) : end]
        around = np.pad(inside, (max(-begin, 0), max(end - len(samples), 0)), mode="edge")
        filtered = np.fft.irfft(np.fft.rfft(around, _BLOCK) * spectrum, _BLOCK)
        yield first, filtered[2 * _REACH : 2 * _REACH + count].astype(np.float32)


def _kernel() -> npt.NDArray[np.float64]:
    """A windowed-sinc high-pass of odd length with linear phase: a unit impulse less its low-pass."""
    at = np.arange(-_REACH, _REACH + 1)
    low = np.sinc(2 * RUMBLE_HZ / RATE * at) * np.hamming(len(at))
    kernel: npt.NDArray[np.float64] = -low / low.sum()
    kernel[_REACH] += 1
    return kernel
