"""The folder in which models and records are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from appliance.errors import SettingInvalid
from appliance.settings.table import Settings


def data_dir(settings: Settings, environ: Mapping[str, str] | None = None) -> Path:
    """Folder for models and records: the setting, or $XDG_DATA_HOME/appliance, or ~/.local/share/appliance."""
    if settings.data_dir:
        return Path(settings.data_dir).expanduser()
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_DATA_HOME")
    if home:
        return Path(home) / "appliance"
    try:
        return Path.home() / ".local" / "share" / "appliance"
    except RuntimeError as error:  # a user without an entry in passwd and without HOME
        raise SettingInvalid(
            "data_dir: expected a folder, got none, and this user has no home",
            remedy=("请设置 APPLIANCE_DATA_DIR", "Set APPLIANCE_DATA_DIR"),
        ) from error
