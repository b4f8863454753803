"""`appliance power`: watts, degrees, power mode and joules as they are, one look as JSON, or a recording."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from appliance.cli.exits import Exit
from appliance.cli.options import AsJson, Config, settings
from appliance.cli.recorder import NOTHING
from appliance.cli.recorder import record as write_down
from appliance.errors import Unavailable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from appliance.app.board import Instruments
    from appliance.settings import Settings

EVERY_S = 1.0
"""Seconds between two pictures of the live view."""
KEPT = 60
"""Watts in the line of bars."""
FIRST_S = 3.0
"""Longest wait for the first look and the first power."""

UNASKED = (
    "http_port 为 0，无法询问运行中的服务；若服务正在运行，请勿让本命令长时间运行：读取会清除芯片告警 / "
    "http_port is 0, so that no appliance can be asked; where one serves, do not leave this running: "
    "to read an alarm clears it"
)
"""Said where an appliance may serve that cannot be asked."""

_BARS = "▁▂▃▄▅▆▇█"
_KINDS = {"over": "超限 / over", "throttled": "降频 / throttled", "event": "事件 / events"}


def power(
    config: Config = None,
    as_json: AsJson = False,
    record: Annotated[
        Path | None, typer.Option("--record", help="记录到 CSV，并在旁边画图 / Record into a CSV file, SVG beside it.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", "-s", min=1, max=86400, help="记录时长（秒） / Seconds to record.")
    ] = 60.0,
) -> None:
    """功率与温度 / Watts, degrees, power mode and joules: a live view, one look as JSON, or a recording with a plot.

    An appliance that serves here is asked, so that nobody reads the board's alarms beside it; else this command reads.
    Exit code 3 where there is nothing to read.
    """
    chosen = settings(config)
    if record is not None:
        write_down(Path(chosen.device_root), record, seconds)
        return
    with _source(chosen) as (origin, look):
        found = look()
        nothing = not found["power"]["measured"] and found["look_age_s"] is None
        if as_json:
            typer.echo(json.dumps(found | {"from": origin}, ensure_ascii=False))
        elif nothing:
            typer.echo(f"{found['power']['covers']['zh']}\n{found['power']['covers']['en']}", err=True)
            for remedy in NOTHING:
                typer.echo(f"  → {remedy}", err=True)
        else:
            _show(look, found, origin)
    if nothing:
        raise typer.Exit(Exit.UNAVAILABLE)


@contextmanager
def _source(chosen: Settings) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Where the figures come from, and what gets them: the appliance that serves, or else this process."""
    from appliance.app.board import Instruments
    from appliance.app.device import device
    from appliance.channels.http.client import status

    first = status(chosen)
    if first is not None:

        def ask() -> dict[str, Any]:
            answer = status(chosen)
            if answer is None:
                raise Unavailable("power: expected the appliance to go on answering, got silence", retry_after=5)
            return _block(answer)

        _block(first)
        yield "appliance", ask
        return
    if not chosen.http_port:
        typer.echo(UNASKED, err=True)
    with Instruments(Path(chosen.device_root)) as board:
        _wait(board)
        yield "sensors", lambda: device(board)


def _block(answer: dict[str, Any]) -> dict[str, Any]:
    block = answer.get("device")
    if not isinstance(block, dict):
        raise Unavailable(
            "power: expected the appliance's status to tell of the board, got one of another version",
            remedy=("请重启服务，使其与本命令版本一致", "Restart the service, so that both are of one version"),
        )
    return block


def _wait(board: Instruments) -> None:
    until = time.monotonic() + FIRST_S
    while time.monotonic() < until:
        if (board.seen is not None or not board.watching) and (board.watts is not None or not board.measured):
            return
        time.sleep(0.02)


