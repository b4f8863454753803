"""Other precisions of small real networks: near the original, smaller, and saying what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import BackendFailed
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.quantise import PRECISION, RECIPES, chosen, dynamic, half, qdq
from appliance.inference.ranges import Feeds
from appliance.inference.wide import widened
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec

WORDS, WIDTH, WIDE, LABELS = 200, 64, 256, 7
SPEC = ModelSpec(
    "small/net",
    (TensorSpec("ids", "int64", ("batch", "length")),),
    (TensorSpec("logits", "float32", ("batch", LABELS)),),
    (ShapeProfile({"batch": 1, "length": 1}, {"batch": 1, "length": 8}, {"batch": 8, "length": 64}),),
)

Weights = dict[str, npt.NDArray[np.float16]]


def weights(seed: int = 0) -> Weights:
    """float16 as a master keeps them, of columns that differ in size by two orders: what scales per channel are for."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> npt.NDArray[np.float16]:
        spread = 10 ** random.uniform(-1, 1, shape[-1])
        found: npt.NDArray[np.float16] = (random.normal(size=shape) * spread / np.sqrt(shape[0])).astype(np.float16)
        return found

    return {
        "table": random.normal(size=(WORDS, WIDTH)).astype(np.float16),
        "inner": drawn(WIDTH, WIDE),
        "outer": drawn(WIDE, LABELS),
        "bias": drawn(LABELS),
    }


