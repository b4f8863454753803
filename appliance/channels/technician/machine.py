"""The machine under the appliance, as a technician asks about it: its clock, disk, memory and load.

What cannot be read is None: a unit may hide parts of /proc.
"""

from __future__ import annotations

import datetime
import os
import platform
import shutil
from pathlib import Path

MEMORY = ("MemTotal", "MemAvailable")


def machine(data: Path, proc: Path = Path("/proc")) -> dict[str, object]:
    """Everything, JSON types only; `data` is the folder of models and records."""
    return {
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": _load(),
        "memory_mb": _memory(proc),
        "disk_mb": _disk(data),
    }


def _load() -> float | None:
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _memory(proc: Path) -> dict[str, int] | None:
    try:
        lines = (proc / "meminfo").read_text("ascii").splitlines()
        known = {name: int(rest.split()[0]) // 1024 for name, _, rest in (line.partition(":") for line in lines)}
        total, free = (known[name] for name in MEMORY)
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return {"total": total, "free": free}


def _disk(folder: Path) -> dict[str, int] | None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return {"total": usage.total >> 20, "free": usage.free >> 20}
