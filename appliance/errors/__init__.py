"""Typed errors. Each says what was expected, what was found and what to do, Chinese first and English beside it.

A class fixes the code, the HTTP status and the Chinese words; an instance adds the particulars. `ERRORS` is the
complete table, and a test compares it with docs/errors.md.
"""

from __future__ import annotations

from appliance.errors.asked import (
    BadRequest,
    DeadlineExceeded,
    ForeignHost,
    ForeignOrigin,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PinWrong,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
    VisitOver,
)
from appliance.errors.bundles import BundleFailed, BundleRefused, BundleUnsuitable, BundleUntrusted, PackInvalid
from appliance.errors.error import IN_VAIN, ApplianceError, Both
from appliance.errors.machine import PowerModeRefused, SensorUnreadable, SettingInvalid, StorageFailed, TooHot
from appliance.errors.models import (
    BackendFailed,
    DeviceFailed,
    DownloadFailed,
    EngineBuildFailed,
    EngineCorrupt,
    EngineMissing,
    GateRefused,
    ManifestInvalid,
    ModelCorrupt,
    ModelMismatch,
    ModelMissing,
    OutOfDeviceMemory,
)

__all__ = [
    "ERRORS",
    "IN_VAIN",
    "ApplianceError",
    "BackendFailed",
    "BadRequest",
    "Both",
    "BundleFailed",
    "BundleRefused",
    "BundleUnsuitable",
    "BundleUntrusted",
    "DeadlineExceeded",
    "DeviceFailed",
    "DownloadFailed",
    "EngineBuildFailed",
    "EngineCorrupt",
    "EngineMissing",
    "ForeignHost",
    "ForeignOrigin",
    "GateRefused",
    "InvalidInput",
    "ManifestInvalid",
    "MethodNotAllowed",
    "ModelCorrupt",
    "ModelMismatch",
    "ModelMissing",
    "NotFound",
    "OutOfDeviceMemory",
    "Overloaded",
    "PackInvalid",
    "PinWrong",
    "PowerModeRefused",
    "RequestTimeout",
    "SensorUnreadable",
    "SettingInvalid",
    "StorageFailed",
    "TooHot",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnsupportedMedia",
    "VisitOver",
]


def _all(cls: type[ApplianceError]) -> list[type[ApplianceError]]:
    return [cls] + [deeper for sub in cls.__subclasses__() for deeper in _all(sub)]


ERRORS: dict[str, type[ApplianceError]] = {cls.code: cls for cls in _all(ApplianceError)}
"""Every error of the appliance by code."""
