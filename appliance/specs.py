"""ModelSpec: the hinge that export, quantisation, engine build, runtime, benchmarks and tests read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from appliance.errors import InvalidInput

Dim = int | str
"""A fixed size, or the name of a dynamic axis."""

DTYPES: Mapping[str, type[np.generic]] = {
    "float32": np.float32,
    "float16": np.float16,
    "int64": np.int64,
    "int32": np.int32,
    "int8": np.int8,
    "uint8": np.uint8,
    "bool": np.bool_,
}
"""Tensor dtypes that a spec may name."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, dtype and shape of one input or output."""

    name: str
    """Tensor name in the ONNX graph."""
    dtype: str
    """A key of `DTYPES`."""
    shape: tuple[Dim, ...]
    """Fixed sizes and named dynamic axes, for example (`batch`, 3, 48, `width`)."""

    def check(self, array: npt.NDArray[np.generic], axes: dict[str, int]) -> None:
        """Raise InvalidInput when `array` does not fit; record the size of each named axis in `axes`."""
        if array.dtype != DTYPES[self.dtype]:
            raise InvalidInput(f"input {self.name}: expected dtype {self.dtype}, got {array.dtype}")
        if array.ndim != len(self.shape):
            raise InvalidInput(f"input {self.name}: expected {len(self.shape)} axes {self.shape}, got {array.shape}")
        for want, got in zip(self.shape, array.shape, strict=True):
            expected = axes.setdefault(want, got) if isinstance(want, str) else want
            if expected != got:
                raise InvalidInput(f"input {self.name}: expected shape {self.shape} with {axes}, got {array.shape}")


@dataclass(frozen=True, slots=True)
class ShapeProfile:
    """Smallest, usual and largest size of every dynamic axis that an engine must serve."""

    minimum: Mapping[str, int]
    """Axis name to smallest size."""
    optimum: Mapping[str, int]
    """Axis name to the size to be fastest at; warm-up runs at it."""
    maximum: Mapping[str, int]
    """Axis name to largest size."""

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """True when every axis has a size from the smallest to the largest."""
        return all(self.minimum[axis] <= sizes[axis] <= self.maximum[axis] for axis in self.maximum)


@dataclass(frozen=True, slots=True)
class Gate:
    """Task metric on the model's cases and the value below which a file or engine is refused."""

    metric: str
    """For example `exact_lines`, `accuracy`, `frame_agreement`."""
    threshold: float
    """Smallest acceptable value."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that has to be known of a network to check, run, export, quantise and build it."""

    name: str
    """Network name, unique in the appliance, for example `pp-ocrv6-small/detector`."""
    inputs: tuple[TensorSpec, ...]
    """Inputs in graph order."""
    outputs: tuple[TensorSpec, ...]
    """Outputs in graph order."""
    profiles: tuple[ShapeProfile, ...] = ()
    """Shape profiles, smallest first: the first that holds a request serves it; at least one for a dynamic axis."""
    precisions: tuple[str, ...] = ("fp32",)
    """Precisions in which the network may be built: fp32, fp16, int8."""
    batch_axis: str | None = None
    """Dynamic axis along which requests may be joined; None when they may not."""
    gate: Gate | None = None
    """Task metric and threshold on the model's cases."""
    opset: int = 18
    """Highest opset that the file may use."""
    backends: tuple[str, ...] = ()
    """The only backends that may serve it, of those that the settings name; none: all of them."""

    def served_by(self, backend: str) -> bool:
        """True when `backend` may serve it."""
        return not self.backends or backend in self.backends

    def check(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Raise InvalidInput unless `inputs` are exactly the named tensors in dtype, rank and consistent sizes."""
        expected = {tensor.name for tensor in self.inputs}
        if expected != set(inputs):
            raise InvalidInput(f"{self.name}: expected inputs {sorted(expected)}, got {sorted(inputs)}")
        axes: dict[str, int] = {}
        for tensor in self.inputs:
            tensor.check(inputs[tensor.name], axes)

    def sizes(self, inputs: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, int]:
        """Size of every named axis of the inputs, which have been checked."""
        return {
            dim: size
            for tensor in self.inputs
            for dim, size in zip(tensor.shape, inputs[tensor.name].shape, strict=True)
            if isinstance(dim, str)
        }

    def profile_of(self, sizes: Mapping[str, int]) -> int | None:
        """Number of the first profile that holds `sizes`; None when none does."""
        return next((number for number, profile in enumerate(self.profiles) if profile.holds(sizes)), None)

    @property
    def profiles_digest(self) -> str:
        """16 hexadecimal digits that change with the inputs or any profile: part of an engine's key."""
        inputs = [[tensor.name, tensor.dtype, list(tensor.shape)] for tensor in self.inputs]
        profiles = [[dict(p.minimum), dict(p.optimum), dict(p.maximum)] for p in self.profiles]
        text = json.dumps([inputs, profiles], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def zeros(self, sizes: Mapping[str, int] | None = None) -> dict[str, npt.NDArray[np.generic]]:
        """Inputs of zeros at `sizes`, by default the first profile's optimum: what a warm-up runs on."""
        chosen = dict(sizes) if sizes is not None else dict(self.profiles[0].optimum) if self.profiles else {}
        return {tensor.name: np.zeros(_sizes(tensor.shape, chosen), DTYPES[tensor.dtype]) for tensor in self.inputs}


def _sizes(shape: Sequence[Dim], sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(dim if isinstance(dim, int) else sizes[dim] for dim in shape)
