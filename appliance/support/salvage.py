"""What can still be said of settings that are not valid: where the data lies, and what must not be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import SettingInvalid
from appliance.settings import Settings, load_settings
from appliance.support.masked import secret_name, secrets_of

_LINE = re.compile(r"(?m)^\s*([A-Za-z_]\w*)\s*[:=]\s*(.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Settings to go on with."""

    settings: Settings
    """Those in force, or the defaults with the data folder of those that are not valid."""
    secrets: tuple[str, ...]
    """What must not be seen, the longest first."""
    problem: str
    """What is wrong with them, without what was found there: it may be the secret itself. Empty when nothing is."""


def salvaged(config: Path | None) -> Salvaged:
    """The settings of `config` and the environment. Never raises SettingInvalid."""
    try:
        found = load_settings(config)
    except SettingInvalid as error:
        problem = re.split(r"[,:] (?:got\b|expected YAML)", error.detail)[0]
    else:
        return Salvaged(found, secrets_of(found), "")
    try:
        text = config.read_text("utf-8", "replace") if config is not None else ""
    except OSError:
        text = ""
    lines = {name: value.strip("\"'") for name, value in _LINE.findall(text)}
    try:
        found = load_settings(None, {}, {"data_dir": lines["data_dir"]} if lines.get("data_dir") else {})
    except SettingInvalid:
        found = Settings()
    hidden = {value for name, value in lines.items() if secret_name(name) and len(value) > 3}
    return Salvaged(found, tuple(sorted(hidden, key=len, reverse=True)), problem)
