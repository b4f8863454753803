"""Int8 with scales in the file: one for each value that is read, one for each output channel of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.inference.scale import layers, scaled

Floats = npt.NDArray[np.float32]


def network(nodes: list[Any], stored: dict[str, Any], opset: int = 18) -> Any:
    """From `x`, shape (1, 4, 4, 4), to `y`."""
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, None, None]) for name in "xy")
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "small", [given], [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def drawn(*shape: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def run(model: Any, x: Floats) -> Floats:
    options = onnxruntime.SessionOptions()
    # Else products are joined into integer ones, which cut off sums where the CPU has no VNNI.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: Floats = session.run(None, {"x": x})[0]
    return found


def held(model: Any) -> dict[str, npt.NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_layers_are_what_has_weights_of_its_own() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["conv"]),
        helper.make_node("MatMul", ["conv", "conv"], ["of two values"]),
        helper.make_node("MatMul", ["of two values", "matrix"], ["product"]),
        helper.make_node("MatMul", ["product", "stack"], ["stacked"]),
        helper.make_node("Mul", ["stacked", "vector"], ["y"]),
    ]
    stored = {"kernel": drawn(4, 4, 1, 1), "matrix": drawn(4, 4), "stack": drawn(1, 4, 4, 4), "vector": drawn(4)}
    assert [node.output[0] for node in layers(network(nodes, stored))] == ["conv", "product"]


@pytest.mark.parametrize(
    ("kind", "shape", "axis", "named"),
    [
        ("Conv", (5, 4, 3, 3), 0, {}),
        ("Conv", (4, 1, 3, 3), 0, {"group": 4}),
        ("ConvTranspose", (4, 5, 2, 2), 1, {"strides": [2, 2]}),
        ("MatMul", (4, 6), 1, {}),
    ],
)
def test_each_output_channel_has_a_scale(kind: str, shape: tuple[int, ...], axis: int, named: dict[str, Any]) -> None:
    """Channels differ by four orders: under one scale the small ones would be nothing."""
    weights = drawn(*shape) * np.float32(10) ** -np.arange(shape[axis]).reshape(
        [-1 if at == axis else 1 for at in range(len(shape))]
    )
    nodes = [helper.make_node(kind, ["x", "w"], ["z"], **named), helper.make_node("Identity", ["z"], ["y"])]
    model = network(nodes, {"w": weights.astype(np.float32)})
    x = drawn(1, 4, 4, 4, seed=2)
    wanted = run(model, x)
    made = scaled(model, {"x": float(np.abs(x).max())}, {"z"})
    onnx.checker.check_model(made, full_check=True)
    stored = held(made)
    assert "w" not in stored
    others = tuple(at for at in range(len(shape)) if at != axis)
    np.testing.assert_allclose(stored[f"w_{axis}_scale"], np.abs(weights).max(others) / 127, rtol=1e-6)
    assert stored[f"w_{axis}_int8"].dtype == np.int8
    assert (np.abs(stored[f"w_{axis}_int8"].astype(int)).max(others) == 127).all()
    got = run(made, x)
    channel = -1 if kind == "MatMul" else 1
    others = tuple(at for at in range(4) if at != channel % 4)
    assert (np.abs(got - wanted).max(others) < 0.05 * np.abs(wanted).max(others)).all()


def test_a_transposed_matrix_has_its_channels_in_rows() -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["rows"]),
        helper.make_node("Gemm", ["rows", "w"], ["z"], transB=1),
        helper.make_node("Unsqueeze", ["z", "axes"], ["y"]),
    ]
    model = network(nodes, {"w": drawn(3, 16), "flat": np.int64([4, 16]), "axes": np.int64([0, 1])})
    made = scaled(model, {"rows": 3.0}, {"z"})
    assert held(made)["w_0_scale"].shape == (3,)
    assert held(made)["rows_scale"] == pytest.approx(3 / 127)


def test_a_value_that_two_layers_read_is_quantised_once_and_what_is_not_chosen_reads_it_as_it_was() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "a"], ["one"]),
        helper.make_node("Conv", ["x", "b"], ["two"]),
        helper.make_node("Conv", ["x", "a"], ["three"]),
        helper.make_node("Sum", ["one", "two", "three"], ["y"]),
    ]
    model = network(nodes, {"a": drawn(4, 4, 1, 1), "b": drawn(4, 4, 1, 1, seed=3)}, opset=13)
    made = scaled(model, {"x": 4.0}, {"one", "two"})
    assert [node.op_type for node in made.graph.node].count("QuantizeLinear") == 1
    read = {node.output[0]: list(node.input) for node in made.graph.node}
    assert (read["one"], read["two"], read["three"]) == (["x_wide", "a_0_wide"], ["x_wide", "b_0_wide"], ["x", "a"])
    assert "a" in held(made)


def test_what_is_nothing_stays_nothing() -> None:
    weights = drawn(3, 4, 1, 1)
    weights[1] = 0
    nodes = [helper.make_node("Conv", ["x", "w"], ["z"]), helper.make_node("Identity", ["z"], ["y"])]
    made = scaled(network(nodes, {"w": weights}), {"x": 0.0}, {"z"})
    assert not run(made, np.zeros((1, 4, 4, 4), np.float32)).any()
    assert np.isfinite(held(made)["w_0_scale"]).all()


def test_an_old_graph_is_brought_to_the_opset_of_scales_for_channels() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["z"]),
        helper.make_node("Squeeze", ["z"], ["s"], axes=[0]),
        helper.make_node("Unsqueeze", ["s"], ["y"], axes=[0]),
    ]
    model = network(nodes, {"w": drawn(4, 4, 1, 1)}, opset=11)
    x = drawn(1, 4, 4, 4, seed=5)
    wanted = run(model, x)
    made = scaled(model, {"x": float(np.abs(x).max())}, {"z"})
    assert [one.version for one in made.opset_import] == [13]
    onnx.checker.check_model(made, full_check=True)
    np.testing.assert_allclose(run(made, x), wanted, atol=0.05 * float(np.abs(wanted).max()))
