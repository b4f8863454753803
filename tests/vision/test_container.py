from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from appliance.errors import InvalidInput, UnsupportedMedia
from appliance.vision.container import ImageInfo, walk


def encoded(format: str, size: tuple[int, int] = (12, 7), mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 128 if mode == "L" else None).save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


@pytest.mark.parametrize(
    "format, name", [("JPEG", "JPEG"), ("PNG", "PNG"), ("WEBP", "WEBP"), ("BMP", "BMP"), ("MPO", "JPEG")]
)
def test_reads_size_from_the_header(format: str, name: str) -> None:
    assert walk(encoded(format))[0] == ImageInfo(name, 12, 7, 1)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exif": exif(6)}])
def test_reads_each_webp_layout(options: dict[str, object]) -> None:
    info = walk(encoded("WEBP", (300, 200), **options))[0]
    assert (info.width, info.height, info.orientation) == (300, 200, 6 if "exif" in options else 1)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_reads_orientation(format: str, orientation: int) -> None:
    info = walk(encoded(format, exif=exif(orientation)))[0]
    assert info.orientation == orientation
    assert info.upright == ((7, 12) if orientation >= 5 else (12, 7))


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_impossible_orientation_counts_as_upright(value: int) -> None:
    data = encoded("JPEG", exif=exif(6))
    at = data.index(b"Exif\0\0") + 6
    order = "<" if data[at : at + 2] == b"II" else ">"
    tag = data.index(struct.pack(order + "HH", 0x0112, 3), at)
    broken = data[: tag + 8] + struct.pack(order + "H", value) + data[tag + 10 :]
    assert walk(data)[0].orientation == 6
    assert walk(broken)[0].orientation == 1


@pytest.mark.parametrize("block", [b"", b"XX*\0\x08\0\0\0", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0\xff\xff"])
def test_a_damaged_exif_block_counts_as_upright(block: bytes) -> None:
    assert walk(encoded("JPEG", exif=b"Exif\0\0" + block))[0].orientation == 1


def test_leaves_out_what_no_decoder_needs() -> None:
    jpeg = encoded("JPEG", exif=exif(3), comment=b"secret", icc_profile=b"profile" * 30)
    info, essence = walk(jpeg)
    assert info.orientation == 3
    assert b"secret" in jpeg
    assert b"secret" not in essence
    assert b"Exif" not in essence
    assert b"ICC_PROFILE" not in essence
    png = encoded("PNG", exif=exif(3))
    assert b"eXIf" in png
    assert b"eXIf" not in walk(png)[1]


@pytest.mark.parametrize("data", [b"", b"not an image", b"GIF89a" + b"\0" * 20, b"%PDF-1.7", b"II*\0" + b"\0" * 30])
def test_refuses_other_formats(data: bytes) -> None:
    with pytest.raises(UnsupportedMedia, match="expected JPEG, PNG, WebP or BMP"):
        walk(data)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_header_cut_short_is_invalid(format: str) -> None:
    data = encoded(format, (64, 48))
    shortest = {"JPEG": 4, "PNG": 16, "WEBP": 16, "BMP": 16}[format]
    for length in range(shortest, {"JPEG": 150, "PNG": 24, "WEBP": 24, "BMP": 24}[format]):
        with pytest.raises(InvalidInput):
            walk(data[:length])


def jpeg_with(middle: bytes) -> bytes:
    return b"\xff\xd8" + middle


@pytest.mark.parametrize(
    "data, words",
    [
        (jpeg_with(b"\xff\xe0\x00\x01"), "runs past"),
        (jpeg_with(b"\xff\xe0\xff\xff"), "runs past"),
        (jpeg_with(b"\xff\xe0\x00\x04ab\x00\x00"), "expected a JPEG marker"),
        (jpeg_with(b"\xff\xff\xff\xd9"), "expected a JPEG scan"),
        (jpeg_with(b"\xff\xd0\xff\xda\x00\x02"), "expected a JPEG frame"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0IEND" + b"\0" * 20, "expected PNG to begin with IHDR"),
        (b"RIFF\x20\0\0\0WEBPABCD" + b"\0" * 20, "expected a WebP image chunk"),
        (b"RIFF\x20\0\0\0WEBPVP8L" + b"\0" * 20, "lossless WebP signature"),
        (b"RIFF\x20\0\0\0WEBPVP8 " + b"\0" * 20, "at least 1 x 1"),
        (b"BM" + b"\0" * 12 + b"\x0c\0\0\0" + b"\0" * 8, "at least 1 x 1"),
    ],
)
def test_broken_structure_is_invalid(data: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        walk(data)


def test_refuses_a_jpeg_of_endless_scans() -> None:
    data = encoded("JPEG", progressive=True)
    assert walk(data)[0].width == 12
    with pytest.raises(InvalidInput, match="at most 64 JPEG scans"):
        walk(data[:-2] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" * 100 + data[-2:])


def test_a_bmp_from_the_top_has_a_positive_height() -> None:
    data = bytearray(encoded("BMP"))
    struct.pack_into("<i", data, 22, -7)
    assert walk(bytes(data))[0].height == 7
