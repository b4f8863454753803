"""`appliance ocr`: read one picture, as text, JSON or an annotated PNG."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import AsJson, Config, served
from appliance.cli.report import joules_json, joules_line
from appliance.errors import InvalidInput, StorageFailed
from appliance.values import OcrResult


def ocr(
    image: Annotated[Path, typer.Argument(help="图片文件 / Picture file: JPEG, PNG, WebP or BMP.")],
    draw: Annotated[Path | None, typer.Option("--draw", help="把识别结果画到 PNG / Write an annotated PNG.")] = None,
    deadline: Annotated[
        float | None,
        typer.Option("--deadline", min=0.1, help="最多几秒，到时给出已读部分 / Seconds, then what is read so far."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """识别图片中的文字，读到一行输出一行 / Read the text in a picture, each line as soon as it is read."""
    from appliance.app.build import build
    from appliance.vision.watch import UNWATCHED, Watch

    try:
        data = image.read_bytes()
    except OSError as error:
        raise InvalidInput(f"expected a readable picture, got {image}: {error.strerror}") from error
    if draw is not None:
        _drawable(draw)
    chosen, bundle = served(config)
    if deadline is not None and deadline > chosen.deadline_s:
        raise InvalidInput(f"--deadline: expected at most deadline_s, {chosen.deadline_s:g}, got {deadline:g}")
    watch = UNWATCHED if as_json else Watch(line=lambda line: typer.echo(line.text), again=_anew)
    with build(chosen, senses=("ocr",), watching=False, bundle=bundle) as appliance:
        result = appliance.read(data, deadline_s=deadline, watch=watch)
    if result.partial:
        typer.echo(f"还有 {result.unread} 行没有读 / {result.unread} lines were not read", err=True)
    elif not result.lines:
        typer.echo("没有找到文字 / no text found", err=True)
    if draw is not None:
        _draw(data, result, draw, chosen.max_image_bytes, chosen.max_image_pixels)
    if as_json:
        typer.echo(json.dumps(_json(result), ensure_ascii=False))
    elif line := joules_line(result.joules):
        typer.echo(line, err=True)


def _anew() -> None:
    typer.echo("识别出错，改用备用方法从头再读 / reading failed; the spare reader begins anew", err=True)


def _json(result: OcrResult) -> dict[str, object]:
    return {
        "text": result.text,
        "lines": [
            {"text": line.text, "confidence": round(line.confidence, 4), "box": line.box} for line in result.lines
        ],
        "width": result.width,
        "height": result.height,
        "angle": result.angle,
        "unread": result.unread,
        "engine": result.engine,
        "timings_ms": {name: round(ms, 1) for name, ms in result.timings_ms.items()},
        **joules_json(result.joules),
    }


def _drawable(target: Path) -> None:
    """Refuse a place for the drawing before a picture has been read in vain."""
    if target.is_dir():
        raise _unwritable(target, "a folder")
    if not target.parent.is_dir():
        raise _unwritable(target, f"no folder {target.parent}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise _unwritable(target, "no permission")


def _unwritable(target: Path, got: str) -> StorageFailed:
    return StorageFailed(
        f"--draw: expected to write {target}, got {got}",
        remedy=(
            "请为 --draw 给出已有且可写目录中的文件名",
            "Give --draw the name of a file in a folder that exists and may be written to",
        ),
    )


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
        raise _unwritable(target, error.strerror or str(error)) from error
    if drawn.note:
        typer.echo(drawn.note, err=True)
