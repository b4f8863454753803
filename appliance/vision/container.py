"""Image containers, read by hand: format, size and orientation without decoding a single pixel.

JPEG (ITU-T T.81), PNG (W3C PNG 3rd edition), WebP (RFC 9649) and BMP are walked segment by segment, and what a decoder
does not need is left out: thumbnails, colour profiles, comments, animation and damaged metadata. Reading the size here
means that a decompression bomb is refused before any decoder has allocated for it (a WebP decoder allocates its whole
canvas when it opens the file), and leaving metadata out means that a broken EXIF block can neither fail nor warn.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from appliance.errors import InvalidInput, UnsupportedMedia

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# Start-of-frame markers, without DHT (C4), JPG (C8) and DAC (CC) that lie between them.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
# JFIF (APP0) and Adobe (APP14) say how colours are coded; every other APPn and COM is decoration.
_JPEG_NEEDED_APPS = (0xE0, 0xEE)
_MAX_JPEG_SCANS = 64
_ORIENTATION_TAG, _SHORT = 0x0112, 3


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a file's header says of its picture."""

    format: str
    """`JPEG`, `PNG`, `WEBP` or `BMP`; an MPO file is the JPEG of its first picture."""
    width: int
    """Stored width in pixels, before the orientation is applied."""
    height: int
    """Stored height in pixels."""
    orientation: int
    """EXIF orientation, 1 (upright) to 8."""

    @property
    def upright(self) -> tuple[int, int]:
        """(width, height) after the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


_Walker = Callable[[bytes], tuple[ImageInfo, bytes]]


def walk(data: bytes) -> tuple[ImageInfo, bytes]:
    """Return the header's facts and the same file without metadata, ready for a decoder.

    Raises UnsupportedMedia when `data` is none of the four formats, InvalidInput when its structure is broken.
    """
    walker = _format_of(data)
    try:
        info, essence = walker(data)
    except (struct.error, IndexError) as error:
        raise InvalidInput("image: expected a complete file, got one that ends within its header") from error
    if info.width <= 0 or info.height <= 0:
        raise InvalidInput(f"image: expected at least 1 x 1 pixels, got {info.width} x {info.height}")
    return info, essence


def _format_of(data: bytes) -> _Walker:
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg
    if data[:8] == _PNG_SIGNATURE:
        return _png
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp
    if data[:2] == b"BM":
        return _bmp
    raise UnsupportedMedia(
        f"image: expected JPEG, PNG, WebP or BMP, got bytes that begin with {data[:8].hex() or 'nothing'}"
    )


def _jpeg(data: bytes) -> tuple[ImageInfo, bytes]:
    kept, size, orientation, at = [b"\xff\xd8"], None, 1, 2
    while True:
        if data[at] != 0xFF:
            raise InvalidInput(f"image: expected a JPEG marker at byte {at}, got 0x{data[at]:02x}")
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker == _JPEG_SCAN:
            kept.append(data[at:])
            break
        if marker == _JPEG_END or marker == 0x00:
            raise InvalidInput("image: expected a JPEG scan, got none")
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:  # markers without a length
            at += 2
            continue
        end = at + 2 + struct.unpack_from(">H", data, at + 2)[0]
        if end < at + 4 or end > len(data):
            raise InvalidInput(f"image: expected a JPEG segment at byte {at}, got one that runs past the end")
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = (width, height)
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _exif_orientation(data[at + 10 : end])
        if marker in _JPEG_NEEDED_APPS or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[at:end])
        at = end
    if size is None:
        raise InvalidInput("image: expected a JPEG frame header, got none")
    # In coded data 0xFF is always escaped, so this counts scans: many empty ones cost a decoder minutes.
    if (scans := kept[-1].count(b"\xff\xda")) > _MAX_JPEG_SCANS:
        raise InvalidInput(f"image: expected at most {_MAX_JPEG_SCANS} JPEG scans, got {scans}")
    return ImageInfo("JPEG", *size, orientation), b"".join(kept)


def _png(data: bytes) -> tuple[ImageInfo, bytes]:
    if data[12:16] != b"IHDR":
        raise InvalidInput("image: expected PNG to begin with IHDR, got another chunk")
    width, height = struct.unpack_from(">II", data, 16)
    kept, orientation, at = [_PNG_SIGNATURE], 1, 8
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if kind in _PNG_NEEDED:
            kept.append(data[at:end])
        elif kind == b"eXIf":
            orientation = _exif_orientation(data[at + 8 : end - 4])
        at = end
        if kind == b"IEND":
            break
    return ImageInfo("PNG", width, height, orientation), b"".join(kept)


def _webp(data: bytes) -> tuple[ImageInfo, bytes]:
    kind, orientation = data[12:16], 1
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        if len(data) < 30:
            raise IndexError
        for name, start, end in _riff_chunks(data):
            if name == b"EXIF":
                orientation = _exif_orientation(data[start:end].removeprefix(b"Exif\0\0"))
    elif kind == b"VP8L":
        if data[20] != 0x2F:
            raise InvalidInput("image: expected a lossless WebP signature, got another byte")
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise InvalidInput(f"image: expected a WebP image chunk, got {kind!r}")
    return ImageInfo("WEBP", width, height, orientation), data


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], at + 8, at + 8 + length
        at += 8 + length + (length & 1)


def _bmp(data: bytes) -> tuple[ImageInfo, bytes]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return ImageInfo("BMP", width, abs(height), 1), data  # a negative height means rows from the top


def _exif_orientation(tiff: bytes) -> int:
    """Orientation in a TIFF block's first directory; 1 when it is absent or damaged, as viewers do."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                return int(value) if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
