"""One value, as YAML or the environment gives it, becomes the type that its setting has, or is refused."""

from __future__ import annotations

from typing import Any

from appliance.errors import SettingInvalid
from appliance.settings.rows import Setting
from appliance.settings.table import BACKENDS

_CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("auto", "json", "text"),
    "backends": BACKENDS,
    "required": ("language", "dialogue", "ocr", "vad", "asr", "microphone", "speech", "camera"),
    "voice": ("off", "push", "wake"),
    "governor": ("auto", "on", "off"),
    "speech_engine": ("auto", "sherpa", "espeak", "off"),
    "barge_in": ("auto", "on", "off"),
}

_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""What YAML and people write for a setting that is either on or off."""


def convert(setting: Setting, value: object, origin: str) -> object:
    """Turn a YAML or environment value into the setting's type, or raise SettingInvalid naming its origin."""
    kind: Any = type(setting.default)
    try:
        if kind is tuple:
            items = value.split(",") if isinstance(value, str) else value
            if not isinstance(items, list | tuple):
                raise TypeError
            converted: Any = tuple(str(item).strip() for item in items if str(item).strip())
        elif kind is bool:
            converted = value if isinstance(value, bool) else _SWITCH[str(value).strip().lower()]
        elif value is None or isinstance(value, bool | list | dict) or _has_fraction(kind, value):
            raise TypeError
        else:
            converted = kind(value)
    except (TypeError, ValueError, KeyError):
        raise SettingInvalid(
            f"{setting.name} ({origin}): expected {setting.type}, got {_seen(setting.name, value)}"
        ) from None
    return _bounded(setting, converted, origin)


def _seen(name: str, value: object) -> str:
    """What was found, for the log and whoever stands there: no secret, and no more than a line of it."""
    if name.endswith(("_token", "_key")) or isinstance(value, list | tuple | dict):
        return type(value).__name__
    return repr(value)[:80]


def _has_fraction(kind: type, value: object) -> bool:
    return kind is int and isinstance(value, float) and not value.is_integer()


def _bounded(setting: Setting, value: Any, origin: str) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # NaN compares false with everything, so the test is written as "inside", not "outside".
        low = setting.minimum is None or value >= setting.minimum
        high = setting.maximum is None or value <= setting.maximum
        if not (low and high):
            span = f"{setting.minimum} to {setting.maximum}"
            raise SettingInvalid(f"{setting.name} ({origin}): expected {span}, got {value}")
    choices = _CHOICES.get(setting.name)
    if choices:
        for item in value if isinstance(value, tuple) else (value,):
            if item not in choices:
                raise SettingInvalid(f"{setting.name} ({origin}): expected one of {', '.join(choices)}, got {item!r}")
    return value
