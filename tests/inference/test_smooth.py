"""Smoothing changes no product, and makes what is quantised fit a scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import BackendFailed
from appliance.inference.smooth import narrowing, smoothed

Floats = npt.NDArray[np.float32]


def network(rng: np.random.Generator) -> onnx.ModelProto:
    """Widens 8 numbers to 32 and narrows them again; the fourth of the 32 is a thousand times as large."""
    wide = rng.normal(size=(8, 32)).astype(np.float32)
    wide[:, 3] *= 1000
    weights = {"up": wide, "down": rng.normal(size=(32, 8)).astype(np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "up"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "down"], ["y"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "sequence", 8])
    wanted = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "sequence", 8])
    initial = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "g", [given], [wanted], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, x: Floats, *names: str) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(names) or None, {"x": x})


@pytest.fixture
def feeds() -> list[dict[str, Floats]]:
    rng = np.random.default_rng(2)
    return [{"x": rng.normal(size=(1, length, 8)).astype(np.float32)} for length in (1, 4, 9)]


@pytest.mark.parametrize(("every", "products"), [(False, 1), (True, 2)])
def test_the_network_computes_what_it_did(feeds: list[dict[str, Floats]], every: bool, products: int) -> None:
    model = network(np.random.default_rng(1))
    before = [run(model, feed["x"])[0] for feed in feeds]
    found = smoothed(model, iter(feeds), every=every)
    assert sum(node.op_type == "Mul" for node in found.graph.node) == products
    assert [output.name for output in found.graph.output] == ["y"]
    onnx.checker.check_model(found)
    for feed, wanted in zip(feeds, before, strict=True):
        np.testing.assert_allclose(run(found, feed["x"])[0], wanted, rtol=1e-3, atol=1e-2)


def test_what_was_far_larger_than_the_rest_is_no_more(feeds: list[dict[str, Floats]]) -> None:
    def spread(model: onnx.ModelProto, name: str) -> float:
        probe = onnx.ModelProto()
        probe.CopyFrom(model)
        probe.graph.output.append(helper.make_empty_tensor_value_info(name))
        columns = np.max([np.abs(run(probe, feed["x"], name)[0])[0].max(0) for feed in feeds], axis=0)
        return float(columns.max() / np.median(columns))

    model = network(np.random.default_rng(1))
    before = spread(model, "r")
    assert before > 300
    assert spread(smoothed(model, feeds), "smooth_0_out") < before / 50


def test_a_column_that_is_silent_on_the_cases_does_not_drown_the_others_when_it_speaks() -> None:
    model = network(np.random.default_rng(1))
    up = numpy_helper.to_array(model.graph.initializer[0]).copy()
    up[:, 3], up[0] = 0, 0
    up[0, 3] = 1  # the fourth of the 32 hears the first of the 8 alone, which the cases never say
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(up, "up"))
    rng = np.random.default_rng(4)
    quiet = rng.normal(size=(1, 9, 8)).astype(np.float32)
    quiet[..., 0] = 0
    loud = quiet.copy()
    loud[..., 0] = 1
    found = smoothed(model, [{"x": quiet}])
    found.graph.output.append(helper.make_empty_tensor_value_info("smooth_0_out"))
    columns = run(found, loud, "smooth_0_out")[0][0].max(0)
    assert columns[3] < 100 * np.median(columns)


def test_without_cases_or_products_nothing_changes(feeds: list[dict[str, Floats]]) -> None:
    model = network(np.random.default_rng(1))
    whole = model.SerializeToString()
    assert smoothed(model, ()).SerializeToString() == whole
    del model.graph.node[2]
    model.graph.output[0].name = "r"
    whole = model.SerializeToString()
    assert smoothed(model, feeds).SerializeToString() == whole


def test_a_network_that_does_not_run_on_its_cases_is_named() -> None:
    with pytest.raises(BackendFailed, match=r"^smooth: expected a network that runs on its cases, got "):
        smoothed(network(np.random.default_rng(1)), [{"z": np.zeros(3, np.float32)}])


@pytest.mark.parametrize(("shape", "said"), [((32, 8), True), ((16, 8), False), ((8, 32), False), ((32,), False)])
def test_what_narrows(shape: tuple[int, ...], said: bool) -> None:
    assert narrowing(shape) is said
