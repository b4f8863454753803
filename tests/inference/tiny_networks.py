"""Specs of the tiny networks in models/ (made by export/fixtures.py) and what their tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.specs import Dim, ModelSpec, ShapeProfile, TensorSpec

MODELS = Path(__file__).parent / "models"
BATCHES = ShapeProfile({"batch": 1}, {"batch": 1}, {"batch": 4})


def tensor(name: str, dtype: str, *shape: Dim) -> TensorSpec:
    return TensorSpec(name, dtype, shape)


AFFINE = ModelSpec(
    "affine",
    (tensor("x", "float32", "batch", 3),),
    (tensor("y", "float32", "batch", 3),),
    (BATCHES,),
    batch_axis="batch",
)
PICK = ModelSpec(
    "pick", (tensor("index", "int64", "batch"),), (tensor("value", "float32", "batch"),), (BATCHES,), batch_axis="batch"
)
PAIR = ModelSpec(
    "pair",
    (tensor("amount", "float32", "batch", 2), tensor("count", "int64", "batch", 2)),
    (tensor("sum", "float32", "batch", 2), tensor("total", "int64")),
    (BATCHES,),
    batch_axis="batch",
)
HALVE = ModelSpec(
    "halve",
    (tensor("x", "float32", "batch", 1, "width"),),
    (tensor("y", "float32", "batch", 1, "steps"),),
    (ShapeProfile({"batch": 1, "width": 2}, {"batch": 1, "width": 8}, {"batch": 4, "width": 64}),),
    batch_axis="batch",
)
LOG = ModelSpec("log", (tensor("x", "float32", 1, 4),), (tensor("y", "float32", 1, 4),))
HALF = ModelSpec("half", (tensor("x", "float16", "batch", 2),), (tensor("y", "float16", "batch", 2),), (BATCHES,))
RANKLESS = ModelSpec("rankless", (tensor("x", "float32", 1, 2),), (tensor("y", "float32", 1, 2),))
SEQUENCE = ModelSpec("sequence", (tensor("x", "float32", 1, 2),), (tensor("y", "float32", 1, 2),))
FOREIGN = ModelSpec("foreign", (tensor("x", "float32", 1, 2),), (tensor("y", "float32", 1, 2),))
RUNNABLE = (AFFINE, PICK, PAIR, HALVE, LOG, HALF, RANKLESS)


def file(spec: ModelSpec) -> Path:
    return MODELS / f"{spec.name}.onnx"


class Heard:
    """Listener that keeps everything."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def all(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.events if name == event]


class Clock:
    """Time that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until `condition` holds; False when it does not within `seconds`."""
    import time

    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.002)
    return True
