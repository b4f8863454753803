"""A bundle's file: a plain tar of which every byte is fixed by its manifest, written and read front to back.

`tar tvf` lists it. Only regular files exist in it, and the header of a file with a given path and size can be one thing
only: whoever reads compares the 512 bytes with those that he would have written. There is nothing to interpret, hence
nothing to exploit: no links, devices, folders, owners, times, extensions or compression. What was found instead is
looked at to tell people the reason, and for nothing else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Protocol

from appliance.artifacts.digest import CHUNK
from appliance.errors import BundleRefused

BLOCK = 512
"""A tar consists of blocks of so many bytes."""
END = bytes(2 * BLOCK)
"""What ends it."""
LARGEST = 8**11 - 1
"""Most bytes of one file: what its header can say."""

_OTHERS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"g": "an extended header (pax)",
    b"x": "an extended header (pax)",
    b"K": "a GNU long name",
    b"L": "a GNU long name",
    b"S": "a sparse file",
    b"\0": "a file of a tar older than ustar",
}
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK": "zip"}


class Source(Protocol):
    """What a bundle is read from: a file, standard input, an upload."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def header(path: str, size: int) -> bytes:
    """The only header that a file of this path and size has. Raises BundleRefused when a tar cannot say it."""
    prefix, name = _split(path)
    if not 0 <= size <= LARGEST:
        raise BundleRefused(f"{path}: expected a file of at most {LARGEST} bytes, got {size}")
    made = b"".join(
        (
            name.ljust(100, b"\0"),
            b"0000644\0",
            b"0000000\0",
            b"0000000\0",
            b"%011o\0" % size,
            b"00000000000\0",
            b" " * 8,  # of the sum, for which it counts as spaces
            b"0",
            bytes(100),
            b"ustar\0",
            b"00",
            bytes(64),
            b"0000000\0",
            b"0000000\0",
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    return made[:148] + b"%06o\0 " % sum(made) + made[156:]


def padding(size: int) -> bytes:
    """Zeros that fill the last block of a file of `size` bytes."""
    return bytes(-size % BLOCK)


def length(sizes: Iterator[int]) -> int:
    """Bytes of a tar with files of these sizes."""
    return sum(BLOCK + size + len(padding(size)) for size in sizes) + len(END)


def _split(path: str) -> tuple[bytes, bytes]:
    """A path as ustar holds it: a prefix and a name of at most 155 and 100 bytes, the name as long as it can be."""
    whole = path.encode("utf-8")
    if len(whole) <= 100:
        return b"", whole
    cut = whole.find(b"/", len(whole) - 101)
    if cut < 1 or cut > 155:
        raise BundleRefused(f"{path}: expected a path that fits a tar (155 bytes, `/`, 100 bytes), got {len(whole)}")
    return whole[:cut], whole[cut + 1 :]


class Tape:
    """Reads a bundle front to back, each byte once. Every method raises BundleRefused for what must not be there."""

    def __init__(self, source: Source) -> None:
        """Read from where `source` stands now."""
        self._source = source

    def small(self, path: str, most: int) -> bytes:
        """The whole of the next file, which is `path` and has at most `most` bytes."""
        block = self._block(path)
        size = _size(block)
        if size is None or block != header(path, size):
            raise _unexpected(f"the file {path}", block)
        if size > most:
            raise BundleRefused(f"{path}: expected at most {most} bytes, got {size}")
        return b"".join(self._content(path, size))

    def file(self, path: str, size: int, sha256: str, write: Callable[[bytes], object]) -> None:
        """Hand the next file, which is `path` with this size and hash, to `write`, never more of it than that."""
        block = self._block(path)
        if block != header(path, size):
            raise _unexpected(f"the file {path} of {size} bytes", block)
        state = hashlib.sha256()
        for piece in self._content(path, size):
            state.update(piece)
            write(piece)
        if (got := state.hexdigest()) != sha256:
            raise BundleRefused(f"{path}: expected sha256 {sha256}, got {got}")

    def end(self) -> None:
        """Expect the end, and nothing behind it."""
        block = self._block("its end")
        if block + self._exactly(BLOCK, "its end") != END:
            raise _unexpected("the end of the bundle", block)
        if self._source.read(1):
            raise BundleRefused("bundle: expected nothing behind its end, got more bytes")

    def _block(self, what: str) -> bytes:
        return self._exactly(BLOCK, what)

    def _content(self, path: str, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._source.read(min(left, CHUNK))
            if not piece:
                raise BundleRefused(f"{path}: expected {size} bytes, got {size - left}: the bundle is cut short")
            left -= len(piece)
            yield piece
        if any(self._exactly(len(padding(size)), path)):
            raise BundleRefused(f"{path}: expected zeros behind it, got other bytes")

    def _exactly(self, size: int, what: str) -> bytes:
        found = b""
        while len(found) < size and (piece := self._source.read(size - len(found))):
            found += piece
        if len(found) < size:
            raise BundleRefused(f"bundle: expected {what}, got the end of the file: it is cut short")
        return found


def _size(block: bytes) -> int | None:
    field = block[124:136]
    return int(field[:11], 8) if re.fullmatch(rb"[0-7]{11}\0", field) else None


def _unexpected(wanted: str, block: bytes) -> BundleRefused:
    return BundleRefused(f"bundle: expected {wanted}, got {_found(block)}")


def _found(block: bytes) -> str:
    """In words what a block is, for people; nothing else comes of it."""
    for magic, name in _PACKED.items():
        if block.startswith(magic):
            return f"something compressed ({name}); a bundle never is"
    if not any(block):
        return "the end of the archive"
    if block[257:262] != b"ustar":
        return "something that is no tar header"
    summed = sum(block[:148]) + 8 * 32 + sum(block[156:])
    if block[148:156] != b"%06o\0 " % summed:
        return "a header with a wrong checksum"
    name = _text(block[:100])
    path = f"{_text(block[345:500])}/{name}" if block[345] else name
    shown = repr(path[:120])
    kind = block[156:157]
    if kind != b"0":
        return f"{_OTHERS.get(kind, 'a member of an unknown kind')} {shown}; only plain files are allowed"
    if path.startswith("/") or ".." in path.split("/"):
        return f"a path that leads out of its folder: {shown}"
    if any(block[157:257]):
        return f"the file {shown} with a link's target"
    size = _size(block)
    if size is None:
        return f"the file {shown} with a size that is no number of 11 octal digits"
    if block != header(path, size):
        return f"the file {shown} with mode, owner, time or extensions of its own"
    return f"the file {shown} of {size} bytes"


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "replace")
