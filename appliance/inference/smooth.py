"""Moves what is hard to quantise from activations into weights (SmoothQuant, Xiao et al. 2023), for int8 files.

A few of the numbers that a feed-forward part has widened are far larger than the rest, and one scale for all of them
loses the others. Each is divided by a factor of its own and its row of weights multiplied by the same: the product
stays what it was, and both sides fit a scale. Costs one multiplication of a vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed
from appliance.inference.onnxruntime import library

STRENGTH, ALL = 0.75, 0.5
"""How much of the range goes into the weights, 0 to 1, of narrowing products alone and of all: by what the files of
understand-zh score on dev; a half is the paper's."""
_LEAST = 1e-5
_SILENT = 0.01
"""Share of the median column that every column is taken to have at least."""


def narrowing(shape: tuple[int, ...]) -> bool:
    """True for weights with over twice as many rows as columns: what narrows a feed-forward part."""
    return len(shape) == 2 and shape[0] > 2 * shape[1]


def smoothed(model: Any, feeds: Iterable[Mapping[str, npt.NDArray[Any]]], *, every: bool = False) -> Any:
    """`model` (a float32 onnx.ModelProto, changed in place), inputs of its narrowing or `every` product smooth.

    `feeds` are inputs as the network is given them; without any the model stays as it is. Raises BackendFailed when the
    network does not run on them.
    """
    import onnx
    from onnx import helper, numpy_helper

    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    products = [
        node
        for node in model.graph.node
        if node.op_type == "MatMul"
        and len(shape := tuple(weights[node.input[1]].dims) if node.input[1] in weights else ()) == 2
        and (every or narrowing(shape))
    ]
    strength = ALL if every else STRENGTH
    feeds = list(feeds)
    if not products or not feeds:
        return model
    largest = _largest(onnx, model, list(dict.fromkeys(node.input[0] for node in products)), feeds)
    for number, node in enumerate(products):
        matrix = numpy_helper.to_array(weights[node.input[1]]).astype(np.float32)
        rows = np.maximum(np.abs(matrix).max(1), _LEAST)
        seen = largest[node.input[0]]
        # A column that is silent on the cases may speak on other inputs: then it must not drown the rest.
        seen = np.maximum(seen, max(float(np.median(seen)) * _SILENT, _LEAST))
        factor = (seen**strength / rows ** (1 - strength)).astype(np.float32)
        weights[node.input[1]].CopyFrom(numpy_helper.from_array(matrix * factor[:, None], node.input[1]))
        name = f"smooth_{number}"
        model.graph.initializer.append(numpy_helper.from_array(1 / factor, name))
        divided = helper.make_node("Mul", [node.input[0], name], [f"{name}_out"], name=f"{name}_mul")
        model.graph.node.insert(list(model.graph.node).index(node), divided)
        node.input[0] = f"{name}_out"
    return model


def _largest(
    onnx: Any, model: Any, names: list[str], feeds: list[Mapping[str, npt.NDArray[Any]]]
) -> dict[str, npt.NDArray[np.float32]]:
    """The largest absolute value of every column of the named activations over all feeds."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    given = {output.name for output in probe.graph.output}
    probe.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in given)
    runtime = library()
    try:
        session = runtime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
        found = {name: np.zeros(1, np.float32) for name in names}
        for feed in feeds:
            for name, values in zip(names, session.run(names, dict(feed)), strict=True):
                column = np.abs(values).reshape(-1, values.shape[-1]).max(0)
                found[name] = np.maximum(found[name], column)
    except Exception as error:  # ONNX Runtime's errors share no type
        raise BackendFailed(
            f"smooth: expected a network that runs on its cases, got {type(error).__name__}: {error}"
        ) from error
    return found
