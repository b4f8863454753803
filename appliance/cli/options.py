"""Options that several commands share, and how they become settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from appliance.settings import CONFIG_VARIABLE, Settings, load_settings

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar=CONFIG_VARIABLE, help="设置文件 / YAML file with settings."),
]
AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / Print JSON for machines.")]
Language = Annotated[
    Literal["zh", "en"], typer.Option("--language", "-l", help="zh 或 en / Language to answer in: zh or en.")
]


def served(config: Path | None, **overrides: object) -> tuple[Settings, Path | None]:
    """Settings, and the folder of the bundle that serves here, for commands that do what the service would do."""
    from appliance.app.bundled import merged, root_of
    from appliance.bundles.choose import settled

    given = {name: value for name, value in overrides.items() if value is not None}
    chosen = settled(root_of(load_settings(config, overrides=given)), hashes=False)
    folder = chosen.folder if chosen is not None else None
    return merged(config, folder, given), folder


def settings(config: Path | None, **overrides: object) -> Settings:
    """Settings from defaults, file, environment and the command line, in this order."""
    return load_settings(config, overrides={name: value for name, value in overrides.items() if value is not None})
