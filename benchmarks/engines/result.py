"""What a file of figures says: its schema, the limits that it misses, its rows in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.engines.measure import FAILED, MEASURED
from benchmarks.engines.plan import ON_HARDWARE

SCHEMA = "engines/1"
"""Changes when a file of another version cannot be read like this one."""
NOT_YET = "not yet measured on hardware"


def load(path: Path) -> dict[str, Any]:
    """A file that `python -m benchmarks.engines` wrote. Raises ValueError saying what was expected and found."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise ValueError(f"{path}: expected a JSON file of `python -m benchmarks.engines`, got {said}") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise ValueError(
            f"{path}: expected schema {SCHEMA}, got {schema or 'none'}; measure again with this version of the project"
        )
    return dict(found)


def missed(result: Mapping[str, Any]) -> list[str]:
    """A sentence for each row that should be measured and is not, and for each limit that one misses."""
    found = [sentence for row in result["rows"] for sentence in _missed(row)]
    seen = {row["network"] for row in result["rows"]}
    found += [f"{name}: expected rows of it, got none" for name in result["networks"] if name not in seen]
    return found if result["rows"] else [*found, "expected a network to measure, got none"]


def _missed(row: Mapping[str, Any]) -> Iterator[str]:
    who = f"{row['network']} on {row['backend']} {row['precision']}"
    if row["state"] == FAILED:
        yield f"{who}: expected it to be measured here, got {row['reason']}"
    if row["state"] != MEASURED:
        return
    if row["threshold"] is not None and (row["value"] is None or row["value"] < row["threshold"]):
        got = row["reason"] if row["value"] is None else row["value"]
        yield f"{who}: expected {row['metric']} of at least {row['threshold']}, got {got}"
    if not row["shapes"]:
        yield f"{who}: expected shapes, got none"
    for shape in row["shapes"]:
        at = f"{who} at {sizes_of(shape)}"
        values = [shape[f"p{share}_ms"] for share in (50, 90, 99)]
        if shape["error"] or not shape["runs"] or None in values:
            yield f"{at}: expected runs, got {shape['error'] or 'none'}"
        elif not 0 < values[0] <= values[1] <= values[2]:
            yield f"{at}: expected 0 < p50 <= p90 <= p99, got {values}"


def sizes_of(shape: Mapping[str, Any]) -> str:
    """The sizes of a shape: `height 352, width 480`; an axis of 1 is not worth a word unless all are."""
    named = {axis: size for axis, size in shape["sizes"].items() if size != 1} or shape["sizes"]
    return ", ".join(f"{axis} {size}" for axis, size in named.items()) or "its one shape"


def state_of(row: Mapping[str, Any]) -> str:
    """Why a row has no figures, in a few words; empty when it has."""
    if row["state"] == MEASURED:
        return ""
    if row["state"] == FAILED:
        return "failed"
    return NOT_YET if row["backend"] in ON_HARDWARE else "not on this machine"


def facts_of(result: Mapping[str, Any]) -> str:
    """The machine in one line."""
    machine = result["machine"]
    board = machine["board"] if machine["board"] != "not a Jetson" else f"{machine['cpu']} ({machine['board']})"
    parts = [
        f"{board}, {machine['cores']} cores",
        f"GPU {machine['gpu']}",
        f"JetPack/L4T {machine['jetpack']}",
        f"power mode {machine['power_mode']}",
        f"TensorRT {machine['tensorrt']}",
        f"ONNX Runtime {_runtime(machine)}, {result['threads']} thread{'s' * (result['threads'] != 1)}",
        f"Python {machine['python']}",
        f"commit {machine['commit']}",
    ]
    return "; ".join(parts)


def _runtime(machine: Mapping[str, Any]) -> str:
    gpu = machine["onnxruntime-gpu"]
    return f"{gpu} (GPU wheel)" if gpu != "not installed" else str(machine["onnxruntime"])
