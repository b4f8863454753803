"""The form that recipes start from: a master in float32 throughout, with its weights in one place and every type known.

The package onnx is imported on use only: serving needs none of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from appliance.errors import BackendFailed


def widened(model: Any) -> Any:
    """`model` (an onnx.ModelProto), changed in place: no float constant is a node, and no float weight a half.

    A master may keep its weights in float16 behind Casts, to be half as large. Halves that something else reads, and
    Casts to other types, stay.
    """
    _lift(model)
    from onnx import TensorProto, numpy_helper

    graph = model.graph
    halves = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT16}
    casts = {
        node.output[0]: node
        for node in graph.node
        if node.op_type == "Cast"
        and node.input[0] in halves
        and any(a.name == "to" and a.i == TensorProto.FLOAT for a in node.attribute)
    }
    for name, cast in casts.items():
        values = numpy_helper.to_array(halves[cast.input[0]]).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(values, name))
        graph.node.remove(cast)
    still_read = {name for node in graph.node for name in node.input}
    for name, tensor in halves.items() if casts else ():
        if name not in still_read:
            graph.initializer.remove(tensor)
    return model


def _lift(model: Any) -> None:
    """Float constants that are nodes become weights."""
    from onnx import TensorProto

    graph = model.graph
    for node in list(graph.node):
        tensor = next((a.t for a in node.attribute if a.name == "value"), None) if node.op_type == "Constant" else None
        if tensor is not None and tensor.data_type == TensorProto.FLOAT:
            lifted = graph.initializer.add()
            lifted.CopyFrom(tensor)
            lifted.name = node.output[0]
            graph.node.remove(node)


def kinds_of(model: Any) -> Mapping[str, int]:
    """ONNX's number of the element type of every value, by name.

    Raises BackendFailed for a network with branches or loops, whose values are not all seen from outside, or with a
    value whose type cannot be told.
    """
    from onnx import AttributeProto, shape_inference

    graph = model.graph
    inner = {node.op_type for node in graph.node for a in node.attribute if a.type == AttributeProto.GRAPH}
    if inner:
        raise BackendFailed(f"{graph.name}: expected a network without branches and loops, got {', '.join(inner)}")
    described = shape_inference.infer_shapes(model).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*described.input, *described.output, *described.value_info):
        kinds.setdefault(value.name, value.type.tensor_type.elem_type)
    unknown = [name for node in graph.node for name in node.output if name and not kinds.get(name)]
    if unknown:
        raise BackendFailed(f"{graph.name}: expected values of known types, got {', '.join(unknown[:5])}")
    return kinds
