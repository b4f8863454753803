"""Reading the settings: defaults, a bundle's, the YAML file, the environment, the command line, each over the last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.errors import SettingInvalid
from appliance.settings.convert import convert
from appliance.settings.rows import PREFIX, SETTINGS
from appliance.settings.table import Settings
from appliance.settings.together import check_together

CONFIG_VARIABLE = PREFIX + "CONFIG"
"""Environment variable that names the settings file; the one APPLIANCE_ variable that is no setting."""


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    beneath: Mapping[str, object] | None = None,
) -> Settings:
    """Read defaults, then the YAML file at `path`, then `environ` (default os.environ), then `overrides`.

    `beneath` are settings of a bundle, which stand between the defaults and the file: what the site says holds.

    Raises SettingInvalid for an unknown name, a wrong type, a value out of range or settings that contradict
    each other. Unknown APPLIANCE_ variables are refused too: a misspelt setting must not pass in silence.
    """
    environ = os.environ if environ is None else environ
    raw: dict[str, tuple[object, str]] = {name: (value, "bundle") for name, value in (beneath or {}).items()}
    if path is not None:
        raw.update({name: (value, str(path)) for name, value in from_yaml(path).items()})
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            raw[variable[len(PREFIX) :].lower()] = (value, variable)
    raw.update({name: (value, "command line") for name, value in (overrides or {}).items()})
    unknown = sorted(set(raw) - set(SETTINGS))
    if unknown:
        name = unknown[0]
        raise SettingInvalid(f"{name} ({raw[name][1]}): no such setting; known are {', '.join(sorted(SETTINGS))}")
    values: dict[str, Any] = {name: convert(SETTINGS[name], value, origin) for name, (value, origin) in raw.items()}
    settings = Settings(**values)
    check_together(settings)
    return settings


def from_yaml(path: Path) -> dict[str, object]:
    """The names and values in the YAML file at `path`, unchecked. Raises SettingInvalid for what is no such file."""
    import yaml  # lazy: importing settings must stay light

    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SettingInvalid(
            f"settings file {path}: {error.strerror}",
            remedy=(f"请创建 {path}，或去掉 --config", f"Create {path} or drop --config"),
        ) from error
    except yaml.YAMLError as error:
        # Without the line that YAML would quote: it may be the token's.
        mark = getattr(error, "problem_mark", None)
        at = f" (line {mark.line + 1})" if mark is not None else ""
        found = getattr(error, "problem", None) or "characters that YAML has not"
        raise SettingInvalid(f"settings file {path}: expected YAML, got {found}{at}") from error
    except (ValueError, RecursionError) as error:  # no UTF-8; a date or number that cannot be; nested without end
        raise SettingInvalid(f"settings file {path}: expected YAML, got {type(error).__name__}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise SettingInvalid(f"settings file {path}: expected names with values, got {type(loaded).__name__}")
    return {str(name): value for name, value in loaded.items()}
