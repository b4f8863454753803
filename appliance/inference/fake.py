"""A backend without a library: outputs by a given function, or zeros, and drills that make it fail on purpose."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed
from appliance.inference.backend import Backend, BackendInfo
from appliance.inference.signature import Arrays
from appliance.specs import DTYPES, ModelSpec

Compute = Callable[[Arrays], dict[str, npt.NDArray[Any]]]
"""Outputs from inputs."""


class Drill(Enum):
    """A failure to rehearse."""

    NONE = "none"
    """Nothing fails."""
    LOAD = "load"
    """The network cannot be loaded."""
    INFER = "infer"
    """Runs fail."""
    NAN = "nan"
    """Floating outputs are not numbers, as after an fp16 overflow."""
    SHAPE = "shape"
    """Outputs come with an axis too many."""


class FakeBackend(Backend):
    """Computes nothing of a network; for tests, drills and the page without models."""

    def __init__(
        self,
        spec: ModelSpec,
        path: None = None,
        *,
        compute: Compute | None = None,
        drill: Drill = Drill.NONE,
        after: int = 0,
    ) -> None:
        """Answer with `compute`, by default zeros of the spec's shapes; fail as `drill` says after `after` runs."""
        super().__init__(spec, path)
        self.name = "fake"
        self._compute = compute or self._zeros
        self._drill = drill
        self._left = after

    def _load(self) -> None:
        if self._drill is Drill.LOAD:
            raise BackendFailed(f"{self._who}: expected to load, got the drill `load`")

    def _infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        drill = self._drill if self._left == 0 else Drill.NONE
        self._left = max(0, self._left - 1)
        if drill is Drill.INFER:
            raise BackendFailed(f"{self._who}: expected to run, got the drill `infer`")
        outputs = self._compute(inputs)
        if drill is Drill.NAN:
            return {n: np.full_like(a, np.nan) if a.dtype.kind == "f" else a for n, a in outputs.items()}
        if drill is Drill.SHAPE:
            return {name: array[np.newaxis] for name, array in outputs.items()}
        return outputs

    def _close(self) -> None:
        """Nothing is held."""

    def _describe(self) -> BackendInfo:
        return BackendInfo(
            name=self.name, device="none", version="0", provider="none", precision=self.spec.precisions[0]
        )

    def _zeros(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Zeros; an axis that no input names has its size at the first profile's optimum, else 1."""
        sizes = dict(self.spec.profiles[0].optimum) if self.spec.profiles else {}
        for tensor in self.spec.inputs:
            sizes.update(
                {d: n for d, n in zip(tensor.shape, inputs[tensor.name].shape, strict=True) if isinstance(d, str)}
            )
        return {
            t.name: np.zeros([sizes.get(d, 1) if isinstance(d, str) else d for d in t.shape], DTYPES[t.dtype])
            for t in self.spec.outputs
        }
