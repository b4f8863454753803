"""`appliance check`: what works, what is missing, why, and what to run."""

from __future__ import annotations

import dataclasses
import json

import typer
from rich.console import Console
from rich.table import Table

from appliance.app.programs import Finding, findings
from appliance.cli.exits import Exit
from appliance.cli.options import AsJson, Config, settings
from appliance.settings import data_dir
from appliance.values import Feature

COLOURS = {"ready": "green", "fallback": "yellow", "off": "yellow", "failed": "red"}


def check(config: Config = None, as_json: AsJson = False) -> None:
    """自检 / Load and warm everything, and say what works. Exit code 5 when a required feature does not."""
    from appliance.app.build import build

    chosen = settings(config)
    found = findings(data_dir(chosen))
    with build(chosen) as appliance:
        features, ready = appliance.features(), appliance.ready()
    if as_json:
        shown = {
            "ready": ready,
            "machine": [dataclasses.asdict(f) for f in found],
            "features": [dataclasses.asdict(f) for f in features],
        }
        typer.echo(json.dumps(shown, ensure_ascii=False))
    else:
        _print(found, features, ready)
    if not ready:
        raise typer.Exit(Exit.NOT_READY)


def _print(found: tuple[Finding, ...], features: tuple[Feature, ...], ready: bool) -> None:
    console = Console(soft_wrap=False)
    machine = Table("本机 / machine", "", "详情 / detail", title="自检 / self-check", title_justify="left")
    for f in found:
        state = "[green]✓[/]" if f.ok else "[yellow]✗[/]"
        machine.add_row(f.name, state, f.detail + (f"\n→ {f.remedy}" if f.remedy else ""))
    console.print(machine)
    table = Table("功能 / feature", "状态 / state", "后端 / backend", "原因 / reason")
    for feature in features:
        colour = COLOURS.get(feature.state, "white")
        table.add_row(feature.name, f"[{colour}]{feature.state}[/]", feature.backend, feature.reason)
    console.print(table)
    console.print("就绪 / ready" if ready else "[red]未就绪 / not ready[/]")
