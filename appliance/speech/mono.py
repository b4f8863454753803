"""From what a device delivers to what the speech room hears: one channel of many, 16 kHz of any rate, as it comes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.speech.resample import RATE

Samples = npt.NDArray[np.float32]

_MEMORY_S = 2.0
"""Seconds that the powers of the channels are remembered: longer than a word, so that a choice does not flicker."""
_LONE, _TOGETHER = 3.0, 1.5
"""How much more power than the mean of all channels makes one stand alone (see `wav`: a dead channel beside it, or
phases that cancel), and how little of it lets all count again."""
_HEARD = 1e-9
"""Mean square below which nothing is decided: -90 dB of full scale."""


class Mixer:
    """Interleaved channels to one: their mean, or the loudest alone where the mean would lose it."""

    def __init__(self, rate: int, channels: int) -> None:
        """Frames of `channels` samples at `rate`."""
        self.channels = channels
        self._memory = _MEMORY_S * rate
        self._products = np.zeros((channels, channels))
        self._alone = -1
        self._weights = self._chosen()

    def mix(self, block: Samples) -> Samples:
        """`block` of shape (frames * channels,) as shape (frames,); a change of weights is faded over the block."""
        if self.channels == 1:
            return block
        frames = block.reshape(-1, self.channels)
        before = self._weights
        self._judge(frames)
        if self._weights is before or not len(frames):
            mixed: Samples = frames @ self._weights
            return mixed
        fade = np.linspace(0, 1, len(frames), dtype=np.float32)
        faded: Samples = (frames @ before) * (1 - fade) + (frames @ self._weights) * fade
        return faded

    def _judge(self, frames: Samples) -> None:
        """Follow the powers of the channels and of their mean, offsets left out, and choose anew."""
        kept = np.exp(-len(frames) / self._memory)
        even = frames - frames.mean(axis=0) if len(frames) else frames
        self._products = kept * self._products + (1 - kept) * (even.T @ even) / max(1, len(frames))
        loudest = int(np.argmax(np.diag(self._products)))
        mean = float(self._products.mean())  # w' C w with equal weights
        most = float(self._products[loudest, loudest])
        if most < _HEARD:
            return
        chosen = self._alone
        if most > _LONE * max(mean, 0.0):
            chosen = loudest
        elif most < _TOGETHER * mean:
            chosen = -1
        if chosen != self._alone:
            self._alone = chosen
            self._weights = self._chosen()

    def _chosen(self) -> Samples:
        if self._alone < 0:
            return np.full(self.channels, 1 / self.channels, np.float32)
        weights = np.zeros(self.channels, np.float32)
        weights[self._alone] = 1
        return weights


class Resampler:
    """Mono sound to 16 kHz as it comes, by soxr's HQ recipe; 5 to 40 ms of it are on the way (48 kHz)."""

    def __init__(self, rate: int) -> None:
        """From `rate` in Hz; sound at 16 kHz stays as it is."""
        self._stream: Any = None
        if rate != RATE:
            import soxr  # lazy: a native library that only other rates need

            self._stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")

    def feed(self, samples: Samples, *, last: bool = False) -> Samples:
        """What is ready after `samples`, float32 of shape (n,), within [-1, 1]; with `last` all, and nothing more."""
        if self._stream is not None:
            samples = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return np.clip(samples, -1.0, 1.0)
