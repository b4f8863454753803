"""Recognisers whose softmax becomes the five best classes: small ones of every form, and the real one."""

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

from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import BackendFailed, ModelMismatch
from appliance.inference.arrive import IDS, LOGPROBS, PREPARATIONS, K, read, topk
from appliance.inference.ctc import greedy
from appliance.settings import data_dir, load_settings
from appliance.vision.gate import strips_in

CLASSES, WIDTH = 12, 6

Array = npt.NDArray[Any]


def weights(classes: int = CLASSES) -> Array:
    return np.random.default_rng(3).normal(size=(WIDTH, classes)).astype(np.float32)


def recogniser(
    *,
    opset: int = 11,
    axis: int | None = 2,
    classes: int = CLASSES,
    end: str = "Softmax",
    behind: int = 0,
    ir: int = 9,
    scale: float = 1.0,
    value: str = "logits",
) -> Any:
    """A product, an Identity, the `end`, and `behind` Identity nodes: from "x" to "y", each of open batch and steps."""
    ended = {} if axis is None else {"axis": axis}
    names = ["p0", *[f"p{n}" for n in range(1, behind)], "y"] if behind else ["y"]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Identity", ["product"], [value]),
        helper.make_node(end, [value], [names[0]], **ended),
        *(helper.make_node("Identity", [one], [two]) for one, two in zip(names, names[1:], strict=False)),
    ]
    return wrapped(nodes, [["batch", "steps", classes]], opset, ir, scale * weights(classes))


def wrapped(nodes: list[Any], outputs: list[list[Any]], opset: int = 11, ir: int = 9, w: Array | None = None) -> Any:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "steps", WIDTH])],
        [helper.make_tensor_value_info("yz"[n], TensorProto.FLOAT, shape) for n, shape in enumerate(outputs)],
        [numpy_helper.from_array(weights() if w is None else w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    model.metadata_props.add(key="character", value="甲\n乙")
    return model


def fused(folder: Path, model: Any, classes: int = CLASSES) -> Path:
    onnx.save(model, str(folder / "whole.onnx"))
    topk(folder / "whole.onnx", folder / "best.onnx", classes)
    return folder / "best.onnx"


def run(path: Path, x: Array) -> dict[str, Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {session.get_inputs()[0].name: x}), strict=True))


def inputs(batch: int, steps: int) -> Array:
    return np.random.default_rng(steps).normal(size=(batch, steps, WIDTH)).astype(np.float32)


FORMS = {
    "opset 11, axis 2": {},
    "opset 11, axis -1": {"axis": -1},
    "opset 13, no axis": {"opset": 13, "axis": None},
    "opset 18, axis 2": {"opset": 18},
    "identities behind": {"behind": 2},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_the_best_classes_are_those_of_the_softmax(tmp_path: Path, form: dict[str, Any]) -> None:
    path = fused(tmp_path, recogniser(**form))
    for batch, steps in ((1, 1), (2, 7), (3, 40)):  # both axes stay open
        x = inputs(batch, steps)
        found, probabilities = run(path, x), run(tmp_path / "whole.onnx", x)["y"]
        assert set(found) == {IDS, LOGPROBS}
        assert (found[IDS].dtype, found[LOGPROBS].dtype) == (np.int32, np.float32)
        assert found[IDS].shape == found[LOGPROBS].shape == (batch, steps, K)
        np.testing.assert_array_equal(found[IDS], np.argsort(-probabilities, axis=2, kind="stable")[..., :K])
        best = np.take_along_axis(probabilities, found[IDS].astype(np.int64), 2)
        np.testing.assert_allclose(np.exp(found[LOGPROBS]), best, rtol=1e-5)


def test_the_graph_keeps_everything_but_its_end(tmp_path: Path) -> None:
    model = onnx.load(str(fused(tmp_path, recogniser(behind=1))))
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["MatMul", "Identity", "LogSoftmax", "TopK", "Cast"]
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    counts = held[model.graph.node[3].input[1]]  # a constant, as TensorRT wants it
    assert (counts.dtype, counts.tolist()) == (np.int64, [K])
    np.testing.assert_array_equal(held["w"], weights())
    shapes = [[d.dim_param or d.dim_value for d in o.type.tensor_type.shape.dim] for o in model.graph.output]
    assert shapes == [["batch", "steps", K]] * 2
    assert {entry.key: entry.value for entry in model.metadata_props} == {"character": "甲\n乙"}
    assert (model.ir_version, model.opset_import[0].version) == (9, 11)


def test_huge_logits_neither_overflow_nor_vanish(tmp_path: Path) -> None:
    found = run(fused(tmp_path, recogniser(scale=1e4)), inputs(1, 30))
    assert np.isfinite(found[LOGPROBS]).all()
    assert (found[LOGPROBS] <= 0).all()
    assert found[LOGPROBS].min() < -1000, "e^-1000 is no float, its logarithm is"


def test_of_equal_classes_the_first_comes_first(tmp_path: Path) -> None:
    found = run(fused(tmp_path, recogniser()), np.zeros((1, 3, WIDTH), np.float32))
    assert found[IDS].tolist() == [[[0, 1, 2, 3, 4]] * 3]
    np.testing.assert_allclose(found[LOGPROBS], np.log(1 / CLASSES), rtol=1e-6)


def test_a_broken_network_shows_itself_in_every_probability(tmp_path: Path) -> None:
    x = inputs(1, 4)
    x[0, 2, 0] = np.nan
    found = run(fused(tmp_path, recogniser()), x)
    assert np.isnan(found[LOGPROBS][0, 2]).all()
    with pytest.raises(ModelMismatch, match="expected finite log-probabilities, got nan"):
        greedy(found[IDS][0], found[LOGPROBS][0])


def two_outputs() -> Any:
    model = recogniser()
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "steps", CLASSES]))
    return model


