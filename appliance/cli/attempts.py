"""Attempts to have an optional model: one that failed is not made again for a day where `--once` says so."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from appliance.artifacts.manifest import Manifest
from appliance.artifacts.pull import Outcome
from appliance.artifacts.store import CACHE, ModelStore
from appliance.errors import ApplianceError, DownloadFailed

RETRY_S = 86_400
"""Seconds for which `--once` leaves an optional model alone that could not be had."""


def failed_lately(store: ModelStore, name: str) -> bool:
    """True for an optional model that is not installed and could not be had within RETRY_S."""
    if not is_optional(store.manifest(name)) or store.state(name).state == "installed":
        return False
    try:
        age = time.time() - _attempt_of(store, name).stat().st_mtime
    except OSError:
        return False
    return 0 <= age < RETRY_S


def remember(store: ModelStore, outcome: Outcome) -> None:
    """Note a failure for `--once`. Without a disk to write on there is nothing to note it with, and no harm."""
    with suppress(OSError):
        if is_offline(outcome.error):
            _attempt_of(store, outcome.name).touch()
        else:
            _attempt_of(store, outcome.name).unlink(missing_ok=True)


def _attempt_of(store: ModelStore, name: str) -> Path:
    """Empty file whose time says when this version of a model could not be had."""
    return store.root / CACHE / f"failed-{name}-{store.manifest(name).digest}"


def is_optional(manifest: Manifest) -> bool:
    """Whether a model is tried, and done without where it cannot be had."""
    return manifest.install == "optional"


def is_offline(error: ApplianceError | None) -> bool:
    """Whether an error says that no source could be reached: another day it may be."""
    return isinstance(error, DownloadFailed)
