"""Real halves: torch computes the files as ONNX Runtime does in float32, and overflows in float16 where a GPU would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from appliance.app.gates import score  # noqa: E402
from appliance.artifacts.manifest import load_manifests, shipped_root  # noqa: E402
from appliance.artifacts.store import ModelStore  # noqa: E402
from appliance.errors import ModelMissing  # noqa: E402
from appliance.inference.quantise import half  # noqa: E402
from appliance.settings import data_dir, load_settings  # noqa: E402
from export.half import Halves, scores  # noqa: E402
from export.operators import OPERATORS  # noqa: E402
from tests.app.test_derive import FP16, shelf, understanding  # noqa: E402
from tests.inference.overflow import FACTOR, KERNEL, cropped, overflowing  # noqa: E402

pytestmark = pytest.mark.torch
FLOAT, HALF, WHOLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64
Node = tuple[str, list[Any], dict[str, Any]]


def drawn(*shape: int, seed: int = 1) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole(*numbers: int) -> npt.NDArray[np.int64]:
    return np.array(numbers, np.int64)


def saved(path: Path, nodes: list[Any], stored: dict[str, Any], outputs: dict[str, int], opset: int) -> Path:
    """A network from `x`, shape (2, 4, 6, 8), written to `path`."""
    given = helper.make_tensor_value_info("x", FLOAT, [2, 4, 6, 8])
    made = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in stored.items()]
    graph = helper.make_graph(nodes, "small", [given], made, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(path))
    return path


def run(path: Path, x: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: list[npt.NDArray[Any]] = session.run(None, {"x": x})
    return found


REPEATING = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
# Each operator with its further inputs and its attributes, in the opset in which a shipped graph has it.
NODES: list[tuple[int, str, list[Any], dict[str, Any]]] = [
    (11, "Add", [drawn(4, 1, 1)], {}),
    (11, "AveragePool", [], {"kernel_shape": [3, 2], "strides": [3, 2]}),
    (11, "BatchNormalization", [drawn(4), drawn(4), drawn(4), np.abs(drawn(4))], {"epsilon": 0.1}),
    (11, "Clip", [np.float32(0), np.float32(1)], {}),
    (11, "Concat", [drawn(2, 1, 6, 8)], {"axis": 1}),
    (11, "Conv", [drawn(6, 2, 3, 3), drawn(6)], {"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1]}),
    (11, "Conv", [drawn(3, 4, 2, 2)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    (11, "Conv", [drawn(3, 4, 3, 3)], {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    (11, "ConvTranspose", [drawn(4, 3, 2, 2), drawn(3)], {"strides": [2, 2]}),
    (11, "Div", [np.float32(3)], {}),
    (11, "Erf", [], {}),
    (18, "Expand", [whole(3, 1, 4, 1, 1)], {}),
    (11, "Gather", [whole(1, -1)], {"axis": 2}),
    (18, "Gather", [np.array(-2)], {"axis": 3}),
    (11, "GlobalAveragePool", [], {}),
    (11, "HardSigmoid", [], {"alpha": 0.3, "beta": 0.4}),
    (11, "Identity", [], {}),
    (18, "LayerNormalization", [drawn(8), drawn(8)], {"axis": -1, "epsilon": 1e-3}),
    (13, "LogSoftmax", [], {"axis": 1}),
    (11, "MatMul", [drawn(8, 5)], {}),
    (18, "Max", [np.float32([0.5])], {}),
    (11, "MaxPool", [], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}),
    (11, "MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    (11, "Mul", [drawn(8)], {}),
    (11, "Pow", [np.float32(2)], {}),
    (18, "ReduceL2", [whole(1)], {"keepdims": 1}),
    (11, "ReduceMean", [], {"axes": [2, 3], "keepdims": 0}),
    (18, "ReduceSum", [whole(-1)], {"keepdims": 0}),
    (11, "Relu", [], {}),
    (11, "Reshape", [whole(0, -1, 8)], {}),
    (18, "Reshape", [whole(2, 4, 48)], {"allowzero": 1}),
    (11, "Resize", [np.zeros(0, np.float32), np.float32([1, 1, 2, 3])], {"mode": "nearest"}),
    (11, "Resize", [np.zeros(0, np.float32), np.float32([1, 1, 2, 3])], REPEATING),
    (18, "Shape", [], {"start": 1, "end": 3}),
    (11, "Sigmoid", [], {}),
    (11, "Slice", [whole(1, -3), whole(2**31, 100), whole(1, 3), whole(1, 2)], {}),
    (11, "Softmax", [], {"axis": 3}),
    (11, "Squeeze", [], {}),
    (11, "Sub", [np.float32(1)], {}),
    (11, "Transpose", [], {"perm": [2, 0, 3, 1]}),
    (18, "Unsqueeze", [whole(0, -1)], {}),
    (11, "Unsqueeze", [], {"axes": [2]}),
]


@pytest.mark.parametrize(
    ("opset", "kind", "more", "named"), NODES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_operator_computes_what_onnx_runtime_does(
    tmp_path: Path, opset: int, kind: str, more: list[Any], named: dict[str, Any]
) -> None:
    x = drawn(2, 4, 6, 8, seed=2)
    stored = {f"input_{at}": array for at, array in enumerate(more)}
    nodes = [helper.make_node(kind, ["x", *stored], ["y"], **named)]
    path = saved(tmp_path / "model.onnx", nodes, stored, {"y": WHOLE if kind == "Shape" else FLOAT}, opset)
    (wanted,) = run(path, x)
    got = Halves(path)({"x": x})["y"]
    assert got.dtype == wanted.dtype
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_a_way_of_resizing_that_repeats_no_pixels_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Resize", ["x", "", "by"], ["y"], mode="linear")]
    path = saved(tmp_path / "model.onnx", nodes, {"by": np.float32([1, 1, 2, 2])}, {"y": FLOAT}, 18)
    with pytest.raises(NotImplementedError, match=r"Resize by \[2\.0, 2\.0\] with linear, half_pixel"):
        Halves(path)({"x": drawn(2, 4, 6, 8)})


def test_products_choices_and_the_best_of_many(tmp_path: Path) -> None:
    """What takes or gives more than one tensor of its own: Gemm, Where, TopK, Sqrt, Cast and Constant."""
    middle = numpy_helper.from_array(whole(12, 32), "")
    nodes = [
        helper.make_node("Constant", [], ["size"], value=middle),
        helper.make_node("Reshape", ["x", "size"], ["rows"]),
        helper.make_node("Gemm", ["rows", "w", "b"], ["product"], transB=1, alpha=0.5, beta=2.0),
        helper.make_node("Cast", ["product"], ["signs"], to=WHOLE),
        helper.make_node("Cast", ["signs"], ["sure"], to=TensorProto.BOOL),
        helper.make_node("Where", ["sure", "product", "b"], ["chosen"]),
        helper.make_node("Mul", ["chosen", "chosen"], ["squares"]),
        helper.make_node("Sqrt", ["squares"], ["sizes"]),
        helper.make_node("TopK", ["sizes", "k"], ["best", "ids"], axis=1),
    ]
    path = saved(
        tmp_path / "model.onnx",
        nodes,
        {"w": drawn(7, 32), "b": drawn(7), "k": whole(3)},
        {"best": FLOAT, "ids": WHOLE},
        18,
    )
    x = drawn(2, 4, 6, 8)
    best, ids = run(path, x)
    found = Halves(path)({"x": x})
    np.testing.assert_allclose(found["best"], best, rtol=1e-4)
    np.testing.assert_array_equal(found["ids"], ids)


def test_every_operator_is_tried_here() -> None:
    tried = {kind for _, kind, _, _ in NODES} | {"Gemm", "Cast", "Where", "Sqrt", "TopK"}
    assert tried == set(OPERATORS)


def test_an_operator_that_is_not_here_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx", [helper.make_node("Sin", ["x"], ["y"])], {}, {"y": FLOAT}, 18)
    with pytest.raises(NotImplementedError, match=r"model\.onnx: expected operators of export\.operators, got Sin"):
        Halves(path)


def through(path: Path, *, widely: bool) -> Path:
    """Times 300 and through 300 again in a float16 file, or `widely`: in float32 between two Casts of it."""
    kind = FLOAT if widely else HALF
    nodes = [
        helper.make_node("Cast", ["x"], ["narrow"], to=HALF),
        helper.make_node("Cast", ["narrow"], ["a"], to=kind),
        helper.make_node("Mul", ["a", "many"], ["b"]),
        helper.make_node("Div", ["b", "many"], ["c"]),
        helper.make_node("Cast", ["c"], ["y"], to=FLOAT),
    ]
    return saved(path, nodes, {"many": np.array(300, np.float32 if widely else np.float16)}, {"y": FLOAT}, 18)


def test_halves_overflow_here_and_not_in_onnx_runtime_and_casts_are_honoured(tmp_path: Path) -> None:
    x = np.full((2, 4, 6, 8), 30_000, np.float32)
    narrow, wide = through(tmp_path / "narrow.onnx", widely=False), through(tmp_path / "wide.onnx", widely=True)
    assert np.isinf(Halves(narrow)({"x": x})["y"]).all()
    assert np.isfinite(run(narrow, x)[0]).all(), "it computes the file in float32"
    np.testing.assert_allclose(Halves(wide)({"x": x})["y"], x, rtol=1e-3)


def test_halves_round_as_halves_do(tmp_path: Path) -> None:
    x = np.full((2, 4, 6, 8), 2049, np.float32)  # between two halves
    assert (Halves(through(tmp_path / "narrow.onnx", widely=False))({"x": x / 300})["y"] != x / 300).all()
    assert (Halves(through(tmp_path / "wide.onnx", widely=True))({"x": x})["y"] == 2048).all()


def test_real_halves_refuse_the_detector_that_was_made_to_overflow(tmp_path: Path) -> None:
    manifests = load_manifests(shipped_root())
    manifest = manifests["pp-ocrv6-small"]
    spec = manifest.network("detector.onnx")
    assert spec.gate is not None
    try:
        source = ModelStore(data_dir(load_settings()) / "models", manifests).path(manifest.name, "detector.onnx")
    except ModelMissing:
        pytest.skip("pp-ocrv6-small is not installed: run `appliance models pull pp-ocrv6-small`")
    (tag,) = [case for case in manifest.cases() if case.path.stem == "shelf-tag"]
    cases = (cropped(tag, (20, 90, 240, 200), tmp_path),)
    half(source, tmp_path / "honest.onnx")
    half(overflowing(source, tmp_path / "wide.onnx", KERNEL, FACTOR), tmp_path / "overflowing.onnx")
    assert score(Halves(tmp_path / "honest.onnx"), spec, cases, manifest.home) == 1.0
    assert score(Halves(tmp_path / "overflowing.onnx"), spec, cases, manifest.home) < spec.gate.threshold


def test_what_has_an_fp16_file_is_scored_both_ways(tmp_path: Path) -> None:
    understanding(tmp_path / "halved", derived=(FP16,))
    understanding(tmp_path / "wide", derived=())
    store = shelf(tmp_path / "halved")
    assert scores(store, store.manifest("understand-zh")) == {"model.onnx": (1.0, 1.0)}
    store = shelf(tmp_path / "wide")
    assert scores(store, store.manifest("understand-zh")) == {}
