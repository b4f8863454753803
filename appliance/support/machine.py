"""For a support bundle: the board, its disks, its memory, and how much of what lies in the data folder."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path

from appliance.device.look import find_sensors
from appliance.settings import data_dir
from appliance.support.case import Case, written


def board(case: Case) -> bytes:
    """Which board it is, and what its sensors say."""
    sensors = find_sensors(case.root)
    return written(case.mask.value({"board": asdict(sensors.board), "look": json.loads(written(sensors.look()))}))


def machine(case: Case) -> bytes:
    """Time, disks, memory and load. Raises OSError."""
    folder = data_dir(case.settings)
    existing = next(path for path in (folder, *folder.parents) if path.exists())

    def disk(path: Path) -> object:
        usage, inodes = shutil.disk_usage(path), os.statvfs(path)
        return {
            "total_mb": usage.total >> 20,
            "free_mb": usage.free >> 20,
            "inodes_free": inodes.f_favail,
            "read_only": bool(inodes.f_flag & os.ST_RDONLY),
        }

    return written(
        {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "monotonic_s": round(time.monotonic()),
            "disks": {"data_dir": disk(existing), "/": disk(Path("/"))},
            "data_dir": _sizes(folder),
            "memory_mb": _memory(case.root),
            "load": [round(load, 2) for load in os.getloadavg()],
        }
    )


def _memory(root: Path) -> object:
    try:
        rows = (root / "proc/meminfo").read_text("utf-8", "replace").splitlines()
    except OSError as error:
        return f"not there: {error.strerror}"
    named = [row.split() for row in rows if row.startswith(("Mem", "Swap", "Cma", "Dirty"))]
    return {cells[0].rstrip(":"): int(cells[1]) >> 10 for cells in named if len(cells) > 1 and cells[1].isdigit()}


def _sizes(folder: Path) -> dict[str, object]:
    """Files and bytes of each part of the data folder, without the names of what lies in it."""
    sizes: dict[str, object] = {}
    for part in ("models", "engines", "records", "cache", "packs"):
        files = [path for path in (folder / part).rglob("*") if path.is_file() and not path.is_symlink()]
        sizes[part] = {"files": len(files), "bytes": sum(path.stat().st_size for path in files)}
    return sizes
