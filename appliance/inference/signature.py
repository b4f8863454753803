"""What a model file says of its inputs and outputs, compared with the spec, and outputs compared at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from appliance.errors import ModelMismatch
from appliance.specs import DTYPES, ModelSpec, TensorSpec

Arrays = Mapping[str, npt.NDArray[Any]]
"""Tensors by name."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs that a model file has; a dimension that it leaves open is a string."""

    inputs: tuple[TensorSpec, ...]
    """Inputs in graph order."""
    outputs: tuple[TensorSpec, ...]
    """Outputs in graph order."""


def compare(spec: ModelSpec, signature: Signature) -> None:
    """Raise ModelMismatch unless the file has the spec's tensors: names, dtypes, ranks and fixed sizes.

    A size that the spec fixes may be open in the file; a size that the spec leaves open must be open in the file.
    """
    for kind, wanted, found in (
        ("inputs", spec.inputs, signature.inputs),
        ("outputs", spec.outputs, signature.outputs),
    ):
        by_name = {tensor.name: tensor for tensor in found}
        fits = set(by_name) == {tensor.name for tensor in wanted} and all(_fits(t, by_name[t.name]) for t in wanted)
        if not fits:
            raise ModelMismatch(f"{spec.name}: expected {kind} {_written(wanted)}, the file has {_written(found)}")


def _fits(wanted: TensorSpec, found: TensorSpec) -> bool:
    if wanted.dtype != found.dtype:
        return False
    if not found.shape:  # ONNX lets a file leave even the rank open
        return True
    return len(wanted.shape) == len(found.shape) and all(
        isinstance(theirs, str) or ours == theirs for ours, theirs in zip(wanted.shape, found.shape, strict=True)
    )


def _written(tensors: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{t.name} {t.dtype}[{', '.join(map(str, t.shape))}]" for t in tensors) or "none"


def check_outputs(spec: ModelSpec, inputs: Arrays, outputs: Arrays) -> None:
    """Raise ModelMismatch unless `outputs` are the spec's, each named axis as long as it is in the inputs."""
    if set(outputs) != {tensor.name for tensor in spec.outputs}:
        raise ModelMismatch(f"{spec.name}: expected outputs {_written(spec.outputs)}, got {', '.join(sorted(outputs))}")
    axes: dict[str, int] = {}
    for tensor in spec.inputs:
        _sizes(tensor, inputs[tensor.name].shape, axes)
    for tensor in spec.outputs:
        array = outputs[tensor.name]
        if array.dtype != DTYPES[tensor.dtype] or _sizes(tensor, array.shape, axes) != array.shape:
            raise ModelMismatch(
                f"{spec.name}: expected output {_written([tensor])} with {axes}, got {array.dtype}{list(array.shape)}"
            )


def _sizes(tensor: TensorSpec, shape: Sequence[int], axes: dict[str, int]) -> tuple[int, ...]:
    """Sizes that `tensor` ought to have; a named axis not yet in `axes` enters it with its size in `shape`."""
    got = [*shape, *[0] * (len(tensor.shape) - len(shape))]
    return tuple(
        axes.setdefault(dim, n) if isinstance(dim, str) else dim for dim, n in zip(tensor.shape, got, strict=False)
    )
