"""The rows of the table: of every setting its name, type, default, help and range, for docs, files and checks."""

from __future__ import annotations

from dataclasses import dataclass, fields

from appliance.settings.table import Settings

PREFIX = "APPLIANCE_"
"""Environment variables are this prefix and the setting's name in capitals."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    """Name in YAML and, in capitals behind APPLIANCE_, in the environment."""
    type: str
    """Type as written in the docs."""
    default: object
    """Value when nothing is said."""
    help: str
    """What it does."""
    minimum: float | None
    """Smallest number accepted."""
    maximum: float | None
    """Largest number accepted."""

    @property
    def variable(self) -> str:
        """Environment variable that sets it."""
        return PREFIX + self.name.upper()


def _table() -> dict[str, Setting]:
    defaults = Settings()
    return {
        f.name: Setting(
            f.name,
            str(f.type),
            getattr(defaults, f.name),
            f.metadata["help"],
            f.metadata["minimum"],
            f.metadata["maximum"],
        )
        for f in fields(Settings)
    }


SETTINGS: dict[str, Setting] = _table()
"""Every setting by name."""
