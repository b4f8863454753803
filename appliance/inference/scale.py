"""Int8 with explicit scales: QuantizeLinear and DequantizeLinear before what products and convolutions read.

Symmetric, zero points of 0: one scale for each input, from the largest value that it has on real inputs, and one for
each output channel of the weights, which are stored in int8. Outputs, biases and everything between stay in float: a
product whose output is quantised too loses more, and TensorRT fuses the pairs of the next layer's input into it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

LEVELS = 127
"""Steps to either side of 0."""
OPSET = 13
"""The first in which a scale may be one for each channel."""

_CHANNELS = {"Conv": 0, "ConvTranspose": 1, "MatMul": 1, "Gemm": 1}
"""Operators that are quantised, and the axis of their weights that counts output channels."""


def layers(model: Any) -> list[Any]:
    """Nodes that can be quantised, in the graph's order: their second input is a matrix or a kernel of weights."""
    weights = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in _CHANNELS
        and (rank := weights.get(node.input[1], 0)) >= 2
        and (rank == 2 or node.op_type.startswith("Conv"))
    ]


def scaled(model: Any, largest: Mapping[str, float], chosen: Collection[str]) -> Any:
    """`model` (an onnx.ModelProto from `wide.widened`, changed in place) with some of its `layers` in int8.

    `chosen` are the first outputs of these; `largest` gives the largest absolute value of what each of them reads.
    """
    from onnx import version_converter

    if max(one.version for one in model.opset_import if one.domain in ("", "ai.onnx")) < OPSET:
        model.CopyFrom(version_converter.convert_version(model, OPSET))
    graph = model.graph
    pairs = _Pairs(graph, largest)
    wanted = {node.output[0] for node in layers(model)} & set(chosen)
    written = []
    for node in graph.node:
        if node.output[0] in wanted:
            node.input[0], node.input[1] = pairs.activation(node.input[0]), pairs.weights(node.input[1], _axis(node))
        written += [*pairs.made(), node]
    del graph.node[:]
    graph.node.extend(written)
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for tensor in list(graph.initializer):
        if tensor.name not in read:
            graph.initializer.remove(tensor)
    return model


class _Pairs:
    """Makes the nodes of scales, once for each value that is quantised; gives the names of what comes out of them."""

    def __init__(self, graph: Any, largest: Mapping[str, float]) -> None:
        self._graph, self._largest = graph, largest
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._known: set[str] = set()
        self._new: list[Any] = []

    def made(self) -> list[Any]:
        """Nodes that were made since the last time."""
        new, self._new = self._new, []
        return new

    def activation(self, name: str) -> str:
        """A value in steps of its own."""
        if f"{name}_wide" not in self._known:
            scale = self._stored(f"{name}_scale", _steps(np.array(self._largest[name], np.float32)))
            zero = self._stored(f"{name}_zero", np.array(0, np.int8))
            self._node("QuantizeLinear", [name, scale, zero], f"{name}_int8")
            self._node("DequantizeLinear", [f"{name}_int8", scale, zero], f"{name}_wide")
        return f"{name}_wide"

    def weights(self, name: str, axis: int) -> str:
        """Weights in int8, in steps of their own for each index of `axis`."""
        from onnx import numpy_helper

        wide = f"{name}_{axis}_wide"
        if wide not in self._known:
            array = numpy_helper.to_array(self._tensors[name])
            scale = _steps(np.abs(array).max(tuple(at for at in range(array.ndim) if at != axis)))
            steps = array / scale.reshape([-1 if at == axis else 1 for at in range(array.ndim)])
            whole = np.clip(np.rint(steps), -LEVELS, LEVELS).astype(np.int8)
            inputs = [
                self._stored(f"{name}_{axis}_int8", whole),
                self._stored(f"{name}_{axis}_scale", scale),
                self._stored(f"{name}_{axis}_zero", np.zeros(len(scale), np.int8)),
            ]
            self._node("DequantizeLinear", inputs, wide, axis=axis)
        return wide

    def _stored(self, name: str, array: npt.NDArray[Any]) -> str:
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **named: Any) -> None:
        from onnx import helper

        self._new.append(helper.make_node(kind, inputs, [output], name=output, **named))
        self._known.add(output)


def _axis(node: Any) -> int:
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if transposed else _CHANNELS[node.op_type]


def _steps(largest: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Size of one step; what is 0 throughout stays so with any."""
    return np.where(largest > 0, largest / LEVELS, 1.0).astype(np.float32)
