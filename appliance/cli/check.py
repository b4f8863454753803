"""`appliance check`: what works, what is missing, why, and what to run."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from appliance.app.programs import Finding, findings, graphics
from appliance.channels.http.files import limit_of
from appliance.cli.exits import Exit
from appliance.cli.options import AsJson, Config, served
from appliance.cli.report import feature_lines, machine_lines
from appliance.settings import data_dir
from appliance.values import Feature

if TYPE_CHECKING:
    from appliance.app.appliance import Appliance

READY = "就绪 / ready"
NOT_READY = "未就绪 / not ready"
SETTLING_S = 10.0
"""Longest wait for microphone, voices and camera to be tried."""


def check(
    config: Config = None,
    as_json: AsJson = False,
    details: Annotated[
        bool, typer.Option("--details", "-d", help="全部原因和耗时 / Reasons and load times of what works, too.")
    ] = False,
) -> None:
    """自检 / Load and warm everything, and say what works. Exit code 5 when a required feature does not."""
    from appliance.app.build import build

    chosen, bundle = served(config)
    found = findings(data_dir(chosen), limit_of(chosen))
    with build(chosen, watching=False, bundle=bundle) as appliance:
        features, ready = _settled(appliance), appliance.ready()
    if as_json:
        shown = {
            "ready": ready,
            "machine": [dataclasses.asdict(f) for f in found],
            "features": [dataclasses.asdict(f) for f in features],
        }
        typer.echo(json.dumps(shown, ensure_ascii=False))
    else:
        _print(found, features, ready, details)
    if not ready:
        raise typer.Exit(Exit.NOT_READY)


def _settled(appliance: Appliance) -> tuple[Feature, ...]:
    """The features, once microphone, voices and camera have been tried: they are while others serve already."""
    from appliance.app import camera, voice

    settling = (*voice.SETTLING, camera.OPENING)
    until = time.monotonic() + SETTLING_S
    while any(feature.reason in settling for feature in appliance.features()) and time.monotonic() < until:
        time.sleep(0.05)
    return appliance.features()


def _print(found: Sequence[Finding], features: Sequence[Feature], ready: bool, details: bool) -> None:
    typer.echo("本机 / machine")
    for line in machine_lines(found):
        typer.echo(line)
    typer.echo("功能 / features")
    # Where there is a GPU, why the CPU serves is worth its lines; elsewhere it is not.
    gpu = graphics() is not None
    for feature in features:
        unused = gpu and feature.backend == "onnxruntime-cpu"
        for line in feature_lines((feature,), details=details or unused):
            typer.echo(line)
    typer.echo(READY if ready else typer.style(NOT_READY, fg=typer.colors.RED))