def network(kept: Weights) -> Any:
    """Gather, mean, MatMul, Relu and Gemm; each weight is float16 behind a Cast to float32."""
    casts = [helper.make_node("Cast", [f"{n}_half"], [n], to=TensorProto.FLOAT) for n in ("table", "inner", "outer")]
    nodes = [
        *casts,
        helper.make_node("Cast", ["bias_half"], ["bias"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("ReduceMean", ["words", "along"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "inner"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "outer", "bias"], ["logits"]),
    ]
    stored = [numpy_helper.from_array(array, f"{name}_half") for name, array in kept.items()]
    return wrapped(
        nodes,
        [*stored, numpy_helper.from_array(np.array([1], np.int64), "along")],
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", LABELS])],
    )


def wrapped(nodes: list[Any], stored: list[Any], inputs: list[Any], outputs: list[Any]) -> Any:
    graph = helper.make_graph(nodes, "small", inputs, outputs, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def computed(kept: Weights, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The same network by numpy, in doubles."""
    table, inner, outer, bias = (kept[name].astype(np.float64) for name in ("table", "inner", "outer", "bias"))
    found: npt.NDArray[np.float64] = np.maximum(table[ids].mean(1) @ inner, 0) @ outer + bias
    return found


def sentences(count: int = 64, seed: int = 1) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, WORDS, (count, 12))


def run(path: Path, **inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    options = onnxruntime.SessionOptions()
    # Else products are joined into integer ones, which cut off sums where the CPU has no VNNI.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found: npt.NDArray[Any] = session.run(None, inputs)[0]
    return found


def precision(path: Path) -> list[str]:
    return [entry.value for entry in onnx.load(str(path)).metadata_props if entry.key == PRECISION]


def stored_types(path: Path) -> set[int]:
    return {tensor.data_type for tensor in onnx.load(str(path)).graph.initializer if len(tensor.dims) == 2}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(network(weights()), str(path))
    return path


def feeds() -> Feeds:
    return ({"ids": sentences(8, seed)} for seed in range(2, 10))


def saved_wide(folder: Path) -> Path:
    path = folder / "wide.onnx"
    onnx.save(widened(network(weights())), str(path))
    return path


def test_a_widened_network_holds_floats_without_casts_and_computes_the_same(source: Path, tmp_path: Path) -> None:
    model = widened(onnx.load(str(source)))
    onnx.checker.check_model(model, full_check=True)
    assert "Cast" not in [node.op_type for node in model.graph.node]
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert set(held) == {*weights(), "along"}
    for name, array in weights().items():
        assert held[name].dtype == np.float32
        np.testing.assert_array_equal(held[name], array)
    ids = sentences()
    np.testing.assert_array_equal(run(saved_wide(tmp_path), ids=ids), run(source, ids=ids))


def test_a_network_without_halves_stays_as_it_is() -> None:
    wide = widened(network(weights()))
    before = wide.SerializeToString()
    assert widened(wide).SerializeToString() == before


@pytest.mark.parametrize(
    ("recipe", "named", "held", "error"),
    [
        # Rows of a table are looked up as halves, matrices are multiplied in int8.
        ("dynamic", "int8", {TensorProto.INT8, TensorProto.FLOAT16}, 0.04),
        ("half", "fp16", {TensorProto.FLOAT16}, 0.005),
        # The table is no matrix product and stays wide.
        ("qdq", "int8", {TensorProto.INT8, TensorProto.FLOAT}, 0.06),
    ],
)
def test_each_recipe_computes_near_the_original_and_says_what_it_is(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, named: str, held: set[int], error: float
) -> None:
    monkeypatch.setattr("appliance.inference.quantise._TABLE", 1)
    before = source.read_bytes()
    target = tmp_path / "made" / f"model.{named}.onnx"
    target.parent.mkdir()
    RECIPES[recipe](source, target, feeds())
    ids = sentences()
    wanted, got = computed(weights(), ids), run(target, ids=ids)
    assert got.dtype == np.float32
    assert np.abs(got - wanted).max() < error * np.abs(wanted).max()
    assert (got.argmax(1) == wanted.argmax(1)).mean() > 0.9
    assert precision(target) == [named]
    assert stored_types(target) == held
    assert source.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == [target.name], "nothing is left behind"
    with OnnxRuntimeBackend(SPEC, target, threads=1) as backend:  # the spec of the original holds
        assert backend.describe().precision == named


def test_every_column_of_a_matrix_has_its_own_scale(source: Path, tmp_path: Path) -> None:
    """Columns differ by two orders: under one scale the small ones would be rounded to nothing."""
    target = tmp_path / "model.int8.onnx"
    dynamic(source, target)
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(target)).graph.initializer}
    inner = weights()["inner"].astype(np.float64)
    assert held["inner_quantized"].dtype == np.int8
    assert held["inner_scale"].shape == (WIDE,)
    back = held["inner_quantized"] * held["inner_scale"]
    assert (np.abs(back - inner).max(0) <= 0.51 * np.ptp(inner, axis=0) / 64).all()


def test_sums_of_the_largest_weights_and_activations_are_exact_on_every_machine(tmp_path: Path) -> None:
    """Two such products added at 16 bits, as an x86 without VNNI adds them, would be cut off at 8 bits a weight."""
    rng = np.random.default_rng(5)
    matrix = rng.choice([-1.0, 1.0], (64, 8)).astype(np.float32)
    matrix[:, 0] = 1.0
    given = np.abs(rng.uniform(0.9, 1.0, (4, 64))).astype(np.float32)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "matrix"], ["y"])],
        "sums",
        [value("x", TensorProto.FLOAT, ["batch", 64])],
        [value("y", TensorProto.FLOAT, ["batch", 8])],
        [numpy_helper.from_array(matrix, "matrix")],
    )
    source, target = tmp_path / "sums.onnx", tmp_path / "sums.int8.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), source)
    dynamic(source, target)
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(target)).graph.initializer}
    assert np.abs(held["matrix_quantized"].astype(int)).max() <= 64
    assert np.abs(run(target, x=given) - given @ matrix).max() < 64 / 255


def test_a_small_table_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    dynamic(source, tmp_path / "int8.onnx")
    assert stored_types(tmp_path / "int8.onnx") == {TensorProto.INT8, TensorProto.FLOAT}


def test_int8_is_a_quarter_but_for_its_table_and_half_is_half_of_the_wide_file(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.inference.quantise._TABLE", 1)
    wide = saved_wide(tmp_path).stat().st_size
    dynamic(source, tmp_path / "int8.onnx")
    half(source, tmp_path / "fp16.onnx")
    assert (tmp_path / "int8.onnx").stat().st_size < 0.4 * wide
    assert (tmp_path / "int8.onnx").stat().st_size < source.stat().st_size
    assert (tmp_path / "fp16.onnx").stat().st_size < 0.6 * wide


def test_a_mark_takes_the_place_of_an_older_one_and_leaves_other_metadata(tmp_path: Path) -> None:
    model = network(weights())
    model.metadata_props.add(key=PRECISION, value="fp32")
    model.metadata_props.add(key="maker", value="nobody")
    source, target = tmp_path / "model.onnx", tmp_path / "made.onnx"
    onnx.save(model, str(source))
    half(source, target)
    assert precision(target) == ["fp16"]
    assert {entry.key: entry.value for entry in onnx.load(str(target)).metadata_props}["maker"] == "nobody"


def test_scales_of_activations_are_symmetric_and_explicit(source: Path, tmp_path: Path) -> None:
    """TensorRT takes no zero points but 0."""
    target = tmp_path / "model.qdq.onnx"
    qdq(source, target, feeds())
    graph = onnx.load(str(target)).graph
    kinds = [node.op_type for node in graph.node]
    assert {"QuantizeLinear", "DequantizeLinear", "MatMul", "Gemm"} <= set(kinds)
    assert not {"MatMulInteger", "QLinearMatMul", "DynamicQuantizeLinear"} & set(kinds)
    points = [numpy_helper.to_array(t) for t in graph.initializer if t.name.endswith("_zero")]
    assert points
    assert {point.dtype for point in points} == {np.dtype(np.int8)}
    assert not any(point.any() for point in points)


def test_activations_beyond_what_was_calibrated_are_cut(source: Path, tmp_path: Path) -> None:
    """The feeds are used: calibrated on one word that says little, the file cannot follow those that say much."""
    quiet_word = int(np.abs(weights()["table"]).max(1).argmin())
    narrow, wide = tmp_path / "narrow.onnx", tmp_path / "wide.onnx"
    qdq(source, narrow, [{"ids": np.full((1, 4), quiet_word, np.int64)}])
    qdq(source, wide, [{"ids": np.arange(WORDS)[:, None]}])
    ids = np.arange(WORDS)[:, None]
    wanted = computed(weights(), ids)
    assert np.abs(run(narrow, ids=ids) - wanted).max() > 3 * np.abs(run(wide, ids=ids) - wanted).max()


def test_products_that_narrow_are_spared(source: Path) -> None:
    model = widened(onnx.load(str(source)))
    assert [node.output[0] for node in chosen(model, "qdq")] == ["hidden"], "and not the logits, of 256 columns"


@pytest.fixture
def looking(tmp_path: Path) -> Path:
    """A small detector as PP-OCR's are: opset 11, convolutions, halved and doubled again, then a product at the end."""
    random = np.random.default_rng(7)
    shapes = {"first": (8, 3, 3, 3), "deep": (8, 1, 3, 3), "up": (8, 4, 2, 2), "columns": (16, 12)}
    kept = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "deep"], ["c"], group=8, pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c"], ["d"]),
        helper.make_node("Mul", ["c", "d"], ["e"]),
        helper.make_node("ConvTranspose", ["e", "up"], ["f"], strides=[2, 2]),
        helper.make_node("MatMul", ["f", "columns"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "looking",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "height", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, "height", 12])],
        [numpy_helper.from_array(array, name) for name, array in kept.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    path = tmp_path / "looking.onnx"
    onnx.save(model, str(path))
    return path


def pictures(seed: int, height: int = 16) -> dict[str, npt.NDArray[np.float32]]:
    return {"x": np.random.default_rng(seed).uniform(-1, 1, (1, 3, height, 16)).astype(np.float32)}


@pytest.mark.parametrize(
    ("recipe", "whole", "error"),
    [
        ("qdq", {"first", "deep", "up", "columns"}, 0.06),
        ("qdq-products", {"columns"}, 0.02),
        ("half", set(), 0.01),
    ],
)
def test_networks_that_look_have_other_precisions_too(
    looking: Path, tmp_path: Path, recipe: str, whole: set[str], error: float
) -> None:
    target = tmp_path / "made.onnx"
    RECIPES[recipe](looking, target, [pictures(seed) for seed in range(8)])
    model = onnx.load(str(target))
    onnx.checker.check_model(model, full_check=True)
    int8 = {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.INT8}
    assert {name.rpartition("_")[0].rpartition("_")[0] for name in int8 if name.endswith("_int8")} == whole
    assert not {tensor.name for tensor in model.graph.initializer} & whole, "the wide weights are gone"
    shown = pictures(99, height=32)
    wanted, got = run(looking, **shown), run(target, **shown)
    assert got.dtype == np.float32
    assert np.sqrt(np.square(got - wanted).mean()) < error * np.sqrt(np.square(wanted).mean())


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_no_file_is_newer_than_old_tools_read(looking: Path, source: Path, tmp_path: Path, recipe: str) -> None:
    made = [(source, list(feeds()))] + ([] if recipe == "dynamic" else [(looking, [pictures(1)])])
    for number, (path, shown) in enumerate(made):
        RECIPES[recipe](path, tmp_path / f"{number}.onnx", shown)
        model = onnx.load(str(tmp_path / f"{number}.onnx"))
        assert model.ir_version <= 10
        assert {one.version for one in model.opset_import if one.domain == ""} <= {11, 13, 18}
        assert {one.domain for one in model.opset_import} <= {"", "ai.onnx.ml", "com.microsoft"}


@pytest.mark.parametrize("recipe", ["qdq", "qdq-products"])
def test_scales_without_inputs_to_calibrate_on_are_refused(source: Path, tmp_path: Path, recipe: str) -> None:
    with pytest.raises(BackendFailed, match=r"model\.onnx: expected inputs to calibrate on, got none"):
        RECIPES[recipe](source, tmp_path / "made.onnx", ())
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_nothing_to_quantise_is_named(looking: Path, tmp_path: Path) -> None:
    model = onnx.load(str(looking))
    del model.graph.node[-1]
    model.graph.node[-1].output[0] = "y"
    onnx.save(model, str(looking))
    with pytest.raises(BackendFailed, match=r"looking\.onnx: expected MatMul, Gemm by weights to quantise, got none"):
        RECIPES["qdq-products"](looking, tmp_path / "made.onnx", [pictures(1)])


@pytest.mark.parametrize("make", [dynamic, half, qdq])
@pytest.mark.parametrize("content", [b"no network at all, but words", b"\x00\xff" * 500])
def test_a_file_that_is_no_network_is_named(
    tmp_path: Path, make: Callable[[Path, Path, Feeds], None], content: bytes
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(BackendFailed, match=r"model\.onnx: expected an ONNX file, got \w+"):
        make(tmp_path / "model.onnx", tmp_path / "made.onnx", ())
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"], "nothing is left behind"
