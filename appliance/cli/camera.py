"""`appliance camera list | look`: the cameras there are, and one look through the appliance's own, answered."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import AsJson, Config, Language, served
from appliance.errors import Unavailable
from appliance.vision.devices import formats, nodes

app = typer.Typer(help="摄像头 / Camera.", no_args_is_help=True)


@app.command("list")
def list_cameras(as_json: AsJson = False) -> None:
    """列出摄像头及其格式 / List the cameras with their formats and the names that stay when numbers change."""
    found = [(node, formats(Path(node.path))) for node in nodes()]
    if as_json:
        shown = [
            dataclasses.asdict(node) | {"formats": [dataclasses.asdict(f) for f in forms]} for node, forms in found
        ]
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    typer.echo("摄像头 / cameras" if found else "摄像头 / cameras: 无 / none")
    for node, forms in found:
        typer.echo(f"  {node.name}  ({node.path})")
        for link in node.links:
            typer.echo(f"      {link}")
        for form in forms:
            sizes = ", ".join(f"{width}x{height}" for width, height in form.sizes)
            typer.echo(f"      {form.code}: {sizes or '?'}")


@app.command("look")
def look(
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", help="名称或视频文件，默认按设置 / Camera or video file; default: the setting."),
    ] = None,
    language: Language = "zh",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """拍一次并读出 / Take the sharpest picture of a second, read it and answer it. Nothing is written anywhere."""
    from appliance.app.build import build
    from appliance.channels.http.reply import reply_json

    chosen, bundle = served(config, camera_device=device, camera_watch=False)
    with build(chosen, senses=("ocr", "camera"), watching=False, bundle=bundle) as appliance:
        showing = appliance.showing
        if showing is None:
            raise Unavailable(
                "camera: expected a camera, got an empty camera_device",
                remedy=(
                    "请用 --device 给出 `appliance camera list` 中的名称",
                    "Name one of `appliance camera list` with --device",
                ),
            )
        reply = showing.look(None, language)
        state = showing.state()
    if as_json:
        typer.echo(json.dumps(reply_json(reply), ensure_ascii=False))
        return
    typer.echo(f"{state['device']}: {state['width']}x{state['height']} {state['format']}".rstrip())
    if reply.ocr is not None and reply.ocr.lines:
        typer.echo(reply.ocr.text)
    else:
        typer.echo("没有找到文字 / no text found", err=True)
    typer.echo(f"→ {reply.answer.text}")
