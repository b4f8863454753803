"""Queues to lay out in front of a network: a run that holds the worker, and one that writes down what it saw."""

from __future__ import annotations

import threading

import numpy as np
from tiny_networks import AFFINE, eventually, file

from appliance.inference.backend import Backend
from appliance.inference.fake import FakeBackend
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.scheduler import Priority, Scheduler
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec


class Door:
    """Keeps the worker busy in a run of its own until `open`, so that a queue can be laid out behind it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self.backend = FakeBackend(AFFINE, compute=self._hold)
        self.backend.load()
        self.future = scheduler.submit(self.backend, AFFINE.zeros(), priority=Priority.HIGH)
        assert self.inside.wait(10)

    def _hold(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self.inside.set()
        self.leave.wait(30)
        return {"y": np.zeros((1, 3), np.float32)}

    def open(self) -> None:
        self.leave.set()
        self.future.result(10)


class Seen:
    """A fake network, y = x + 1, that writes down the first column of every run."""

    def __init__(self, spec: ModelSpec = AFFINE) -> None:
        self.runs: list[list[float]] = []
        self.backend = FakeBackend(spec, compute=self._compute)
        self.backend.load()

    def _compute(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self.runs.append([float(row[0]) for row in inputs["x"]])
        return {"y": inputs["x"] + 1}


def row(value: float, rows: int = 1) -> dict[str, np.ndarray]:
    return {"x": np.full((rows, 3), value, np.float32)}


def loaded(spec: ModelSpec) -> Backend:
    backend = OnnxRuntimeBackend(spec, file(spec), threads=1)
    backend.load()
    return backend


def until_idle(scheduler: Scheduler) -> None:
    assert eventually(lambda: scheduler.running == 0)
