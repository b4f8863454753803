"""For a support bundle: what systemd knows of the units, and what they wrote into its journal."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from appliance.support.case import Case, written

UNITS = ("appliance", "appliance-engines", "appliance-power", "appliance-first-boot", "appliance-update")
"""Units whose state and journal are of interest; one that is not installed says so."""
_FACTS = "Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,StatusText,ActiveEnterTimestamp"
LINES = 4000
"""Lines of the journal that are taken, the last ones."""
_PRIORITIES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
_PROGRAM_S = 20.0


def run(command: list[str]) -> str:
    """What a program says. Raises OSError when it is missing or fails, TimeoutExpired."""
    done = subprocess.run(command, capture_output=True, timeout=_PROGRAM_S, check=False)
    if done.returncode and not done.stdout:
        raise OSError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-300:]}")
    return done.stdout.decode("utf-8", "replace")


def units(case: Case) -> bytes:
    """State of each unit. Raises as `run` does."""
    told = run(["systemctl", "show", "--no-pager", f"--property={_FACTS}", *(f"{name}.service" for name in UNITS)])
    rows = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in told.strip().split("\n\n")]
    return written(case.mask.value(rows))


def journal(case: Case) -> bytes:
    """The last lines of the units. Raises as `run` does, and OSError where there is none."""
    command = ["journalctl", "--no-pager", "--output=json", f"--lines={LINES}", "--since=-14d"]
    told = run([*command, *(f"--unit={name}.service" for name in UNITS)])
    rows = [line for line in map(_entry, told.splitlines()) if line is not None]
    if not rows:
        raise OSError("journalctl showed no line of the units: run it as root or as a member of systemd-journal")
    return case.mask.lines("\n".join(json.dumps(row, ensure_ascii=False) for row in rows)).encode("utf-8", "replace")


def _entry(line: str) -> Mapping[str, Any] | None:
    """One entry of the journal: our own object where it is one, else what was said, with time, level and unit."""
    try:
        row = json.loads(line)
        message = row.get("MESSAGE")
        text = message if isinstance(message, str) else bytes(message or b"").decode("utf-8", "replace")
        unit = {"unit": str(row.get("_SYSTEMD_UNIT", row.get("UNIT", "")))}
        if text.startswith("{"):
            inner = json.loads(text)
            if isinstance(inner, dict):
                return inner | unit
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(row["__REALTIME_TIMESTAMP"]) / 1e6))
        level = _PRIORITIES[min(7, int(row.get("PRIORITY", 6)))]
        return {"ts": stamp, "level": level, "message": text} | unit
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
