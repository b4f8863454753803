"""What can still be said of settings that are not valid: where the data lies, and what must not be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import SettingInvalid
from appliance.settings import PREFIX, SETTINGS, Settings, is_loopback, load_settings
from appliance.support.masked import HIDDEN, place_name, secret_name, secrets_of

_LINE = re.compile(r"(?m)^[^\S\n]*([A-Za-z_]\w*)[^\S\n]*[:=][^\S\n]*(.*?)[^\S\n]*$")
_NAME = re.compile(r"[a-z_]{1,30}")
_WORD = re.compile(r"[^\s\"'\[\]{},]+")


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
    hidden = {value for value in _hidden(text, os.environ) if len(value) > 3 and not is_loopback(value)}
    # A name that there is none of may be a value that slipped into its place; one that is merely misspelt is told.
    for value in (*hidden, *(name for name in lines if name not in SETTINGS and not _NAME.fullmatch(name))):
        problem = problem.replace(value, HIDDEN)
    return Salvaged(found, tuple(sorted(hidden, key=len, reverse=True)), problem)


def _hidden(text: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Whatever may be the value of a secret or a place: of its own line, and of those that are indented below it."""
    within = -1
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        said = _LINE.match(line)
        if said is not None and (within < 0 or indent <= within):
            within = indent if secret_name(said[1]) or place_name(said[1]) else -1
            value = said[2]
        elif within >= 0 and line.strip():
            value = line.strip().removeprefix("- ")
        else:
            continue
        if within >= 0:
            yield value.strip("\"'")
            yield from (part for part in _WORD.findall(value) if len(part) > 7 or not part.isalpha())
    for name, value in environ.items():
        short = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and (secret_name(short) or place_name(short)):
            yield value
            yield from value.split(",")
