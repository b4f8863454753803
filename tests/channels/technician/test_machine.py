"""What is said of the machine, and that what cannot be read is said to be unknown."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from appliance.channels.technician.machine import machine


def test_everything_of_this_machine(tmp_path: Path) -> None:
    found = machine(tmp_path / "not" / "made" / "yet")
    json.dumps(found)
    now = datetime.datetime.fromisoformat(str(found["time"]))
    assert abs(now - datetime.datetime.now().astimezone()) < datetime.timedelta(seconds=30)
    for part in ("memory_mb", "disk_mb"):
        assert 0 < found[part]["free"] <= found[part]["total"]  # type: ignore[index]


def test_a_hidden_proc_is_unknown_and_no_error(tmp_path: Path) -> None:
    assert machine(tmp_path, tmp_path)["memory_mb"] is None
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable: 1024 kB\nHugePages_Total:       0\n")
    assert machine(tmp_path, tmp_path)["memory_mb"] == {"total": 2, "free": 1}
    (tmp_path / "meminfo").write_text("MemTotal:\n")
    assert machine(tmp_path, tmp_path)["memory_mb"] is None
