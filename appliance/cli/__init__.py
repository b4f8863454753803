"""The command line: `appliance serve | check | ask | ocr | hear | say | mic | camera | models | engines | power` and
the rest, and for the technician `bundle | log-level | support-bundle | backup | restore | first-boot | factory-reset`.

Exit codes, the same for all commands: see `appliance.cli.exits.Exit`.
"""

from __future__ import annotations

import sys

import typer

from appliance import __version__
from appliance.cli import (
    ask,
    bench,
    bundle,
    camera,
    check,
    engines,
    hear,
    loud,
    mic,
    models,
    ocr,
    power,
    say,
    serve,
    service,
    support,
)
from appliance.cli.exits import Exit, exit_for
from appliance.errors import ApplianceError

app = typer.Typer(
    name="appliance",
    help="边缘推理一体机:听、读、理解、回答，全程离线 / Hears, reads, understands and answers on a kiosk, offline.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 unavailable (not installed, offline), "
    "4 a model file is corrupt, 5 not ready.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("check")(check.check)
app.command("ask")(ask.ask)
app.command("ocr")(ocr.ocr)
app.command("hear")(hear.hear)
app.command("say")(say.say)
app.command("bench")(bench.bench)
app.command("log-level")(loud.log_level)
app.command("support-bundle")(support.support_bundle)
app.command("backup")(support.backup)
app.command("restore")(support.restore)
app.command("first-boot")(support.first_boot)
app.command("factory-reset")(support.factory_reset)
app.command("power")(power.power)
app.add_typer(mic.app, name="mic")
app.add_typer(camera.app, name="camera")
app.add_typer(models.app, name="models")
app.add_typer(engines.app, name="engines")
app.add_typer(service.app, name="service")
app.add_typer(bundle.app, name="bundle")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line; typed errors become two lines on standard error and their exit code."""
    try:
        app()
    except ApplianceError as error:
        typer.echo(f"{error.message}\n  → {error.remedy}", err=True)
        sys.exit(exit_for(error))
    except KeyboardInterrupt:
        sys.exit(Exit.FAILED)
