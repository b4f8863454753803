"""Reads WAV recordings into mono float32, strictly: everything is judged from the header before any allocation.

RIFF/WAVE after Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991) and
"Multiple Channel Audio Data and WAVE Files" (2007, WAVE_FORMAT_EXTENSIBLE); RF64 and BW64, in which some recorders
write short files too, after EBU Tech 3306 and ITU-R BS.2088. The standard library's `wave` is not used: it knows
neither float samples nor, before Python 3.12, the extensible header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput, TooLarge, UnsupportedMedia
from appliance.values import Audio

MIN_RATE, MAX_RATE = 8_000, 96_000
"""Sample rates accepted, in Hz."""
MAX_CHANNELS = 32
"""Channels accepted; a microphone array has 4 to 16."""

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_NAMES = {0x0002: "MS ADPCM", 0x0006: "A-law", 0x0007: "mu-law", 0x0011: "IMA ADPCM", 0x0055: "MP3", 0x00FF: "AAC"}
_WIDE = (b"RF64", b"BW64")
"""Files whose true sizes stand in a ds64 chunk, with 0xFFFFFFFF in the places of 32 bits."""
_IN_DS64 = 0xFFFFFFFF
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
_CHUNKS = 256
"""Chunks walked at most; recorders write fewer than ten."""
_BLOCK = 65_536
"""Samples converted at a time, so that no temporary grows with the recording."""
_PEAK = 65_536.0
"""Largest float sample that can still be sound: recorders that do not normalise write 16-bit values as floats."""
_LONE = 3.0
"""How much more power than the mean of all channels makes one channel stand alone: 4 when the other of two is dead,
without end when their phases are opposite (a miswired plug); 2 for two that have nothing in common."""


@dataclass(frozen=True, slots=True)
class WavFormat:
    """What a WAV header says of its samples."""

    tag: int
    """1 for integers (PCM), 3 for IEEE floats."""
    channels: int
    """Samples in one frame, 1 to `MAX_CHANNELS`."""
    rate: int
    """Frames per second."""
    bits: int
    """Bits of one sample as stored."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.channels * self.bits // 8


def decode(data: bytes, *, max_seconds: float, max_bytes: int) -> Audio:
    """Decode a WAV file to mono float32 in [-1, 1], shape (n,), n >= 1, at the file's own rate.

    Reads PCM of 8, 16, 24 and 32 bits and IEEE float of 32 and 64 bits, plain or extensible, RIFF, RF64 or BW64, at 8
    to 96 kHz. Of 1 to 32 channels the mean is taken, or the loudest alone where the mean would lose it: beside dead
    channels, or where phases cancel. A data size that cannot be true, as programs write that stream into a pipe (0,
    0xFFFFFFFF, or beyond the end), means "to the end of the file". Floats beyond 1 are scaled down by their peak.

    Raises UnsupportedMedia (not a WAV, or encoded otherwise), TooLarge (more than `max_bytes`, or longer than
    `max_seconds`) or InvalidInput (malformed header, rate or channels out of range, no samples, NaN or infinity).
    """
    if len(data) > max_bytes:
        raise TooLarge(f"recording: expected at most {max_bytes} bytes, got {len(data)}")
    form, start, size = _chunks(data)
    frames = size // form.frame_bytes
    if frames == 0:
        raise InvalidInput(f"WAV: expected samples, got {size} bytes of them")
    seconds = frames / form.rate
    if seconds > max_seconds:
        raise TooLarge(f"recording: expected at most {max_seconds:g} seconds, got {seconds:.1f}")
    return Audio(_mono(data, form, start, frames), form.rate)


def _chunks(data: bytes) -> tuple[WavFormat, int, int]:
    """Walk the RIFF chunks; return the format and the offset and size in bytes of the samples."""
    if len(data) < 12 or data[:4] not in (b"RIFF", *_WIDE) or data[8:12] != b"WAVE":
        got = f"bytes that begin with {data[:12].hex()}" if data else "nothing"
        raise UnsupportedMedia(f"recording: expected a WAV file (RIFF....WAVE), got {got}")
    honest = struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    form: WavFormat | None = None
    wide: int | None = None
    at = 12
    for _ in range(_CHUNKS):
        if at + 8 > len(data):
            raise InvalidInput(f"WAV: expected a {'data' if form else 'fmt'} chunk, got the end of the file")
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        left = len(data) - at
        if name == b"data":
            if form is None:
                raise InvalidInput("WAV: expected the fmt chunk before the data chunk, got data first")
            if size == _IN_DS64 and wide is not None:
                size = wide
            # An encoder that writes into a pipe cannot come back to fill sizes in, so neither size is true then.
            unknown = size > left or (size == 0 and not honest)
            return form, at, left if unknown else size
        if size > left:
            raise InvalidInput(f"WAV: expected {size} bytes in chunk {_printable(name)}, got {left}")
        if name == b"ds64" and data[:4] in _WIDE and size >= 24:
            wide = struct.unpack_from("<Q", data, at + 8)[0]
        if name == b"fmt ":
            if form is not None:
                raise InvalidInput("WAV: expected one fmt chunk, got two")
            form = _format(data[at : at + min(size, 40)])
        at += size + (size & 1)
    raise InvalidInput(f"WAV: expected the data chunk among the first {_CHUNKS}, got none")


