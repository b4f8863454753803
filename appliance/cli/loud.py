"""`appliance log-level`: what the running appliance logs, and for how long it logs more."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from appliance.channels.http.schemas import LOUD_MINUTES, MOST_LOUD_MINUTES
from appliance.cli.options import Config, settings


def log_level(
    level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Argument(help="级别；不填则只显示 / Level; without one it is only shown."),
    ] = None,
    minutes: Annotated[
        int,
        typer.Option("--minutes", "-m", min=1, max=MOST_LOUD_MINUTES, help="多少分钟后恢复 / Minutes until it ends."),
    ] = LOUD_MINUTES,
    config: Config = None,
) -> None:
    """日志级别 / Let the running appliance log more, or less, for some minutes; then as its settings say."""
    from appliance.channels.http.client import ask

    chosen = settings(config)
    if level is None:
        found = ask(chosen, "/v1/log")
    else:
        found = ask(chosen, "/v1/log", method="PUT", body={"level": level, "minutes": minutes})
    left = found["returns_in_s"]
    until = (
        f" ({left / 60:.0f} 分钟后恢复 {found['usual']} / {found['usual']} again in {left / 60:.0f} min)"
        if left
        else ""
    )
    typer.echo(f"{found['level']}{until}")
