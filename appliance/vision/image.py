"""From the bytes of a photo to upright BGR pixels, within limits that are checked before anything is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput, TooLarge
from appliance.vision.container import ImageInfo, walk

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]
"""An image, shape (height, width, 3), dtype uint8, channels blue, green, red."""

WORK_PIXELS = 13_000_000
"""Pixels kept of one photo: all of a 12-megapixel phone's; larger ones are halved while decoding."""

WORK_SIDE = 16_384
"""Longest side kept: OpenCV warps no image with a side of 32768."""

_LONGEST = 65_535

# What Pillow's decoders raise on broken data, beside their own subclass of OSError.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
)


def probe(data: bytes) -> ImageInfo:
    """Read format, size and orientation of an encoded image from its header alone.

    Raises UnsupportedMedia for anything but JPEG, MPO, PNG, WebP and BMP, InvalidInput for a broken header.
    """
    return walk(data)[0]


def decode(data: bytes, *, max_bytes: int, max_pixels: int, work_pixels: int = WORK_PIXELS) -> Pixels:
    """Decode an image to BGR with its EXIF orientation applied; of an animation, the first frame.

    Alpha is laid on white, 16 bits become 8, palettes, greyscale and CMYK become colour. An image of more than
    `work_pixels` comes back 2, 4 or 8 times smaller (JPEG inside the decoder, so that its full size never is in
    memory); `probe(data).upright` is its full size, which `Reader.read` takes to place the boxes.

    Raises TooLarge beyond `max_bytes` or `max_pixels`, before decoding; UnsupportedMedia and InvalidInput as `probe`;
    InvalidInput for a truncated or corrupt image.
    """
    if len(data) > max_bytes:
        raise TooLarge(f"image: expected at most {max_bytes} bytes, got {len(data)}")
    info, essence = walk(data)
    if info.width * info.height > max_pixels:
        raise TooLarge(f"image: expected at most {max_pixels} pixels, got {info.width} x {info.height}")
    if max(info.width, info.height) > _LONGEST:
        raise TooLarge(f"image: expected sides of at most {_LONGEST} pixels, got {info.width} x {info.height}")
    factor = shrink_factor(info.width, info.height, work_pixels)
    try:
        with _open(info.format, essence) as image:
            if image.size != (info.width, info.height):
                raise InvalidInput(f"image: expected {info.width} x {info.height} pixels, got {image.size}")
            pixels = _bgr(image, factor)
    except _DECODER_ERRORS as error:
        raise InvalidInput(
            f"image: expected a complete {info.format}, got a truncated or corrupt one ({error})"
        ) from error
    return upright(pixels, info.orientation)


def shrink_factor(width: int, height: int, work_pixels: int = WORK_PIXELS) -> int:
    """Smallest of 1, 2, 4, 8 by which both sides are divided to keep at most `work_pixels` and `WORK_SIDE`."""
    for factor in (1, 2, 4):
        if width * height <= work_pixels * factor**2 and max(width, height) <= WORK_SIDE * factor:
            return factor
    return 8


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (1 to 8, EXIF 2.3 tag 0x0112); the result is contiguous."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _open(name: str, essence: bytes) -> Image.Image:
    # The plugins' own classes, because Image.open warns about sizes by a limit of its own, process-wide, and sniffs.
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    opener: Any = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "WEBP": WebPImagePlugin.WebPImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
    }[name]
    image: Image.Image = opener(io.BytesIO(essence))
    return image


def _bgr(image: Image.Image, factor: int) -> Pixels:
    wanted = (-(-image.width // factor), -(-image.height // factor))
    if factor > 1:
        image.draft(None, wanted)  # JPEG only: the decoder's DCT scales by 1/2, 1/4 or 1/8
    image.load()
    remaining = max(1, round(max(image.size) / max(wanted)))
    if remaining > 1 and image.mode not in ("P", "1"):
        image = image.reduce(remaining)
        remaining = 1
    image = _colour(image)
    if remaining > 1:
        image = image.reduce(remaining)
    return np.asarray(image, np.uint8)[:, :, ::-1]


def _colour(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit greyscale; Pillow's own conversion clips instead of scaling
        deep = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")
