"""What each group of layers loses in int8: the one that cannot be quantised shows, alone and in the sum."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.artifacts.cases import Case
from appliance.artifacts.derived import network_path
from appliance.specs import Gate, ModelSpec, ShapeProfile, TensorSpec
from export import sensitivity
from export.sensitivity import Effect, Network, distance, effects
from tests.app.test_derive import shelf, understanding


def installed(folder: Path) -> Network:
    understanding(folder, derived=())
    store = shelf(folder)
    manifest = store.manifest("understand-zh")
    path = network_path(store, manifest.name, "model.onnx")
    return Network(manifest.network("model.onnx"), path, store.folder(manifest.name), manifest.cases())


def test_every_group_alone_then_all_then_the_recipes(tmp_path: Path) -> None:
    found = list(effects(installed(tmp_path), groups=1))
    assert [effect.group for effect in found] == [
        *("none (float32)", "product 1", "narrowing 1", "all", "qdq", "qdq-products"),
    ]
    assert found[0] == Effect("none (float32)", 0, 0, 1.0, 0.0)
    groups, everything, made = found[1:3], found[3], found[4:]
    assert sum(effect.layers for effect in groups) == everything.layers == 3
    assert sum(effect.weights for effect in groups) == everything.weights == 32 * 32 + 32 * 3 + 32 * 3
    assert {(effect.layers, effect.weights) for effect in made} == {(1, 32 * 32)}, "narrowing products are spared"
    assert all(effect.metric == 1.0 and 0 < effect.distance < 0.1 for effect in found[1:])


def test_what_loses_is_seen_alone(tmp_path: Path) -> None:
    """A detector of darkness; of the two values that its second layer reads, one is so large that the other, which says
    where it is dark, is less than a step."""
    kernels = {"see": [[-3, -3, -3], [999, 999, 999]], "tell": [[9, 0]]}
    stored = [numpy_helper.from_array(np.array(k, np.float32)[..., None, None], n) for n, k in kernels.items()]
    nodes = [
        helper.make_node("Conv", ["x", "see"], ["seen"]),
        helper.make_node("Conv", ["seen", "tell"], ["told"]),
        helper.make_node("Sigmoid", ["told"], ["y"]),
    ]
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "height", "width"])
        for name, channels in (("x", 3), ("y", 1))
    )
    graph = helper.make_graph(nodes, "dark", [given], [made], stored)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(tmp_path / "dark.onnx")
    )
    image = np.full((736, 800, 3), 255, np.uint8)
    image[107:123, 107:393] = 0
    cv2.imwrite(str(tmp_path / "page.png"), image)
    line = {"text": "", "box": [[100, 100], [400, 100], [400, 130], [100, 130]]}
    page = Case(tmp_path / "page.png", "page", {"width": 800, "height": 736, "photo": False, "lines": [line]}, "MIT")
    axes = ("batch", "height", "width")
    spec = ModelSpec(
        "small/dark",
        (TensorSpec("x", "float32", ("batch", 3, "height", "width")),),
        (TensorSpec("y", "float32", ("batch", 1, "height", "width")),),
        (ShapeProfile(*(dict.fromkeys(axes, size) for size in (1, 32, 1600))),),
        gate=Gate("box_f1", 0.9),
    )
    found = {e.group: e for e in effects(Network(spec, tmp_path / "dark.onnx", tmp_path, [page]), groups=2)}
    assert [found[name].metric for name in ("none (float32)", "pointwise 1", "pointwise 2", "qdq")] == [1, 1, 0, 0]
    assert found["pointwise 1"].distance < 0.01 < 0.5 < found["pointwise 2"].distance


def test_distance_is_a_share_of_what_it_should_be() -> None:
    def run(inputs: object, /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
        return {"y": np.array([3, 4.5], np.float32), "ids": np.array([1, 2, 3, 9])}

    wanted = [{"y": np.array([3, 4], np.float32), "ids": np.array([1, 2, 3, 4])}]
    assert distance(run, [{}], wanted) == pytest.approx(0.25), "one of four ids; 0.1 of the numbers"
    wanted[0]["ids"][3] = 9
    assert distance(run, [{}], wanted) == pytest.approx(0.1)


def test_the_command_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(tmp_path)
    monkeypatch.setattr(sensitivity, "shipped_root", lambda: tmp_path / "manifests")
    monkeypatch.setattr(sys, "argv", ["sensitivity", "understand-zh/model.onnx", "--data-dir", str(tmp_path)])
    sensitivity.main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "understand-zh/model.onnx: intent_accuracy, int8 by group"
    assert printed[2].split() == ["none", "(float32)", "0", "0", "1.0000", "0.00000"]
    assert printed[-1].split()[0] == "qdq-products"