def read_elsewhere() -> Any:
    """The probabilities have another reader, whose result nobody asks for."""
    model = recogniser()
    model.graph.node.append(helper.make_node("Relu", ["y"], ["unused"]))
    return model


def flat() -> Any:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("ReduceMean", ["product"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Softmax", ["mean"], ["y"], axis=1),
    ]
    return wrapped(nodes, [["batch", CLASSES]])


def halves() -> Any:
    model = recogniser()
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def passes_its_input_on() -> Any:
    return wrapped([helper.make_node("Identity", ["x"], ["y"])], [["batch", "steps", WIDTH]])


REFUSED: dict[str, tuple[Callable[[], Any], int, str]] = {
    "no softmax": (lambda: recogniser(end="Relu", axis=None), 12, "expected a Softmax at the end, got Relu"),
    "nothing but identities": (passes_its_input_on, WIDTH, "expected a Softmax at the end, got x"),
    "over the steps": (lambda: recogniser(axis=1, opset=13), 12, "over the last axis of .*, got axis 1"),
    "flattened": (lambda: recogniser(axis=1), 12, "over the last axis of .*, got axis 1"),
    "flattened by default": (lambda: recogniser(axis=None), 12, "over the last axis of .*, got axis 1"),
    "two outputs": (two_outputs, 12, "expected one output, got y, logits"),
    "other classes": (recogniser, 13, r"\(batch, steps, 13\), at least 5, got \['batch', 'steps', 12\]"),
    "too few classes": (lambda: recogniser(classes=4), 4, "at least 5, got"),
    "no steps": (flat, 12, r"got \['batch', 12\]"),
    "read elsewhere": (read_elsewhere, 12, "expected nothing else to read the probabilities, got Relu"),
    "halves": (halves, 12, "expected float32 probabilities, got type 10"),
    "a name that is taken": (lambda: recogniser(value="ids"), 12, "expected no values named ids or logprobs, got ids"),
    "opset too old": (lambda: recogniser(opset=10), 12, "expected opset 11 to 18, got 10"),
    "opset too new": (lambda: recogniser(opset=19), 12, "expected opset up to 18 and IR up to 10, got 19 and 9"),
    "IR too new": (lambda: recogniser(ir=11), 12, "expected opset up to 18 and IR up to 10, got 11 and 11"),
}


@pytest.mark.parametrize(("make", "classes", "said"), REFUSED.values(), ids=list(REFUSED))
def test_another_graph_is_refused_and_nothing_is_written(
    tmp_path: Path, make: Callable[[], Any], classes: int, said: str
) -> None:
    with pytest.raises(ModelMismatch, match=said) as caught:
        fused(tmp_path, make(), classes)
    assert "onnx" in caught.value.detail or "small" in caught.value.detail, "the file or the graph is named"
    assert not (tmp_path / "best.onnx").exists()


def test_a_newer_version_says_what_to_do(tmp_path: Path) -> None:
    onnx.save(recogniser(opset=19), str(tmp_path / "net.onnx"))
    with pytest.raises(ModelMismatch, match=r"net\.onnx") as caught:
        read(tmp_path / "net.onnx")
    assert "Export it again with opset 18, and save it with IR 10" in caught.value.remedy


@pytest.mark.parametrize("content", [b"words and no network", b"", b"\x00\xff" * 99])
def test_a_file_that_is_no_network_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    with pytest.raises(BackendFailed, match=r"net\.onnx: expected an ONNX file"):
        topk(tmp_path / "net.onnx", tmp_path / "best.onnx", CLASSES)
    with pytest.raises(FileNotFoundError):
        topk(tmp_path / "none.onnx", tmp_path / "best.onnx", CLASSES)
    assert not (tmp_path / "best.onnx").exists()


@pytest.mark.models
def test_the_recogniser_gives_the_best_of_its_softmax_on_every_line_of_the_cases(tmp_path: Path) -> None:
    manifests = load_manifests(shipped_root())
    store, manifest = ModelStore(data_dir(load_settings()) / "models", manifests), manifests["pp-ocrv6-small"]
    how = manifest.prepared["recogniser.topk.onnx"]
    whole, made = store.path(manifest.name, how.of), network_path(store, manifest.name, "recogniser.topk.onnx")
    for name in ("one", "two"):
        PREPARATIONS[how.recipe](whole, tmp_path / name, how.classes)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes(), "an engine's key has its hash"
    lines = [inputs["x"] for inputs in strips_in(manifest.cases(), store.folder(manifest.name))]
    assert len(lines) == 12
    for x in lines[:4]:
        probabilities, found = run(whole, x)["fetch_name_0"], run(made, x)
        best = np.take_along_axis(probabilities, found[IDS].astype(np.int64), 2)
        np.testing.assert_array_equal(found[IDS][..., 0], probabilities.argmax(2))
        np.testing.assert_array_equal(best, -np.sort(-probabilities, axis=2)[..., :K])
        np.testing.assert_allclose(np.exp(found[LOGPROBS]), best, rtol=1e-5, atol=1e-9)
        assert probabilities.nbytes > 1800 * sum(array.nbytes for array in found.values())
