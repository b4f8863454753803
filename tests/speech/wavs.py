"""Hypothesis strategies of WAV files, good and hostile, for this room's tests and for those over HTTP.

`from tests.speech.wavs import good_wavs, hostile_wavs`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from tests.speech.sounds import chunk, fmt, riff, stored, tone, wav

KINDS = ("u8", "s16", "s24", "s32", "f32", "f64")
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)
EDGES_16 = (0, 1, 2, 3, 7, 8, 12, 16, 20, 24, 31, 32, 33, 64, 255, 256, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
EDGES_32 = (0, 1, 2, 3, 15, 16, 17, 40, 44, 7999, 8000, 96_001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
STRANGE = (float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 3.4e38, 1e-40, 65_536.0, 65_537.0, 1.5, -0.0, 0.3)


@dataclass(frozen=True)
class Good:
    """A WAV file with what it holds."""

    data: bytes
    rate: int
    frames: int


@st.composite
def good_wavs(draw: st.DrawFn, seconds: float = 0.5) -> Good:
    """A recording that must be read: every kind, rate and number of channels, with or without other chunks."""
    rate, kind = draw(st.sampled_from(RATES)), draw(st.sampled_from(KINDS))
    channels = draw(st.integers(1, 4))
    frames = draw(st.integers(1, round(rate * seconds)))
    level = draw(st.sampled_from((0.0, 1e-4, 0.3, 0.99)))
    sound = np.random.default_rng(draw(st.integers(0, 9))).uniform(-level, level, (frames, channels))
    extras = [chunk(name, draw(st.binary(max_size=21))) for name in draw(st.lists(st.sampled_from(_NAMES), max_size=3))]
    body = stored(sound.reshape(-1), kind)
    header = fmt(kind, rate, channels, extensible=draw(st.booleans()))
    size = draw(st.sampled_from((None, 0, 0xFFFFFFFF)))
    if size is None:
        return Good(riff(*extras, header, chunk(b"data", body)), rate, frames)
    # As written into a pipe: sizes unknown, no padding behind the last byte.
    return Good(riff(*extras, header, b"data" + struct.pack("<I", size) + body, size=size), rate, frames)


_NAMES = (b"LIST", b"fact", b"JUNK", b"bext", b"\0\0\0\0", b"cue ")


@st.composite
def _lying_headers(draw: st.DrawFn) -> bytes:
    """A fmt chunk in which fields lie, before samples that are as they may be."""
    kind = draw(st.sampled_from(KINDS))
    fields = {
        name: draw(st.sampled_from(EDGES_32 if name == "rate" else EDGES_16))
        for name in draw(st.sets(st.sampled_from(("tag", "channels", "rate", "bits", "frame")), max_size=3))
    }
    rate, channels = fields.pop("rate", 16000), fields.pop("channels", 1)
    frame = fields.pop("frame", channels * int(kind[1:]) // 8 & 0xFFFF)
    header = fmt(kind, rate, channels, extensible=draw(st.booleans()), frame=frame, **fields)
    return riff(header, chunk(b"data", draw(st.binary(max_size=300))))


@st.composite
def _lying_sizes(draw: st.DrawFn) -> bytes:
    """Chunks whose sizes lie, in files of every name, with and without a ds64."""
    body = stored(tone(16000, 0.004), "s16")
    sizes = st.one_of(st.none(), st.sampled_from(EDGES_32), st.integers(0, 400))
    wide = struct.pack("<QQQI", *(draw(st.sampled_from((0, 1, 128, 2**31, 2**32, 2**63, 2**64 - 1))) for _ in "123"), 0)
    chunks = [
        chunk(b"ds64", wide, draw(sizes)),
        chunk(b"fmt ", fmt()[8:], draw(sizes)),
        chunk(b"LIST", b"INFO" + chunk(b"LIST", b"INFO" + chunk(b"data", body)), draw(sizes)),
        chunk(b"data", body, draw(sizes)),
    ]
    data = riff(*draw(st.permutations(chunks).map(lambda order: order[: draw(st.integers(1, 4))])), size=draw(sizes))
    return draw(st.sampled_from((b"RIFF", b"RF64", b"BW64", b"RIFX", b"riff"))) + data[4:]


@st.composite
def _nested(draw: st.DrawFn) -> bytes:
    """Files inside files, and crowds of chunks."""
    inner = wav(tone(16000, 0.004))
    for _ in range(draw(st.integers(1, 40))):
        inner = riff(chunk(draw(st.sampled_from((b"LIST", b"RIFF", b"data", b"fmt "))), inner))
    crowd = chunk(b"junk", b"") * draw(st.sampled_from((0, 1, 255, 256, 257, 20_000)))
    return draw(st.sampled_from((inner, riff(crowd, inner), riff(fmt(), crowd, chunk(b"data", inner)))))


@st.composite
def _strange_floats(draw: st.DrawFn) -> bytes:
    """Float samples that are none, in one of the first or last places or everywhere."""
    kind = draw(st.sampled_from(("f32", "f64")))
    sound = tone(16000, draw(st.sampled_from((0.001, 0.01, 5.0))))
    for _ in range(draw(st.integers(1, 3))):
        with np.errstate(all="ignore"):
            sound[draw(st.sampled_from((0, 1, -1, slice(None), slice(0, None, 7))))] = draw(st.sampled_from(STRANGE))
    channels = draw(st.integers(1, 2))
    with np.errstate(all="ignore"):
        return wav(np.stack([sound] * channels, axis=1), kind=kind)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A good file with flipped bits, a piece cut out, and something put in."""
    data = bytearray(draw(good_wavs(0.01)).data)
    for at, bit in draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 7)), max_size=8)):
        data[at % len(data)] ^= 1 << bit
    first, second = draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))
    middle = draw(st.sampled_from((b"", b"\0", b"RIFF", b"data", b"\xff" * 8)) | st.binary(max_size=30))
    if draw(st.booleans()):
        return bytes(data[:first]) + middle + bytes(data[second:])
    return bytes(data)


def hostile_wavs() -> st.SearchStrategy[bytes]:
    """Bytes that may be no recording: each must be heard or refused by a typed error, in bounded memory."""
    noise = st.binary(max_size=200)
    return st.one_of(_lying_headers(), _lying_sizes(), _nested(), _strange_floats(), _damaged(), noise, noise.map(riff))
