"""Reads protobuf messages off the disk field by field, and skips the large ones: a header costs no weights.

The wire format: https://protobuf.dev/programming-guides/encoding. Nothing is trusted: what runs out of its bounds is
ModelCorrupt.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from appliance.errors import ModelCorrupt

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
"""Wire types; groups (3, 4) are long out of use."""
_SMALL = 1 << 24
"""Most bytes of a field that is taken into memory."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message."""

    number: int
    """As the message's definition numbers it."""
    value: int
    """A varint, or the bits of a fixed number; 0 for a field of bytes."""
    start: int
    """First byte of a field of bytes, in the file; -1 for a number."""
    end: int
    """One past its last byte."""


class Message:
    """A message between two places of a file that is open for reading."""

    def __init__(self, file: BinaryIO, start: int, end: int, name: str) -> None:
        """Read `file` from `start` to `end`; `name` is for errors."""
        self._file, self._start, self._end, self._name = file, start, end, name

    def fields(self) -> Iterator[Field]:
        """Every field, in order. Raises ModelCorrupt for what is no message."""
        at = self._start
        while at < self._end:
            key, at = self._varint(at)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise self._corrupt(at, "a field's number")
            if kind == _VARINT:
                value, at = self._varint(at)
                yield Field(number, value, -1, -1)
            elif kind in (_EIGHT, _FOUR):
                size = 8 if kind == _EIGHT else 4
                (value,) = struct.unpack("<Q" if size == 8 else "<I", self._take(at, size))
                at += size
                yield Field(number, value, -1, -1)
            elif kind == _BYTES:
                length, at = self._varint(at)
                if length > self._end - at:
                    raise self._corrupt(at, f"{length} bytes")
                yield Field(number, 0, at, at + length)
                at += length
            else:
                raise self._corrupt(at, "a known wire type")

    def inside(self, field: Field) -> Message:
        """The message that a field of bytes holds."""
        if field.start < 0:
            raise self._corrupt(self._start, f"a message in field {field.number}")
        return Message(self._file, field.start, field.end, self._name)

    def content(self, field: Field) -> bytes:
        """A field of bytes. Raises ModelCorrupt for one of more than 16 MiB, or for a number."""
        if field.start < 0 or field.end - field.start > _SMALL:
            raise self._corrupt(max(field.start, 0), f"a short field {field.number}")
        return self._take(field.start, field.end - field.start)

    def text(self, field: Field) -> str:
        """A field of bytes as UTF-8; what is none is replaced."""
        return self.content(field).decode("utf-8", "replace")

    def _varint(self, at: int) -> tuple[int, int]:
        value = 0
        for count, byte in enumerate(self._take(at, min(10, self._end - at))):
            value |= (byte & 0x7F) << 7 * count
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at + count + 1
        raise self._corrupt(at, "the end of a number")

    def _take(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size) if at + size <= self._end else b""
        if len(data) != size:
            raise self._corrupt(at, "more bytes")
        return data

    def _corrupt(self, at: int, wanted: str) -> ModelCorrupt:
        return ModelCorrupt(
            f"{self._name}: expected {wanted} at byte {at}, got a file that is cut short or of another kind",
            remedy=("请从来源重新复制该文件", "Copy the file again from its source"),
        )


def message(path: Path, file: BinaryIO) -> Message:
    """The message that a whole file is; `file` is the one at `path`, open for reading."""
    return Message(file, 0, path.stat().st_size, path.name)
