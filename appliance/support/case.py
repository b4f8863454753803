"""What is looked at for a support bundle, and how each of its files is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path

from appliance.settings import Settings
from appliance.support.masked import Mask


@dataclass(frozen=True, slots=True)
class Case:
    """What the collectors look at."""

    settings: Settings
    """The settings in force, or the defaults where they cannot be read."""
    problem: str
    """Why the settings could not be read; empty otherwise."""
    mask: Mask
    """What masks."""
    config: Path | None = None
    """The settings file that was named."""
    root: Path = Path("/")
    """`/`; tests give a tree of files for what the kernel tells."""
    check: bool = True
    """Whether the self-check may run when the service does not answer."""


@dataclass(frozen=True, slots=True)
class Collector:
    """One file of the bundle."""

    file: str
    """Its name."""
    masked: str
    """What was taken out of it, and how."""
    collect: Callable[[Case], bytes]
    """Makes it; whatever it raises is written in its place."""


def written(value: object) -> bytes:
    """`value` as JSON for eyes."""
    return (json.dumps(value, ensure_ascii=False, indent=1, default=_plain) + "\n").encode("utf-8", "replace")


def _plain(value: object) -> object:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)
