"""Exit codes of every `appliance` command."""

from __future__ import annotations

from enum import IntEnum

from appliance.errors import (
    ApplianceError,
    BadRequest,
    BundleFailed,
    BundleRefused,
    BundleUnsuitable,
    DownloadFailed,
    InvalidInput,
    ManifestInvalid,
    ModelCorrupt,
    ModelMismatch,
    ModelMissing,
    PackInvalid,
    SettingInvalid,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)


class Exit(IntEnum):
    """What a command's exit status means."""

    OK = 0
    """Done."""
    FAILED = 1
    """Something failed; stderr says what and what to do."""
    USAGE = 2
    """The command line, a setting or a file given is wrong."""
    UNAVAILABLE = 3
    """Not installed, or no source of a file could be reached (offline)."""
    CORRUPT = 4
    """A model's file is not the one that its manifest names, or a bundle is damaged, hostile or not trusted."""
    NOT_READY = 5
    """The appliance runs but a required feature does not."""


_EXITS: tuple[tuple[Exit, tuple[type[ApplianceError], ...]], ...] = (
    (
        Exit.USAGE,
        (SettingInvalid, BadRequest, InvalidInput, ManifestInvalid, PackInvalid, TooLarge, UnsupportedMedia),
    ),
    (Exit.UNAVAILABLE, (Unavailable, ModelMissing, DownloadFailed)),
    (Exit.FAILED, (BundleFailed, BundleUnsuitable)),
    (Exit.CORRUPT, (ModelCorrupt, ModelMismatch, BundleRefused)),
)


def exit_for(error: ApplianceError) -> Exit:
    """The exit code that tells of `error`."""
    return next((code for code, classes in _EXITS if isinstance(error, classes)), Exit.FAILED)