def _format(chunk: bytes) -> WavFormat:
    if len(chunk) < 16:
        raise InvalidInput(f"WAV: expected a fmt chunk of at least 16 bytes, got {len(chunk)}")
    tag, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE:
        if len(chunk) < 40:
            raise InvalidInput(f"WAV: expected an extensible fmt chunk of 40 bytes, got {len(chunk)}")
        tag = struct.unpack_from("<H", chunk, 24)[0] if chunk[26:40] == _GUID_TAIL else _EXTENSIBLE
    if tag not in _BITS:
        raise UnsupportedMedia(f"WAV: expected PCM or float samples, got {_NAMES.get(tag, 'format')} (0x{tag:04X})")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidInput(f"WAV: expected 1 to {MAX_CHANNELS} channels, got {channels}")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidInput(f"WAV: expected {MIN_RATE} to {MAX_RATE} samples per second, got {rate}")
    if bits not in _BITS[tag]:
        raise InvalidInput(f"WAV: expected {' or '.join(map(str, _BITS[tag]))} bits per sample, got {bits}")
    form = WavFormat(tag, channels, rate, bits)
    if frame_bytes != form.frame_bytes:
        raise InvalidInput(f"WAV: expected {form.frame_bytes} bytes per frame, got {frame_bytes}")
    return form


def _mono(data: bytes, form: WavFormat, start: int, frames: int) -> npt.NDArray[np.float32]:
    weights = _weights(data, form, start, frames)
    mono = np.empty(frames, np.float32)
    for first, block in _blocks(data, form, start, frames):
        mono[first : first + len(block)] = block @ weights
    if form.tag == _FLOAT:
        peak = float(np.abs(mono).max())
        if peak > 1:
            mono /= np.float32(peak)
    return mono


def _weights(data: bytes, form: WavFormat, start: int, frames: int) -> npt.NDArray[np.float64]:
    """What each channel gives to the mono sound: alike, or all to the one that their mean would lose (see `_LONE`).

    Offsets do not count as power.
    """
    weights = np.full(form.channels, 1 / form.channels)
    if form.channels == 1:
        return weights
    sums, products = np.zeros(form.channels), np.zeros((form.channels, form.channels))
    for _, block in _blocks(data, form, start, frames):
        wide = block.astype(np.float64, copy=False)
        sums += np.ones(len(wide)) @ wide
        products += wide.T @ wide
    covariance = products / frames - np.outer(sums, sums) / frames**2
    loudest = int(np.argmax(np.diag(covariance)))
    if covariance[loudest, loudest] > _LONE * max(float(weights @ covariance @ weights), 0.0):
        weights[:] = 0
        weights[loudest] = 1
    return weights


def _blocks(data: bytes, form: WavFormat, start: int, frames: int) -> Iterator[tuple[int, npt.NDArray[np.floating]]]:
    """First frame and samples, shape (frames, channels), of one block after the other."""
    step = _BLOCK // form.channels
    for first in range(0, frames, step):
        count = min(step, frames - first)
        offset = start + first * form.frame_bytes
        block = _samples(data[offset : offset + count * form.frame_bytes], form)
        # NaN compares false with everything, so the test is written as "inside", not "outside".
        if form.tag == _FLOAT and not np.abs(block).max() <= _PEAK:
            raise InvalidInput(f"WAV: expected finite samples within 1, got NaN, infinity or more than {_PEAK:g}")
        yield first, block.reshape(count, form.channels)


def _samples(raw: bytes, form: WavFormat) -> npt.NDArray[np.floating]:
    """Little-endian samples as floats; integers are scaled to [-1, 1)."""
    if form.tag == _FLOAT:
        return np.frombuffer(raw, "<f4" if form.bits == 32 else "<f8")
    if form.bits == 8:  # the one width that is stored unsigned
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) / 128
    if form.bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return wide.reshape(-1).view("<i4").astype(np.float64) / 2.0**31
    return np.frombuffer(raw, f"<i{form.bits // 8}").astype(np.float64) / 2.0 ** (form.bits - 1)


def _printable(raw: bytes) -> str:
    text = raw.decode("ascii", "replace")
    return f"'{text}'" if text.isascii() and text.isprintable() else raw.hex()
