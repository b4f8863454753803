"""Names the machine, the versions and the commit behind a measurement: a figure without them says nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.device.board import release
from benchmarks.rails import power_mode

ROOT = Path(__file__).parent.parent


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model", "Hardware"))]
    return names[0] if names else platform.machine()


def _board() -> str:
    try:
        return Path("/proc/device-tree/model").read_text("utf-8").rstrip("\0")
    except OSError:
        return "not a Jetson"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _models() -> str:
    manifests = load_manifests(shipped_root())
    return " ".join(f"{name}@{manifest.digest}" for name, manifest in manifests.items() if manifest.default)


def describe() -> dict[str, str | int]:
    """What was measured on what."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "board": _board(),
        "jetpack": release(),
        "power_mode": power_mode(),
        "tensorrt": _version("tensorrt"),
        "models": _models(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime"),
        "onnxruntime-gpu": _version("onnxruntime-gpu"),
        "numpy": _version("numpy"),
        "opencv": _version("opencv-python-headless"),
        "appliance": _version("edge-inference-appliance"),
        "commit": _commit(),
    }
