"""What an engine is tied to: the library's exact version, the GPU and the release of the board's software."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.device.board import release
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.memory import Device

SHARE = 0.5
"""Part of the free memory that a build may use: on a Jetson the GPU's memory is everyone's."""
MOST_WORKSPACE = 2 << 30
LEAST_WORKSPACE = 64 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """The device on which engines are built and run."""

    tensorrt: str
    """Exact version, for example `10.3.0`."""
    gpu: str
    """Name of the GPU."""
    capability: str
    """Compute capability, for example `8.7`."""
    platform: str
    """L4T release such as `R36.4.3`; `none` off a Jetson."""


def facts(trt: Any, device: Device, root: Path = Path("/")) -> Facts:
    """Ask the library, the GPU and the file system at `root`."""
    return Facts(compat.version(trt), device.name, device.capability, release(root))


def workspace(free_bytes: int) -> int:
    """Bytes that a build may use for its tactics, of `free_bytes`: half, at most 2 GiB, at least 64 MiB."""
    return max(LEAST_WORKSPACE, min(MOST_WORKSPACE, int(free_bytes * SHARE)))
