"""A network is rebuilt from its file with every weight in its place, or it is said which one is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnx  # noqa: E402
import tiny_models  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from appliance.inference.signature import Arrays  # noqa: E402
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec  # noqa: E402
from export import networks, rebuild, steps  # noqa: E402
from export.train.tagger import Shape, Tagger  # noqa: E402
from export.weights import Master  # noqa: E402

pytestmark = pytest.mark.torch
NUMBERS = {character: number for number, character in enumerate("洗衣液在哪里盐多少钱", 2)}
CALIBRATION = {"temperature": 1.25, "sentiment_temperature": 0.5}
SPEC = ModelSpec(
    name="tiny",
    inputs=tuple(TensorSpec(name, "int64", ("batch", "sequence")) for name in ("input_ids", "attention_mask")),
    outputs=(
        TensorSpec("intent", "float32", ("batch", 3)),
        TensorSpec("sentiment", "float32", ("batch", 3)),
        TensorSpec("vector", "float32", ("batch", 24)),
    ),
    profiles=(
        ShapeProfile({"batch": 1, "sequence": 2}, {"batch": 1, "sequence": 8}, {"batch": 4, "sequence": 64}),
    ),
)  # fmt: skip
FEEDS: list[Arrays] = [
    {"input_ids": np.arange(length)[None], "attention_mask": np.ones((1, length), np.int64)} for length in (2, 5, 20)
]


@pytest.fixture(scope="module")
def understander(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("understand")
    networks.understander(tiny_models.bundle(layers=2, questions=0), "store", CALIBRATION, out)
    return out


@pytest.fixture
def broken(understander: Path, tmp_path: Path) -> Callable[[Callable[[Any], object]], Path]:
    """Makes a copy of the file in which a graph was changed; its folder."""

    def change(how: Callable[[Any], object]) -> Path:
        folder = tmp_path / "broken"
        shutil.copytree(understander, folder)
        model = onnx.load(str(folder / "model.onnx"))
        how(model.graph)
        onnx.save(model, str(folder / "model.onnx"))
        return folder

    return change


def same(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    mine, other = ours.state_dict(), theirs.state_dict()
    assert set(mine) == set(other)
    for name, values in mine.items():
        assert torch.equal(values, other[name]), name


def renamed(graph: Any, before: str, after: str) -> None:
    for tensor in graph.initializer:
        tensor.name = after if tensor.name == before else tensor.name
    for node in graph.node:
        for at, name in enumerate(node.input):
            node.input[at] = after if name == before else name


def test_every_weight_of_the_understander_comes_back(tmp_path: Path) -> None:
    bundle = tiny_models.bundle(layers=3, questions=0)
    networks.understander(bundle, "store", CALIBRATION, tmp_path)
    found = rebuild.understander(tmp_path)
    same(found.model, bundle.model)
    config = found.model.encoder.config
    assert (config.num_hidden_layers, config.num_attention_heads, config.intermediate_size) == (3, 2, 48)
    assert found.meaning.intents == tiny_models.INTENTS


@pytest.mark.parametrize(
    "shape, words",
    [
        (Shape(embedding=20, hint=4, hidden=16), 0),
        (Shape(embedding=20, hint=4, word=8, hidden=20), 300),
        (Shape(embedding=20, hint=4, hidden=16, layers=2), 0),
    ],
)
def test_every_weight_of_the_tagger_comes_back(tmp_path: Path, shape: Shape, words: int) -> None:
    model = Tagger(len(NUMBERS) + 2, len(tiny_models.TAGS), shape, words=words)
    tiny_models.shaken(model, 6)
    with torch.no_grad():  # tagger.json has five digits of these
        for values in model.crf.parameters():
            values.copy_(torch.from_numpy(np.round(values.numpy().astype(np.float64), 5)).float())
    networks.tagger(model, NUMBERS, tiny_models.TAGS, tmp_path, pack="store")
    found, numbers, tags = rebuild.tagger(tmp_path)
    same(found, model)
    assert (numbers, tags, found.least) == (NUMBERS, tiny_models.TAGS, model.least)


@pytest.mark.parametrize(
    "taken, lost",
    [
        ("model.encoder.embeddings.LayerNorm.bias", "model.encoder.embeddings.LayerNorm.bias"),
        ("model.centre", "model.centre"),
        # Without its bias nobody can tell which nameless product the weight is in.
        ("model.encoder.encoder.layer.1.attention.self.key.bias", "layer.1.attention.self.key.weight"),
    ],
)
def test_a_lost_parameter_is_named(broken: Callable[[Callable[[Any], object]], Path], taken: str, lost: str) -> None:
    folder = broken(lambda graph: renamed(graph, taken, "nobody"))
    with pytest.raises(ValueError, match=f"expected the parameter .*{lost}, found none"):
        rebuild.understander(folder)


def test_a_weight_that_no_parameter_takes_is_named(broken: Callable[[Callable[[Any], object]], Path]) -> None:
    more = numpy_helper.from_array(np.arange(6, dtype=np.float32), "model.encoder.pooler.dense.weight")
    folder = broken(lambda graph: graph.initializer.append(more))
    with pytest.raises(ValueError, match="expected a parameter for every weight, got none for model.encoder.pooler"):
        rebuild.understander(folder)


def test_a_head_for_other_intents_than_the_labels_is_refused(understander: Path, tmp_path: Path) -> None:
    shutil.copytree(understander, tmp_path / "other")
    labels = tmp_path / "other" / "labels.json"
    labels.write_text(labels.read_text("utf-8").replace('"find",', ""), "utf-8")
    with pytest.raises(ValueError, match=r"expected model\.intent\.weight of shape \(2, 24\), got \(3, 24\)"):
        rebuild.understander(tmp_path / "other")


def test_heads_that_nobody_says_are_an_error(broken: Callable[[Callable[[Any], object]], Path]) -> None:
    master = Master(broken(lambda graph: None) / "model.onnx")
    assert master.heads("model.encoder.encoder.layer.0.attention.self.query.bias") == 2
    with pytest.raises(ValueError, match="expected one Reshape behind"):
        master.heads("model.encoder.encoder.layer.0.output.dense.bias")


def test_the_shipped_file_is_what_the_code_makes(understander: Path, tmp_path: Path) -> None:
    found = rebuild.rebuild(rebuild.understander_again, understander, tmp_path, "model.onnx", SPEC, FEEDS)
    assert found.identical
    assert found.shipped == 0
    assert 0 < found.torch < 1e-4
    assert found.shapes == len(networks.SHAPES)


def changed(folder: Path, out: Path) -> Mapping[str, object]:
    """Makes the network anew with one weight that is another."""
    bundle = rebuild.understander(folder)
    with torch.no_grad():
        bundle.model.encoder.encoder.layer[1].output.dense.weight[3, 4] += 1
    return networks.understander(bundle, "store", CALIBRATION, out)


def recalibrated(folder: Path, out: Path) -> Mapping[str, object]:
    """Makes the network anew and forgets the temperature."""
    return networks.understander(rebuild.understander(folder), "store", CALIBRATION | {"temperature": 1.0}, out)


@pytest.mark.parametrize(
    "remake, said", [(changed, "expected the shipped outputs on its cases"), (recalibrated, "expected labels.json as")]
)
def test_a_changed_weight_or_label_is_found(understander: Path, tmp_path: Path, remake: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rebuild.rebuild(remake, understander, tmp_path, "model.onnx", SPEC, FEEDS)


def test_no_cases_prove_nothing(understander: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got a difference of nan"):
        rebuild.rebuild(rebuild.understander_again, understander, tmp_path, "model.onnx", SPEC, [])


def test_the_networks_that_are_rebuilt_are_those_of_the_steps() -> None:
    assert tuple(rebuild.TRAINED) == steps.TRAINED
