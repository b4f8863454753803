from __future__ import annotations

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from appliance.errors import ApplianceError, InvalidInput, TooLarge, UnsupportedMedia
from appliance.vision.image import Pixels, decode, probe, shrink_factor, upright


def read(data: bytes, **limits: int) -> Pixels:
    return decode(data, **{"max_bytes": 1 << 24, "max_pixels": 40_000_000, **limits})


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 4, y * 6, (x + y) * 2], axis=2).astype(np.uint8))


@pytest.mark.parametrize("format", ["PNG", "BMP", "WEBP"])
def test_decodes_to_bgr(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    pixels = read(saved(gradient(), format, **options))
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, np.asarray(gradient())[:, :, ::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_applies_the_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(gradient(), "PNG", exif=exif)
    assert probe(data).orientation == orientation
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(read(data), np.asarray(wanted)[:, :, ::-1])
    assert probe(data).upright == (read(data).shape[1], read(data).shape[0])


def test_an_orientation_twice_turned_back_is_the_image() -> None:
    pixels = read(saved(gradient(), "PNG"))
    assert np.array_equal(upright(upright(pixels, 6), 8), pixels)


def test_a_jpeg_and_an_mpo_decode_close_to_their_source() -> None:
    for data in (
        saved(gradient(), "JPEG", quality=95),
        saved(gradient(), "MPO", quality=95, save_all=True, append_images=[gradient()]),
    ):
        assert np.abs(read(data).astype(int) - np.asarray(gradient())[:, :, ::-1]).mean() < 6


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_alpha_is_laid_on_white(format: str) -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    image.putpixel((1, 1), (0, 0, 255, 255))
    pixels = read(saved(image, format, **({"lossless": True, "exact": True} if format == "WEBP" else {})))
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert tuple(pixels[1, 1]) == (255, 0, 0)


def test_half_transparent_grey_is_laid_on_white() -> None:
    pixels = read(saved(Image.new("LA", (2, 2), (0, 128)), "PNG"))
    assert set(pixels.ravel().tolist()) <= {126, 127, 128}


def test_palettes_and_their_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    assert read(saved(image, "PNG")).tolist() == [[[0, 0, 255], [0, 255, 0]]]
    assert read(saved(image, "PNG", transparency=1)).tolist() == [[[0, 0, 255], [255, 255, 255]]]


def test_greyscale_and_bilevel_become_colour() -> None:
    assert read(saved(Image.new("L", (3, 2), 77), "PNG")).tolist() == [[[77] * 3] * 3] * 2
    assert read(saved(Image.new("1", (3, 2), 1), "BMP")).tolist() == [[[255] * 3] * 3] * 2


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    deep = Image.fromarray(np.array([[0, 0x4000, 0x8000, 0xFFFF]], np.uint16))
    assert read(saved(deep, "PNG"))[0, :, 0].tolist() == [0, 64, 128, 255]


def test_cmyk_becomes_colour() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    blue, green, red = read(saved(ink, "JPEG", quality=95))[8, 8]
    assert red > 220
    assert green < 40
    assert blue < 40


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = saved(
        frames[0], format, save_all=True, append_images=frames[1:], **({"lossless": True} if format == "WEBP" else {})
    )
    assert tuple(read(data)[4, 4]) == (0, 0, 255)


def test_too_many_bytes_are_refused_before_anything_else() -> None:
    with pytest.raises(TooLarge, match="at most 10 bytes, got 11"):
        read(b"x" * 11, max_bytes=10)


def test_too_many_pixels_are_refused_before_decoding() -> None:
    with pytest.raises(TooLarge, match="60 x 40"):
        read(saved(gradient(), "PNG")[:60], max_pixels=2399)  # decoding these bytes would fail
    assert read(saved(gradient(), "PNG"), max_pixels=2400).shape == (40, 60, 3)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_decompression_bombs_are_refused_from_the_header() -> None:
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    webp = b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\0" * 2 + b"\0" * 8
    bmp = b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 50_000, -50_000) + b"\0" * 28
    for bomb in (png, webp, bmp):
        with pytest.raises(TooLarge):
            read(bomb)


def test_a_side_beyond_what_can_be_warped_is_refused() -> None:
    with pytest.raises(TooLarge, match="sides of at most 65535"):
        read(b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 70_000, 10) + b"\0" * 28)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_truncated_image_is_invalid(format: str) -> None:
    data = saved(gradient(200, 150), format)
    for share in (0.5, 0.8, 0.95):
        with pytest.raises(InvalidInput):
            read(data[: int(len(data) * share)])


def test_a_corrupt_image_is_invalid() -> None:
    data = bytearray(saved(gradient(), "PNG"))
    data[data.index(b"IDAT") + 10] ^= 0xFF
    with pytest.raises(InvalidInput, match="expected a complete PNG"):
        read(bytes(data))


def test_a_frame_that_contradicts_its_container_is_invalid() -> None:
    data = bytearray(saved(gradient(), "WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"))
    assert data[12:16] == b"VP8X"
    data[24] += 5
    with pytest.raises(InvalidInput):
        read(bytes(data))


def test_other_formats_are_unsupported() -> None:
    with pytest.raises(UnsupportedMedia):
        read(saved(gradient(), "GIF"))
    with pytest.raises(UnsupportedMedia):
        probe(saved(gradient(), "TIFF"))


@pytest.mark.parametrize(
    "width, height, factor",
    [(4000, 3000, 1), (4032, 3024, 1), (8000, 5000, 2), (20_000, 100, 2), (65_535, 3, 4), (40_000, 1000, 4)],
)
def test_large_images_are_divided(width: int, height: int, factor: int) -> None:
    assert shrink_factor(width, height) == factor


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_divided_image_looks_like_the_whole(format: str, mode: str) -> None:
    if (format, mode) == ("JPEG", "P"):
        mode = "CMYK"
    image = gradient(64, 48).resize((640, 480), Image.Resampling.BICUBIC).convert(mode)
    data = saved(image, format)
    small, whole = read(data, work_pixels=640 * 480 // 10), read(data)
    assert small.shape == (120, 160, 3)
    assert whole.shape == (480, 640, 3)
    wanted = whole.reshape(120, 4, 160, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - wanted).mean() < 4


SEEDS = {
    "JPEG": saved(gradient(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    "progressive": saved(gradient(), "JPEG", progressive=True),
    "PNG": saved(gradient(), "PNG"),
    "palette": saved(gradient().quantize(16), "PNG", transparency=3),
    "WEBP": saved(gradient(), "WEBP"),
    "lossless": saved(gradient(), "WEBP", lossless=True, exif=b"Exif\0\0"),
    "BMP": saved(gradient(), "BMP"),
}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.sampled_from(sorted(SEEDS)),
    cut=st.integers(0, 400),
    edits=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6),
)
def test_damaged_files_give_an_image_or_a_typed_error(seed: str, cut: int, edits: list[tuple[int, int]]) -> None:
    data = bytearray(SEEDS[seed])
    for at, value in edits:
        data[at % len(data)] = value
    with contextlib.suppress(TooLarge, UnsupportedMedia, InvalidInput):
        pixels = read(bytes(data[: len(data) - cut % len(data)]), max_pixels=1_000_000)
        assert pixels.size
        assert pixels.shape[2:] == (3,)


@settings(max_examples=200, deadline=None)
@given(
    start=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"BM"]),
    rest=st.binary(max_size=300),
)
def test_noise_behind_a_signature_gives_a_typed_error(start: bytes, rest: bytes) -> None:
    with pytest.raises(ApplianceError):
        read(start + rest)
