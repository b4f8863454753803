"""What recipes start from: float32 throughout, weights in one place, a type for every value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import BackendFailed
from appliance.inference.wide import kinds_of, widened

PAIR = np.array([1.5, -2.25], np.float16)


def adding(nodes: list[Any], stored: dict[str, npt.NDArray[Any]]) -> Any:
    """A network from `x` to `y`, two floats each."""
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    weights = [numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "small", [given], [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: Any, **inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: npt.NDArray[Any] = session.run(None, inputs)[0]
    return found


def cast(source: str, target: str, to: int = TensorProto.FLOAT) -> Any:
    return helper.make_node("Cast", [source], [target], to=to)


def test_only_casts_to_float32_are_taken_away_and_halves_that_others_read_stay() -> None:
    """One half is cast to a double, one is cast and read as it is; a value that was computed is cast, too."""
    nodes = [
        cast("a", "a_double", TensorProto.DOUBLE),
        cast("a_double", "a_wide"),
        cast("b", "b_wide"),
        helper.make_node("Add", ["b", "b"], ["twice"]),
        cast("twice", "twice_wide"),
        helper.make_node("Sum", ["x", "a_wide", "b_wide", "twice_wide"], ["y"]),
    ]
    model = widened(adding(nodes, {"a": PAIR, "b": 2 * PAIR}))
    onnx.checker.check_model(model, full_check=True)
    left = [list(node.output) for node in model.graph.node if node.op_type == "Cast"]
    assert left == [["a_double"], ["a_wide"], ["twice_wide"]]
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert types == {"a": TensorProto.FLOAT16, "b": TensorProto.FLOAT16, "b_wide": TensorProto.FLOAT}
    x = np.array([10, 20], np.float32)
    np.testing.assert_array_equal(run(model, x=x), x + PAIR + 2 * PAIR + 4 * PAIR)


def test_one_half_behind_two_casts_becomes_two_floats() -> None:
    nodes = [cast("a", "one"), cast("a", "two"), helper.make_node("Sum", ["x", "one", "two"], ["y"])]
    model = widened(adding(nodes, {"a": np.array([0.5, 4], np.float16)}))
    assert sorted(tensor.name for tensor in model.graph.initializer) == ["one", "two"]
    np.testing.assert_array_equal(run(model, x=np.zeros(2, np.float32)), [1, 8])


def test_float_constants_become_weights_and_others_stay_nodes() -> None:
    made = np.array([3, 4], np.float32)
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(made, "inner")),
        helper.make_node("Constant", [], ["at"], value=numpy_helper.from_array(np.array([1, 0], np.int64))),
        helper.make_node("Gather", ["x", "at"], ["swapped"]),
        helper.make_node("Add", ["swapped", "c"], ["y"]),
    ]
    model = widened(adding(nodes, {}))
    assert [node.op_type for node in model.graph.node] == ["Constant", "Gather", "Add"]
    assert [tensor.name for tensor in model.graph.initializer] == ["c"]
    np.testing.assert_array_equal(run(model, x=np.array([1, 2], np.float32)), [5, 5])


def test_every_value_has_a_type() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Greater", ["x", "a"], ["more"]),
        helper.make_node("Where", ["more", "x", "a"], ["y"]),
    ]
    kinds = kinds_of(adding(nodes, {"a": PAIR.astype(np.float32)}))
    numbers = {"x": TensorProto.FLOAT, "a": TensorProto.FLOAT, "y": TensorProto.FLOAT}
    assert kinds == numbers | {"size": TensorProto.INT64, "more": TensorProto.BOOL}


def test_branches_and_values_of_unknown_type_are_named() -> None:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])], "inner", [], [helper.make_empty_tensor_value_info("z")]
    )
    nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)]
    model = adding([helper.make_node("Identity", ["x"], ["y"])], {"yes": np.array(True)})
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    with pytest.raises(BackendFailed, match="small: expected a network without branches and loops, got If"):
        kinds_of(model)
    del model.graph.node[:]
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    model.graph.node.extend(
        [
            helper.make_node("Guess", ["x"], ["what"], domain="elsewhere"),
            helper.make_node("Identity", ["x"], ["y"]),
        ]
    )
    with pytest.raises(BackendFailed, match="small: expected values of known types, got what"):
        kinds_of(model)


def test_a_wide_network_stays_as_it_is() -> None:
    model = adding([helper.make_node("Add", ["x", "a"], ["y"])], {"a": PAIR.astype(np.float32)})
    before = model.SerializeToString()
    assert widened(model).SerializeToString() == before
