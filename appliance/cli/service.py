"""`appliance service drop-in | power | browser | pin | usb`: what the process that serves needs around it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from appliance.artifacts.disk import storage, sync
from appliance.artifacts.staging import write
from appliance.cli.options import Config, settings
from appliance.errors import StorageFailed

app = typer.Typer(
    help="服务所需：网络放行、功率模式、浏览器、维修 PIN / What the service needs: openings, power mode, browser, "
    "the technician's PIN.\n\n"
    "Exit codes: 0 done, 1 the board refused, 2 wrong usage or setting, 3 no such program or board.",
    no_args_is_help=True,
)

AGAIN_S = 1.0
"""Seconds between two questions whether the appliance answers already."""


@app.command("drop-in")
def drop_in(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="写入此文件 / Write it to this file, not to the screen.")
    ] = None,
    config: Config = None,
) -> None:
    """网络放行 / The drop-in that opens what the settings name, addresses and printer, in a unit that shuts all."""
    from appliance.device.openings import drop_in as text_of
    from appliance.device.openings import openings

    given = settings(config)
    opened = openings(given)
    text = text_of(opened, given.printer)
    if output is None:
        typer.echo(text, nl=False)
        return
    _replace(output, text.encode("utf-8"))
    for one in opened:
        typer.echo(f"开放 / open: {one.network} ({', '.join(one.names)})")
    if given.printer:
        typer.echo(f"开放 / open: {given.printer} (printer)")
    if not opened:
        typer.echo("不开放任何地址 / nothing is opened beyond loopback")
    typer.echo(f"{output}\n  → systemctl daemon-reload && systemctl restart appliance")


@app.command()
def power(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="模式名称 / Name of a mode; default: power_mode.")] = "",
    config: Config = None,
) -> None:
    """功率模式 / Bring the board into a power mode by its name; without a name and a setting, say which there are."""
    from appliance.device.mode import read_modes
    from appliance.device.nvpmodel import current, switch

    wanted = name or settings(config).power_mode
    if not wanted:
        now = current()
        listed = ", ".join(
            f"*{one}" if one.casefold() == now.casefold() else one for one in read_modes().names.values()
        )
        typer.echo(f"未设置 power_mode，保持不变 / power_mode is not set, nothing is changed: {listed}")
        return
    switched = switch(wanted)
    if switched.mode == switched.before:
        typer.echo(f"已是 / in force already: {switched.mode}")
    else:
        typer.echo(f"功率模式 / power mode: {switched.before} → {switched.mode}")


@app.command()
def browser(
    show: Annotated[
        bool, typer.Option("--show", help="只显示命令 / Print the command, and what there is to know, and end.")
    ] = False,
    config: Config = None,
) -> None:
    """展示屏浏览器 / Wait until the appliance answers, then become the browser that shows its page full screen."""
    from appliance.channels.http.probe import silence
    from appliance.device.browser import launch, page_url

    chosen = settings(config)
    planned = launch(chosen, os.environ)
    for chinese, english in planned.notes:
        typer.echo(f"{chinese} / {english}", err=True)
    if show:
        typer.echo(shlex.join((*(f"{key}={value}" for key, value in planned.environ.items()), *planned.command)))
        return
    url, said = page_url(chosen), ""
    while why := silence(url):
        if why != said:
            typer.echo(f"等待服务 / waiting for the appliance: {url}: {why}", err=True)
        said = why
        time.sleep(AGAIN_S)
    os.execve(planned.command[0], planned.command, os.environ | planned.environ)  # noqa: S606 - no shell is wanted


@app.command()
def pin() -> None:
    """维修页 PIN / Ask for the technician's PIN and print the setting with its hash; the PIN stays nowhere.

    From a terminal it is asked for twice and not shown; from a pipe it is the first line.
    """
    from appliance.channels.technician.pin import hashed

    if sys.stdin.isatty():
        typed = typer.prompt("PIN", hide_input=True, confirmation_prompt="再输一次 / once more", err=True)
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    typer.echo(f"service_pin: {hashed(typed)}")
    typer.echo("写入设置文件后重启 / goes into the settings file; restart the appliance after that", err=True)


@app.command()
def usb(
    device: Annotated[str, typer.Argument(help="U盘分区 / The stick's partition, such as /dev/sda1.")],
    place: Annotated[Path, typer.Argument(help="挂载目录 / Empty folder to mount it at.")],
    config: Config = None,
    start_s: Annotated[
        float,
        typer.Option(
            help="开机后这么多秒内不再取以前取过的 / Seconds after the machine's start in which a stick counts as "
            "left in: what one has brought before is not taken again."
        ),
    ] = 180.0,
) -> None:
    """U盘更新包 / Lay the bundles at the top of a stick into the inbox; for the unit appliance-usb@."""
    from appliance.bundles.inbox import folder_of
    from appliance.device.stick import carry, mounted
    from appliance.settings import data_dir

    signal.signal(signal.SIGTERM, _pulled)
    chosen = settings(config)
    most = (chosen.bundle_max_mb + 64) * 1_000_000
    start = time.clock_gettime(time.CLOCK_BOOTTIME) < start_s
    with mounted(device, place):
        found = carry(place, folder_of(data_dir(chosen)), most, start=start)
    for path in found.taken:
        typer.echo(f"{path.name}: 已放入收件目录 / laid into the inbox")
    for name in found.known:
        typer.echo(f"{name}: 以前取过；要重试请重新插入 / taken before; put the stick in again to have it tried again")
    for reason in found.passed:
        typer.echo(f"略过 / passed over: {reason}")
    if not (found.taken or found.known or found.passed):
        typer.echo("没有更新包；U盘拔下前是否弹出？ / no bundles at its top; was it ejected where it was filled?")


def _pulled(_number: int, _frame: FrameType | None) -> None:
    """What is half goes as for any other error: the manager ends this as soon as the stick's device is gone."""
    from appliance.device.stick import PULLED

    raise StorageFailed(
        "stick: expected it to stay in, got told to end: pulled out, or it took too long", remedy=PULLED
    )


def _replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` whole or not at all, readable by all. Raises StorageFailed."""
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            write(stage, content)
            stage.replace(path)
        finally:
            stage.unlink(missing_ok=True)
        sync(path.parent)
