"""Joining runs of one network along its batch axis and splitting the outputs again. Pure functions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec


@dataclass(frozen=True, slots=True)
class Batching:
    """How runs of one network may be joined."""

    inputs: tuple[tuple[str, int], ...]
    """Name of each input and the position of its batch axis."""
    outputs: tuple[tuple[str, int], ...]
    """Name of each output and the position of its batch axis."""
    axis: str
    """The batch axis."""
    profiles: tuple[ShapeProfile, ...]
    """Each bounds the rows of a run whose other sizes it holds."""


def batching(spec: ModelSpec) -> Batching | None:
    """How runs of `spec` may be joined; None without a batch axis, in every tensor, that a profile bounds."""
    axis = spec.batch_axis
    profiles = tuple(profile for profile in spec.profiles if axis in profile.maximum)
    inputs, outputs = _positions(spec.inputs, axis), _positions(spec.outputs, axis)
    if axis is None or not profiles or inputs is None or outputs is None:
        return None
    return Batching(inputs, outputs, axis, profiles)


def fits(how: Batching, sizes: Mapping[str, int], count: int) -> bool:
    """True when some profile holds `count` rows of a run whose named axes have `sizes`: an engine refuses others."""
    return any(profile.holds({**sizes, how.axis: count}) for profile in how.profiles)


def rows(how: Batching, inputs: Arrays) -> int:
    """Rows of `inputs` along the batch axis."""
    name, position = how.inputs[0]
    return int(inputs[name].shape[position])


def key(how: Batching, inputs: Arrays) -> Hashable:
    """Equal for inputs that may be joined: same shapes except along the batch axis."""
    return tuple(
        (name, *(size for axis, size in enumerate(inputs[name].shape) if axis != position))
        for name, position in how.inputs
    )


def join(how: Batching, parts: Sequence[Arrays]) -> dict[str, npt.NDArray[Any]]:
    """Concatenate the inputs of several runs."""
    return {name: np.concatenate([part[name] for part in parts], axis=position) for name, position in how.inputs}


def split(how: Batching, outputs: Arrays, sizes: Sequence[int]) -> list[dict[str, npt.NDArray[Any]]]:
    """Cut joined outputs into those of each run, `sizes` rows each; views, nothing is copied."""
    cuts = np.cumsum(sizes)[:-1]
    parts = {name: np.split(outputs[name], cuts, axis=position) for name, position in how.outputs}
    return [{name: pieces[index] for name, pieces in parts.items()} for index in range(len(sizes))]


def _positions(tensors: Sequence[TensorSpec], axis: str | None) -> tuple[tuple[str, int], ...] | None:
    if any(tensor.shape.count(axis) != 1 for tensor in tensors if axis is not None):
        return None
    return tuple((tensor.name, tensor.shape.index(axis)) for tensor in tensors) if axis is not None else None
