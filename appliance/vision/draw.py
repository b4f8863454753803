"""A picture of what was read: boxes over the photo, numbered, and the text of each beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from appliance.values import OcrResult
from appliance.vision.facing import placed, upright
from appliance.vision.image import Pixels

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

FONTS = (
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/noto/NotoSansCJK-Regular.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
)
"""Where Debian and Ubuntu put fonts with Chinese characters (fonts-wqy-microhei, fonts-noto-cjk, ...)."""

SHORT_SIDE = 480
"""Smaller pictures are enlarged to this, so that the numbers stay legible."""

_SURE, _DOUBTFUL, _SURE_FROM = (0, 140, 70), (200, 110, 0), 0.8
_INK, _PAPER = (20, 20, 20), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Annotated:
    """The drawn picture."""

    image: Pixels
    """Photo with boxes on the left, text on the right; BGR."""
    note: str
    """What is missing from it and which package brings it; empty when nothing is."""


def find_font(candidates: Sequence[Path] = FONTS) -> Path | None:
    """First font file that is there; None when there is none with Chinese characters."""
    return next((path for path in candidates if path.is_file()), None)


def annotate(image: Pixels, result: OcrResult, font: Path | None) -> Annotated:
    """Draw `result` over `image`, the photo it was read in at any size, with its text at the side.

    A page that stands turned in the photo is drawn upright. Boxes are green, or orange where the confidence is below
    0.8. Without a font only boxes and numbers are drawn, and the note says so.
    """
    from PIL import Image, ImageDraw

    page = upright(image, result.angle)
    canvas = Image.fromarray(np.ascontiguousarray(page[:, :, ::-1]))
    factor = max(1.0, SHORT_SIDE / min(canvas.size))
    canvas = canvas.resize((round(canvas.width * factor), round(canvas.height * factor)))
    size = (result.width, result.height) if result.angle % 180 == 0 else (result.height, result.width)
    scale = (canvas.width / size[0], canvas.height / size[1])
    draw = ImageDraw.Draw(canvas)
    label = _font(font, max(12, canvas.height // 70))
    for number, line in enumerate(result.lines, start=1):
        colour = _SURE if line.confidence >= _SURE_FROM else _DOUBTFUL
        on_page = placed(np.array(line.box, np.float32), -result.angle, size)
        corners = [(float(x) * scale[0], float(y) * scale[1]) for x, y in on_page]
        draw.line([*corners, corners[0]], fill=colour, width=max(2, canvas.height // 500))
        _tag(draw, corners[0], str(number), label, colour)
    if font is None:
        note = "expected a Chinese font for the text beside the picture, found none: apt-get install fonts-wqy-microhei"
        return Annotated(_pixels(canvas), note)
    return Annotated(_pixels(_beside(canvas, _text_column(result, font, canvas.height))), "")


def _text_column(result: OcrResult, path: Path, height: int) -> Any:
    """All lines as text, numbered, in a column as high as the picture."""
    from PIL import Image, ImageDraw

    size = max(10, min(26, int(height / (1.45 * max(1, len(result.lines)) + 1))))
    font = _font(path, size)
    texts = [f"{number}  {line.text}" for number, line in enumerate(result.lines, start=1)]
    pitch = 1.45 * size
    width = round(max([font.getlength(text) for text in texts], default=0)) + 2 * size
    column = Image.new("RGB", (max(width, 8 * size), max(height, round(pitch * len(texts)) + size)), _PAPER)
    draw = ImageDraw.Draw(column)
    for index, (text, line) in enumerate(zip(texts, result.lines, strict=True)):
        ink = _INK if line.confidence >= _SURE_FROM else _DOUBTFUL
        draw.text((size, size / 2 + index * pitch), text, font=font, fill=ink)
    return column


def _beside(left: Any, right: Any) -> Any:
    from PIL import Image

    both = Image.new("RGB", (left.width + right.width, max(left.height, right.height)), _PAPER)
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def _tag(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font: Any, colour: tuple[int, int, int]
) -> None:
    """A number on a filled patch, outside the box's top left corner where there is room."""
    _, top, width, bottom = draw.textbbox((0, 0), text, font=font)
    x, y = max(0.0, at[0] - width - 4), max(0.0, at[1] - 2)
    draw.rectangle((x, y, x + width + 3, y + bottom - top + 3), fill=colour)
    draw.text((x + 2, y + 1 - top), text, font=font, fill=_PAPER)


def _font(path: Path | None, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(path), size) if path else ImageFont.load_default(size)


def _pixels(image: Any) -> Pixels:
    return np.ascontiguousarray(np.asarray(image, np.uint8)[:, :, ::-1])
