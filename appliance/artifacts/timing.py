"""Timing caches: what a builder of engines learnt about this device, so that the next build is quicker.

TensorRT reads them as it reads engines, so they are sealed as engines are.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from appliance.artifacts.disk import sync
from appliance.artifacts.seal import Seal
from appliance.artifacts.staging import staged, write
from appliance.errors import StorageFailed

FOLDER = ".timing"
"""Folder in the store; a file is the seal, 64 hexadecimal digits, and then the cache."""
DIGITS = 64


def read_timing(root: Path, seal: Seal, device: tuple[str, ...]) -> bytes:
    """The cache of `device` (TensorRT, GPU, compute capability); empty when none is there that `seal` fits.

    Never worth a failure: a build without it only takes longer.
    """
    path = _path(root, device)
    try:
        content = path.read_bytes() if path.is_file() else b""
        claimed, data = content[:DIGITS].decode("ascii", "replace"), content[DIGITS:]
        return data if seal.fits(_purpose(device), data, claimed) else b""
    except (OSError, StorageFailed):
        return b""


def write_timing(root: Path, seal: Seal, device: tuple[str, ...], data: bytes) -> None:
    """Keep `data` in place of what was there. The caller holds `exclusive(root)`. Raises StorageFailed."""
    path = _path(root, device)
    with staged(root) as stage:
        write(stage / path.name, seal.of(_purpose(device), data).encode() + data)
        path.parent.mkdir(exist_ok=True)
        (stage / path.name).replace(path)
        sync(path.parent)


def _purpose(device: tuple[str, ...]) -> str:
    return "\n".join(("timing", *device))


def _path(root: Path, device: tuple[str, ...]) -> Path:
    return root / FOLDER / hashlib.sha256(_purpose(device).encode()).hexdigest()[:16]
