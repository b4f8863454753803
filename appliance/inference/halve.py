"""A network in float16 with explicit Casts: float32 at its inputs and outputs, halves between, all of them.

What is float16 stands in the file and nowhere else: TensorRT builds it strongly typed, and whoever reads the file knows
which values have to fit in halves. No weight is cut to fit (`inference.ranges` refuses what does not), but for
one-element constants beyond the range: they stand for infinity in masks and bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from appliance.errors import BackendFailed
from appliance.inference.wide import kinds_of

LIMIT = 65504 / 4
"""Largest absolute value that a half is trusted with: the largest half, with a margin for inputs that no case shows."""
INFINITE = 10_000.0
"""What a one-element constant beyond `LIMIT` becomes: exp(-10000) is 0 in every precision, and sums with it fit."""

RECURRENT = ("LSTM", "GRU", "RNN")
"""Operators of networks that are refused: ONNX Runtime 1.32 on the CPU dies of a two-way LSTM in such a file, whatever
type the LSTM itself is in (no error, a segmentation fault), and what cannot be scored is not published."""

_MAKERS = ("ConstantOfShape", "Range", "EyeLike", "RandomNormal", "RandomUniform", "DequantizeLinear")
"""Operators whose output has a type of its own and not that of an input."""
_FLOAT_INPUTS = {"Resize": (1, 2), "Upsample": (1,)}
"""Inputs that ONNX wants in float32 whatever the first one is: regions and scales."""
_FLOAT_OUTPUTS = {"LayerNormalization": (1, 2)}
"""Outputs that ONNX gives in float32 whatever the first input is: mean and deviation."""


def halved(model: Any) -> Any:
    """`model` (an onnx.ModelProto from `wide.widened`, changed in place) in float16 between its inputs and outputs.

    No layer is spared: `python -m export.half` runs the shipped networks in real halves, and none loses by it. Raises
    BackendFailed for a network with branches, loops or `RECURRENT` operators, a value whose type cannot be told, or a
    weight that is no half.
    """
    _Writer(bounded(model)).write()
    return model


def narrow(model: Any) -> frozenset[str]:
    """Names of the float32 values, weights among them, that `halved` makes halves of. Raises as it does."""
    kinds = _kinds(model)
    found: set[str] = set()
    for node in model.graph.node:
        found.update(name for at, name in enumerate(node.input) if _reads_half(node, at) and _is_float(name, kinds))
        found.update(name for at, name in enumerate(node.output) if _makes_half(node, at) and _is_float(name, kinds))
    return frozenset(found)


def bounded(model: Any) -> Any:
    """`model`, changed in place: one-element float32 constants beyond `LIMIT` are `INFINITE` with their sign."""
    from onnx import TensorProto, numpy_helper

    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims, dtype=int) == 1:
            value = numpy_helper.to_array(tensor)
            if abs(value.item()) > LIMIT:
                tensor.CopyFrom(numpy_helper.from_array(np.sign(value) * np.float32(INFINITE), tensor.name))
    return model


def _kinds(model: Any) -> Mapping[str, int]:
    found = {node.op_type for node in model.graph.node if node.op_type in RECURRENT}
    if found:
        raise BackendFailed(f"{model.graph.name}: expected no {', '.join(RECURRENT)}, got {', '.join(found)}")
    return kinds_of(model)


def _is_float(name: str, kinds: Mapping[str, int]) -> bool:
    from onnx import TensorProto

    return kinds.get(name) == TensorProto.FLOAT


def _is_spared(node: Any) -> bool:
    return node.domain not in ("", "ai.onnx") or node.op_type in _MAKERS


def _reads_half(node: Any, at: int) -> bool:
    return not _is_spared(node) and at not in _FLOAT_INPUTS.get(node.op_type, ())


def _makes_half(node: Any, at: int) -> bool:
    return not _is_spared(node) and at not in _FLOAT_OUTPUTS.get(node.op_type, ())


class _Writer:
    """Rewrites a graph node by node. A value has a name as a half, one as a float, or both."""

    def __init__(self, model: Any) -> None:
        import onnx

        self._onnx: Any = onnx
        self._graph, self._kinds = model.graph, _kinds(model)
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._taken = set(self._kinds)
        self._half: dict[str, str] = {}
        self._float: dict[str, str] = {name: name for name in self._weights}
        self._float |= {value.name: value.name for value in model.graph.input}
        self._written: list[Any] = []

    def write(self) -> None:
        """Replace the graph's nodes and weights."""
        graph = self._graph
        for node in list(graph.node):
            self._node(node)
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self._written)
        read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
        for tensor in list(graph.initializer):
            if tensor.name not in read:
                graph.initializer.remove(tensor)

    def _node(self, node: Any) -> None:
        types = self._onnx.TensorProto
        made, casts = type(node)(), []
        made.CopyFrom(node)
        for at, name in enumerate(node.input):
            if _is_float(name, self._kinds):
                made.input[at] = self._as_half(name) if _reads_half(node, at) else self._as_float(name)
        ends = {value.name for value in self._graph.output}
        for at, name in enumerate(node.output):
            if not _is_float(name, self._kinds):
                continue
            if not _makes_half(node, at):
                self._float[name] = name
                continue
            if node.op_type == "Cast":
                next(a for a in made.attribute if a.name == "to").i = types.FLOAT16
            self._half[name] = name
            if name in ends:  # callers know the output by this name, and it stays float32
                self._float[name] = name
                self._half[name] = made.output[at] = self._free(f"{name}_half")
                casts.append(self._onnx.helper.make_node("Cast", [self._half[name]], [name], to=types.FLOAT))
        self._written += [made, *casts]

    def _as_half(self, name: str) -> str:
        if name not in self._half:
            self._half[name] = self._free(f"{name}_half")
            if name in self._weights:
                self._graph.initializer.append(self._narrowed(name))
            else:
                self._cast(self._float[name], self._half[name], self._onnx.TensorProto.FLOAT16)
        return self._half[name]

    def _narrowed(self, name: str) -> Any:
        wide = self._onnx.numpy_helper.to_array(self._weights[name])
        with np.errstate(over="ignore"):
            halves = wide.astype(np.float16)
        if not np.isfinite(halves).all():
            raise BackendFailed(f"{name}: expected weights that float16 can hold, got {np.abs(wide).max():g}")
        return self._onnx.numpy_helper.from_array(halves, self._half[name])

    def _as_float(self, name: str) -> str:
        if name not in self._float:
            self._float[name] = self._free(f"{name}_float")
            self._cast(self._half[name], self._float[name], self._onnx.TensorProto.FLOAT)
        return self._float[name]

    def _cast(self, source: str, target: str, to: int) -> None:
        self._written.append(self._onnx.helper.make_node("Cast", [source], [target], name=target, to=to))

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
