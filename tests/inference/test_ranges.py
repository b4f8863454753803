"""Values that halves cannot hold are found on real inputs, whatever ONNX Runtime's CPU says of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import BackendFailed, GateRefused
from appliance.inference.halve import LIMIT
from appliance.inference.quantise import half
from appliance.inference.ranges import check, largest, peaks

Floats = npt.NDArray[np.float32]


def saved(path: Path, nodes: list[Any], stored: dict[str, Any]) -> Path:
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "small", [given], [made], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path


def scaling(path: Path, factor: float) -> Path:
    """Times `factor` and through it again: the outputs are the inputs, what is between is not."""
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["between"]),
        helper.make_node("Div", ["between", "factor"], ["y"]),
    ]
    return saved(path, nodes, {"factor": np.float32(factor)})


def feeds(*values: float) -> list[dict[str, Floats]]:
    return [{"x": np.array([value, -value / 2], np.float32)} for value in values]


def test_the_largest_of_every_value_over_all_inputs(tmp_path: Path) -> None:
    model = onnx.load(str(scaling(tmp_path / "model.onnx", 300)))
    before = model.SerializeToString()
    assert largest(model, feeds(1, -4, 2)) == {"x": 4.0, "factor": 300.0, "between": 1200.0, "y": 4.0}
    assert peaks(model, {"between"}, feeds(0.5)) == {"between": 150.0}
    assert peaks(model, {"between"}, ()) == {}
    assert model.SerializeToString() == before


def test_values_that_fit_pass(tmp_path: Path) -> None:
    assert check(scaling(tmp_path / "model.onnx", 300), feeds(50))["between"] == 15000


def test_a_value_beyond_a_quarter_of_the_largest_half_is_refused_by_name(tmp_path: Path) -> None:
    path = scaling(tmp_path / "model.onnx", 300)
    wanted = rf"model\.onnx: expected values of at most {LIMIT:g} .* float16 can hold, got between 16500$"
    with pytest.raises(GateRefused, match=wanted):
        check(path, feeds(1, 55))
    assert check(path, feeds(1, 55), limit=65504)["between"] == 16500


def test_what_overflows_between_two_layers_is_seen_here_and_not_by_onnx_runtime(tmp_path: Path) -> None:
    path = scaling(tmp_path / "model.onnx", 300)
    half(path, tmp_path / "half.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "half.onnx"), providers=["CPUExecutionProvider"])
    x = np.array([30000, 1], np.float32)
    assert session.run(None, {"x": x})[0][0] == pytest.approx(30000, rel=0.001), "a real half would be inf"
    with pytest.raises(GateRefused, match="got between 9e\\+06, x 30000, y 30000$"):
        check(path, [{"x": x}])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_what_is_not_finite_is_refused_wherever_it_stands(tmp_path: Path, bad: float, at: int) -> None:
    """ONNX Runtime's largest value passes over a nan that is not the first."""
    path = scaling(tmp_path / "model.onnx", 2)
    x = np.ones(8, np.float32)
    x[at] = bad
    with pytest.raises(GateRefused, match=rf"got .*x {bad}"):
        check(path, [{"x": x}, *feeds(1)])


def test_the_worst_come_first_and_no_more_are_named_than_can_be_read(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["x" if at == 0 else f"v{at}", "two"], [f"v{at + 1}"]) for at in range(8)]
    nodes.append(helper.make_node("Identity", ["v8"], ["y"]))
    path = saved(tmp_path / "model.onnx", nodes, {"two": np.float32(2)})
    with pytest.raises(GateRefused, match=r"got (v8|y) 4\.096e\+06, (v8|y) 4\.096e\+06, v7 .* and 4 more$"):
        check(path, feeds(16000))


def test_weights_have_to_fit_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx", [helper.make_node("Mul", ["x", "w"], ["y"])], {"w": np.float32([70000, 1])})
    with pytest.raises(GateRefused, match="got w 70000$"):
        check(path, feeds(0))


def test_a_mask_is_no_overflow(tmp_path: Path) -> None:
    """A masked score is the lowest float there is; the file says minus ten thousand, which is as good as infinite."""
    nodes = [
        helper.make_node("Less", ["x", "nought"], ["masked"]),
        helper.make_node("Where", ["masked", "lowest", "nought"], ["mask"]),
        helper.make_node("Add", ["x", "mask"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["y"]),
    ]
    stored = {"nought": np.float32(0), "lowest": np.finfo(np.float32).min}
    path = saved(tmp_path / "model.onnx", nodes, stored)
    assert check(path, feeds(4))["scores"] == 10002
    half(path, tmp_path / "half.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "half.onnx"), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, feeds(4)[0])[0], [1, 0])


def test_whole_numbers_are_no_halves(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Mul", ["size", "many"], ["product"]),
        helper.make_node("Identity", ["x"], ["y"]),
    ]
    path = saved(tmp_path / "model.onnx", nodes, {"many": np.int64([10**6])})
    assert set(check(path, feeds(1))) == {"x", "y"}


def test_nothing_is_proven_without_inputs(tmp_path: Path) -> None:
    with pytest.raises(GateRefused, match="small: expected inputs to look at the values on, got none"):
        check(scaling(tmp_path / "model.onnx", 1), ())


def test_an_input_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match="small: expected a network that runs on its cases, got "):
        check(scaling(tmp_path / "model.onnx", 1), [{"z": np.zeros(2, np.float32)}])