def _show(look: Callable[[], dict[str, Any]], found: dict[str, Any], origin: str) -> None:
    """The live view on a terminal, until Ctrl+C; one picture elsewhere."""
    from rich.console import Console
    from rich.live import Live

    console, past = Console(), deque[float | None](maxlen=KEPT)

    def picture(found: dict[str, Any]) -> RenderableType:
        past.append(found["power"]["watts"])
        return _table(found, origin, past)

    if not console.is_terminal:
        console.print(picture(found))
        return
    with Live(picture(found), console=console, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(EVERY_S)
                live.update(picture(look()), refresh=True)
        except KeyboardInterrupt:
            return


def _table(found: dict[str, Any], origin: str, past: deque[float | None]) -> RenderableType:
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _rows(found, past):
        table.add_row(f"[bold]{name}[/bold]", escape(value))
    asked = (
        "运行中的服务 / the appliance that serves" if origin == "appliance" else "本命令直接读取 / read by this command"
    )
    table.add_row("[dim]来源 / from[/dim]", f"[dim]{asked}[/dim]")
    return table


def _rows(found: dict[str, Any], past: deque[float | None]) -> Iterator[tuple[str, str]]:
    board, power, energy = found["board"], found["power"], found["energy"]
    release = f"，L4T {board['l4t']}（JetPack {board['jetpack'] or '?'}）" if board["l4t"] != "none" else ""
    yield "本机 / board", f"{board['model'] or board['family']}{release}"
    if power["measured"]:
        mean = f"10 秒平均 / mean of 10 s {_figure(power['mean_10s_watts'], 'W')}"
        yield "功率 / power", f"{_figure(power['watts'], 'W')}（{power['source']}），{mean}"
        yield "", _bars(past)
        yield "待机 / idle", _figure(power["idle_watts"], "W")
    yield "含义 / covers", f"{power['covers']['zh']}\n{power['covers']['en']}"
    if power["reason"]:
        yield "故障 / amiss", power["reason"]
    if power["measured"]:
        parts = (("待机 / idle", "idle_j"), ("任务 / work", "shared_j"), ("其他程序 / others", "rest_j"))
        told = "，".join(f"{name} {energy[part]:.1f} J" for name, part in parts)
        yield "能量 / energy", f"{told}（{energy['seconds']:.0f} s）"
    if found["look_age_s"] is not None:
        yield from _looked(found)
    for alarm in found["alarms_seen"]:
        yield "警报 / alarms", f"{_KINDS.get(alarm['kind'], alarm['kind'])} {alarm['name']} × {alarm['count']}"


def _looked(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    mode = found["mode"]
    if mode["names"]:
        yield "功率模式 / mode", f"{mode['now'] or mode['reason']}（可选 / of {', '.join(mode['names'])}）"
    for rail, drawn in found["rails"].items():
        yield rail, f"{drawn['watts']:7.2f} W  {drawn['volts']:.2f} V  {drawn['amperes']:.2f} A"
    for rail, why in found["unread"].items():
        yield rail, f"读不到 / unread: {why}"
    zones = "  ".join(f"{zone} {degrees:.1f}" for zone, degrees in found["celsius"].items())
    off = f"  （关闭 / off: {', '.join(found['zones_off'])}）" if found["zones_off"] else ""
    yield "温度 / °C", f"{zones or '未知 / unknown'}{off}"
    gpu = found["gpu"]
    if gpu is not None:
        load = "?" if gpu["load"] is None else f"{gpu['load']:.0%}"
        yield (
            "GPU",
            f"{load}  {_figure(gpu['megahertz'], 'MHz')}（至多 / at most {_figure(gpu['most_megahertz'], 'MHz')}）",
        )
    if found["megahertz"]:
        yield "CPU", "  ".join(f"{cores}: {clock:.0f} MHz" for cores, clock in found["megahertz"].items())
    now = found["alarms"]
    amiss = [*now["over"], *now["throttled"]]
    if amiss:
        yield "此刻超限 / amiss now", ", ".join(amiss)
    if found["look_age_s"] > 3 * EVERY_S:
        yield "注意 / note", f"传感器总线无响应，数据已旧 / a bus hangs, this is {found['look_age_s']:.0f} s old"


def _figure(value: float | None, unit: str) -> str:
    return (
        f"未知 / unknown ({unit})" if value is None else f"{value:.2f} {unit}" if unit == "W" else f"{value:.0f} {unit}"
    )


def _bars(past: deque[float | None]) -> str:
    """The last minute as bars from 0 to its highest; a gap where nothing was measured."""
    highest = max((watts for watts in past if watts is not None), default=0.0)
    if highest <= 0:
        return ""
    last = len(_BARS) - 1
    return "".join(" " if watts is None else _BARS[round(last * max(0.0, watts) / highest)] for watts in past)
