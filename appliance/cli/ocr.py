"""`appliance ocr`: read one picture, as text, JSON or an annotated PNG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import AsJson, Config, settings
from appliance.errors import InvalidInput, StorageFailed
from appliance.values import OcrResult


def ocr(
    image: Annotated[Path, typer.Argument(help="图片文件 / Picture file: JPEG, PNG, WebP or BMP.")],
    draw: Annotated[Path | None, typer.Option("--draw", help="把识别结果画到 PNG / Write an annotated PNG.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """识别图片中的文字 / Read the text in a picture."""
    from appliance.app.build import build

    try:
        data = image.read_bytes()
    except OSError as error:
        raise InvalidInput(f"expected a readable picture, got {image}: {error.strerror}") from error
    chosen = settings(config)
    with build(chosen, senses=("ocr",)) as appliance:
        result = appliance.read(data)
    if draw is not None:
        _draw(data, result, draw, chosen.max_image_bytes, chosen.max_image_pixels)
    if as_json:
        typer.echo(json.dumps(_json(result), ensure_ascii=False))
    else:
        typer.echo(result.text)


def _json(result: OcrResult) -> dict[str, object]:
    return {
        "text": result.text,
        "lines": [
            {"text": line.text, "confidence": round(line.confidence, 4), "box": line.box} for line in result.lines
        ],
        "width": result.width,
        "height": result.height,
        "engine": result.engine,
        "timings_ms": {name: round(ms, 1) for name, ms in result.timings_ms.items()},
    }


def _draw(data: bytes, result: OcrResult, target: Path, max_bytes: int, max_pixels: int) -> None:
    import cv2

    from appliance.vision.draw import annotate, find_font
    from appliance.vision.image import decode

    drawn = annotate(decode(data, max_bytes=max_bytes, max_pixels=max_pixels), result, find_font())
    done, encoded = cv2.imencode(".png", drawn.image)
    if not done:
        raise InvalidInput(f"expected a picture that can be written as PNG, got shape {drawn.image.shape}")
    try:
        target.write_bytes(encoded.tobytes())
    except OSError as error:
        raise StorageFailed(f"expected to write {target}, got {error.strerror}") from error
    if drawn.note:
        typer.echo(drawn.note, err=True)
