"""One table of settings: name, type, default, help. Values come from defaults, a YAML file, then the environment.

`SETTINGS` is the table; docs/settings.md is generated from it and a test keeps the two equal. Reading happens only
when `load_settings` is called: importing this package reads neither files nor the environment.
"""

from __future__ import annotations

from appliance.settings.address import is_loopback
from appliance.settings.carried import CARRIED, carried_settings
from appliance.settings.folder import data_dir
from appliance.settings.load import CONFIG_VARIABLE, load_settings
from appliance.settings.rows import PREFIX, SETTINGS, Setting
from appliance.settings.table import BACKENDS, PIN_HASH, Settings

__all__ = [
    "BACKENDS",
    "CARRIED",
    "CONFIG_VARIABLE",
    "PIN_HASH",
    "PREFIX",
    "SETTINGS",
    "Setting",
    "Settings",
    "carried_settings",
    "data_dir",
    "is_loopback",
    "load_settings",
]
