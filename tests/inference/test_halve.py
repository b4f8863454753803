"""Networks in float16: halves between float32 ends, told by the file alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from appliance.errors import BackendFailed
from appliance.inference.halve import INFINITE, LIMIT, bounded, halved, narrow

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
Stored = dict[str, npt.NDArray[Any]]


def network(nodes: Sequence[Any], stored: Stored, outputs: Sequence[str] = ("y",), *, ranks: int = 4) -> Any:
    """From `x`, shape (1, 2, 4, 4), to outputs of `ranks` axes."""
    given = helper.make_tensor_value_info("x", FLOAT, [1, 2, 4, 4])
    made = [helper.make_tensor_value_info(name, FLOAT, [None] * ranks) for name in outputs]
    weights = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(list(nodes), "small", [given], made, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def types_of(model: Any) -> dict[str, int]:
    """Type of every value, as ONNX infers it, which raises where two types meet that may not."""
    onnx.checker.check_model(model, full_check=True)
    inferred = shape_inference.infer_shapes(model, strict_mode=True, check_type=True).graph
    values = [*inferred.input, *inferred.output, *inferred.value_info]
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in inferred.initializer}


def run(model: Any, x: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[npt.NDArray[Any]] = session.run(None, {"x": x})
    return found


def copy(model: Any) -> Any:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made


@pytest.fixture
def convolution() -> Any:
    """Convolves, normalises, enlarges, reads the size on the way; its second output is read inside, too."""
    random = np.random.default_rng(1)
    stored = {
        "kernel": random.normal(size=(3, 2, 3, 3)).astype(np.float32),
        "bias": random.normal(size=(3, 1, 1)).astype(np.float32),
        "scale": np.ones(4, np.float32),
        "times": np.array([1, 1, 2, 2], np.float32),
        "low": np.array(0, np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c", "bias"], ["b"]),
        helper.make_node("Clip", ["b", "low"], ["z"]),
        helper.make_node("LayerNormalization", ["z", "scale"], ["n", "mean"]),
        helper.make_node("Resize", ["n", "", "times"], ["large"], mode="nearest"),
        helper.make_node("Shape", ["large"], ["size"]),
        helper.make_node("Expand", ["low", "size"], ["nothing"]),
        helper.make_node("Add", ["large", "nothing"], ["y"]),
    ]
    return network(nodes, stored, ("y", "z", "mean"))


def test_everything_between_float_ends_is_a_half(convolution: Any) -> None:
    x = np.random.default_rng(2).normal(size=(1, 2, 4, 4)).astype(np.float32)
    wanted = run(convolution, x)
    model = halved(copy(convolution))
    types = types_of(model)
    # ONNX gives the mean in float32 whatever it is of, and the scales of Resize have to be.
    floats = {name for name, kind in types.items() if kind == FLOAT}
    assert floats == {"x", "y", "z", "mean", "times"}
    assert {name for name, kind in types.items() if kind == HALF} == {
        *("x_half", "kernel_half", "c", "bias_half", "b", "low_half", "z_half", "scale_half", "n", "large"),
        *("nothing", "y_half"),
    }
    assert types["size"] == TensorProto.INT64
    for got, right in zip(run(model, x), wanted, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, right, rtol=0.01, atol=0.01)


def test_what_will_be_halves_is_told_before(convolution: Any) -> None:
    before = convolution.SerializeToString()
    assert narrow(convolution) == {"x", "kernel", "c", "bias", "b", "low", "z", "scale", "n", "large", "nothing", "y"}
    assert convolution.SerializeToString() == before


def test_each_value_is_cast_once_however_many_read_it() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["x"], ["b"]),
        helper.make_node("Mul", ["a", "b"], ["c"]),
        helper.make_node("Add", ["c", "x"], ["y"]),
    ]
    model = halved(network(nodes, {}))
    casts = [(list(node.input), list(node.output)) for node in model.graph.node if node.op_type == "Cast"]
    assert casts == [(["x"], ["x_half"]), (["y_half"], ["y"])]


def test_what_makes_floats_of_its_own_is_cast_where_halves_are_read() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("Cast", ["size"], ["sizes"], to=FLOAT),
        helper.make_node("ReduceSum", ["sizes"], ["total"], keepdims=0),
        helper.make_node("Add", ["x", "zeros"], ["sum"]),
        helper.make_node("Mul", ["sum", "total"], ["y"]),
    ]
    model = halved(network(nodes, {}))
    types = types_of(model)
    assert (types["zeros"], types["zeros_half"], types["sizes"], types["total"]) == (FLOAT, HALF, HALF, HALF)
    x = np.ones((1, 2, 4, 4), np.float32)
    np.testing.assert_array_equal(run(model, x)[0], 11 * x)


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    nodes = [helper.make_node("Mul", ["x", "x_half"], ["y_half"]), helper.make_node("Neg", ["y_half"], ["y"])]
    model = halved(network(nodes, {"x_half": np.array(2, np.float32)}))
    types_of(model)
    x = np.ones((1, 2, 4, 4), np.float32)
    np.testing.assert_array_equal(run(model, x)[0], -2 * x)


def test_infinity_as_masks_write_it_becomes_what_a_half_can_hold() -> None:
    least = float(np.finfo(np.float32).min)
    stored = {
        "hidden": np.array(least, np.float32),
        "open": np.array([np.inf], np.float32),
        "usual": np.array(-3, np.float32),
        "many": np.array([least, 1], np.float32),
    }
    nodes = [helper.make_node("Sum", ["x", "hidden", "open", "usual"], ["s"])]
    nodes += [helper.make_node("ReduceMax", ["many"], ["m"]), helper.make_node("Add", ["s", "m"], ["y"])]
    model = bounded(network(nodes, stored))
    held = {tensor.name: numpy_helper.to_array(tensor).flatten().tolist() for tensor in model.graph.initializer}
    assert held == {"hidden": [-INFINITE], "open": [INFINITE], "usual": [-3.0], "many": [least, 1.0]}
    assert INFINITE < LIMIT
    assert np.exp(np.float64(-INFINITE)) == 0


def test_a_network_with_memory_is_refused_in_place_of_a_dead_process() -> None:
    """ONNX Runtime 1.32 on the CPU ends the process when it loads a two-way LSTM between Casts."""
    random = np.random.default_rng(3)
    stored = {"w": random.normal(size=(1, 8, 4)), "r": random.normal(size=(1, 8, 2))}
    stored = {name: array.astype(np.float32) for name, array in stored.items()} | {"at": np.array([0], np.int64)}
    nodes = [
        helper.make_node("Squeeze", ["x", "at"], ["steps"]),
        helper.make_node("LSTM", ["steps", "w", "r"], ["y"], hidden_size=2),
    ]
    model = network(nodes, stored)
    with pytest.raises(BackendFailed, match="small: expected no LSTM, GRU, RNN, got LSTM"):
        halved(model)


def test_a_weight_that_is_no_half_is_named() -> None:
    model = network([helper.make_node("Mul", ["x", "w"], ["y"])], {"w": np.array([1, 70_000], np.float32).repeat(2)})
    with pytest.raises(BackendFailed, match="w: expected weights that float16 can hold, got 70000"):
        halved(model)
