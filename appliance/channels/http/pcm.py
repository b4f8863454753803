"""Bare samples as a body: `audio/pcm;rate=48000`, 16-bit little-endian mono, as they come from a microphone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from flask import Request

from appliance.channels.http.limits import Incoming
from appliance.errors import InvalidInput
from appliance.speech.resample import RATE

PCM_TYPE = "audio/pcm"
OCTETS_TYPE = "application/octet-stream"
"""The same at 16 kHz, for clients that can send nothing but bytes."""
RATES = (8_000, 96_000)
"""Least and most samples per second."""
KNOWN = {"channels": "1", "bits": "16", "format": "s16le"}
"""Further parameters of the media type that may stand there, with the only value understood."""
PIECE_BYTES = RATE // 5 * 2
"""Bytes looked at together: 0.2 s."""


def is_pcm(asked: Request) -> bool:
    """True when the body is bare samples by its Content-Type."""
    return asked.mimetype == PCM_TYPE


def rate_of(asked: Request) -> int:
    """Samples per second by the media type, 16,000 where it says nothing.

    Raises InvalidInput for a rate that cannot be, or a form of samples that is not understood.
    """
    given = {name.lower(): value.lower() for name, value in asked.mimetype_params.items()}
    rate = given.pop("rate", str(RATE))
    wrong = [name for name, value in given.items() if KNOWN.get(name) != value]
    if wrong or not (rate.isascii() and rate.isdigit() and len(rate) < 7 and RATES[0] <= int(rate) <= RATES[1]):
        got = f"{wrong[0][:20]}={given[wrong[0]][:20]!r}" if wrong else f"rate={rate[:20]!r}"
        raise InvalidInput(
            f"Content-Type: expected {PCM_TYPE};rate={RATES[0]} to {RATES[1]}, 16 bits, little-endian, mono, got {got}",
            remedy=(
                "请发送 16 位小端、单声道的采样并在 rate 中写明采样率，或改发 WAV 文件",
                "Send 16-bit little-endian mono samples with their rate, or a WAV file instead",
            ),
        )
    return int(rate)


def samples(data: bytes) -> npt.NDArray[np.float32]:
    """16-bit samples as float32 in [-1, 1), shape (n,). Raises InvalidInput for half a sample."""
    if len(data) % 2:
        raise InvalidInput(f"audio: expected whole samples of 2 bytes, got {len(data)} bytes")
    found: npt.NDArray[np.float32] = np.frombuffer(data, "<i2").astype(np.float32) * np.float32(1 / 32768)
    return found


def arriving(asked: Request, limit: int) -> Iterator[npt.NDArray[np.float32]]:
    """The samples of a body as they arrive, at most `limit` bytes of them. Raises as `Incoming` and `samples` do."""
    incoming, rest = Incoming(asked, limit), b""
    while piece := incoming.read(PIECE_BYTES, at_once=True):
        rest += piece
        whole = len(rest) // 2 * 2
        if whole:
            yield samples(rest[:whole])
            rest = rest[whole:]
    if rest:
        raise InvalidInput("audio: expected whole samples of 2 bytes, got half a sample at the end")
