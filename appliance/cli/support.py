"""`appliance support-bundle`: what a maintainer has to know of this machine, in one file, masked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.options import Config
from appliance.errors import SettingInvalid


def support_bundle(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="写入此目录 / Write it into this folder.")
    ] = None,
    usb: Annotated[bool, typer.Option("--usb", help="写入 U 盘 / Write it to the USB stick.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="服务无应答时自检 / Check all if the service does not answer.")
    ] = True,
    config: Config = None,
) -> None:
    """支持包 / Collect versions, settings, state and logs for the maintainers, without secrets or anybody's words."""
    from appliance.support.bundle import kept, made
    from appliance.support.collect import Case
    from appliance.support.masked import Mask
    from appliance.support.salvage import salvaged
    from appliance.support.stick import chosen, volumes

    if usb and output is not None:
        raise SettingInvalid("expected --usb or --output, got both", remedy=("请只用其中一个", "Give one of them"))
    # Before the long part: who waits two minutes wants no stick that is missing then.
    folder = chosen(volumes(), write=True).place if usb else output or Path()
    found = salvaged(config)
    if found.problem:
        said = "设置无效，按默认设置收集 / settings are not valid, going on with the defaults"
        typer.echo(f"{said}: {found.problem}", err=True)
    case = Case(found.settings, found.problem, Mask(found.secrets), config, check=check)
    typer.echo("正在收集，最多几分钟 / collecting, a few minutes at most ...", err=True)
    place = kept(made(case), folder)
    typer.echo(f"{place} ({place.stat().st_size / 1e6:.1f} MB)")
