"""Sound on its way out: 16-bit PCM, little-endian, with and without the header of a WAV file."""

from __future__ import annotations

import struct

import numpy as np

from appliance.values import Audio

PCM16_BYTES = 2
"""Bytes of one sample."""


def pcm16(audio: Audio, rate: int | None = None) -> bytes:
    """Samples as signed 16-bit little-endian mono, resampled by soxr where another `rate` (in Hz) is wanted.

    Full scale is 32767 on both sides; what lies beyond it, as a resampler's overshoot does, is clipped.
    """
    samples = audio.samples
    if rate is not None and rate != audio.rate:
        import soxr  # lazy: a native library that only another rate needs

        samples = soxr.resample(samples, audio.rate, rate, quality="HQ")
    whole: bytes = np.rint(np.clip(samples, -1.0, 1.0) * np.float32(32767)).astype("<i2").tobytes()
    return whole


def wav(audio: Audio) -> bytes:
    """A whole WAV file of 16-bit PCM at the sound's own rate."""
    return wav_of(pcm16(audio), rate=audio.rate, width=PCM16_BYTES, channels=1)


def wav_of(pcm: bytes, *, rate: int, width: int, channels: int) -> bytes:
    """A WAV file around interleaved little-endian integers of `width` bytes; what is no whole frame is cut off."""
    frame = width * channels
    pcm = pcm[: len(pcm) // frame * frame]
    head = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * frame, frame, 8 * width)
    size = len(pcm) + (len(pcm) & 1)
    body = b"WAVEfmt " + head + b"data" + struct.pack("<I", len(pcm))
    return b"".join((b"RIFF", struct.pack("<I", len(body) + size), body, pcm, b"\0" * (len(pcm) & 1)))
