"""Which file of a small real model serves on which backend, and what is said where the better one does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from appliance.app.derive import derive
from appliance.app.networks import Network, Networks, why
from appliance.artifacts.derived import REVISION
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError
from appliance.inference.scheduler import Scheduler
from appliance.settings import Settings
from tests.app.test_derive import FP16, INT8, QDQ, Heard, paths, shelf, tagging, understanding

CPU = Settings(backends=("onnxruntime-cpu",), onnxruntime_threads=1)
MODEL, FILE = "understand-zh", "model.onnx"
INPUTS = {"input_ids": np.arange(2, 18).reshape(2, 8), "attention_mask": np.ones((2, 8), np.int64)}


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def networks(tmp_path: Path, heard: Heard) -> Iterator[Callable[..., Networks]]:
    """Networks over what lies under tmp_path, each as a fresh start of the appliance would have them."""
    with ExitStack() as closing:

        def start(settings: Settings = CPU) -> Networks:
            store = shelf(tmp_path, install=False)
            scheduler = Scheduler()
            made = Networks(store.manifests, store, settings, scheduler, heard)
            closing.callback(made.close)
            closing.enter_context(scheduler)
            return made

        yield start


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with the model installed and its int8 file for the CPU made."""
    understanding(tmp_path, derived=(INT8,))
    made = shelf(tmp_path)
    derive(made, MODEL)
    return made


def tried(network: Network) -> list[str]:
    assert network.selection is not None
    return [attempt.name for attempt in network.selection.attempts]


def served(networks: Networks) -> list[tuple[str, str]]:
    """File and precision of everything that serves."""
    return [(info.file, info.precision) for info in (backend.describe() for backend in networks.backends)]


def test_what_is_derived_for_the_backend_serves_and_computes_near_the_original(
    store: ModelStore, networks: Callable[..., Networks]
) -> None:
    better = networks()
    network = better.load(MODEL, FILE)
    assert (network.backend, network.reason) == ("onnxruntime-cpu", "")
    assert tried(network) == ["onnxruntime-cpu int8"]
    assert served(better) == [("model.int8.dynamic.onnx", "int8")]
    paths(store)[0].unlink()
    plain = networks()
    original = plain.load(MODEL, FILE)
    assert served(plain) == [("model.onnx", "fp32")]
    assert network.run is not None
    assert original.run is not None
    got, wanted = network.run(INPUTS), original.run(INPUTS)
    assert set(got) == set(wanted) == {"intent", "sentiment", "vector"}
    np.testing.assert_allclose(got["vector"], wanted["vector"], atol=0.05)
    assert any((got[name] != wanted[name]).any() for name in got), "they are two files"
    assert (got["intent"].argmax(1) == wanted["intent"].argmax(1)).all()


def test_the_reason_names_the_precision_that_serves(store: ModelStore, networks: Callable[..., Networks]) -> None:
    (statement,) = why((networks().load(MODEL, FILE),))
    assert statement.startswith("model: onnxruntime-cpu int8，加载 ")
    assert " / onnxruntime-cpu int8, loaded in " in statement


def test_without_the_derived_file_the_model_itself_serves_and_the_reason_says_so(
    tmp_path: Path, networks: Callable[..., Networks], heard: Heard
) -> None:
    understanding(tmp_path)
    shelf(tmp_path)
    network = networks().load(MODEL, FILE)
    assert network.run is not None
    assert network.run(INPUTS)["vector"].shape == (2, 32)
    assert (network.backend, network.reason) == ("onnxruntime-cpu", "")
    assert tried(network) == ["onnxruntime-cpu int8", "onnxruntime-cpu"]
    serving, refused = why((network,))
    assert serving.startswith("model: onnxruntime-cpu，加载 ")
    assert refused.startswith("onnxruntime-cpu int8: 模型未安装 → 请运行 `appliance models pull understand-zh` / ")
    assert "expected model.int8.dynamic.onnx, made when the model is installed, found none" in refused
    assert "Run `appliance models pull understand-zh`" in refused
    assert str(tmp_path) not in "".join([serving, refused]), "the page shows it: no path of the machine"
    attempts = heard.of("backend_attempt")
    assert [(event["backend"], event["ok"]) for event in attempts] == [
        ("onnxruntime-cpu int8", False),
        ("onnxruntime-cpu", True),
    ]


def of_another_source(path: Path) -> None:
    note = path.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"source": "0" * 64}))


def of_another_revision(path: Path) -> None:
    note = path.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"revision": REVISION + 1}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"), "expected ("),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "another size"),
        (lambda path: path.with_suffix(".json").write_text("{"), "expected the record of model.int8.dynamic.onnx"),
        (of_another_source, "0" * 64),
        (of_another_revision, f", {REVISION + 1},"),
    ],
    ids=["another byte", "cut", "broken record", "another source", "another revision"],
)
def test_a_corrupt_derived_file_is_refused_and_the_model_itself_serves(
    store: ModelStore, networks: Callable[..., Networks], tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    damage(paths(store)[0])
    fresh = networks()
    network = fresh.load(MODEL, FILE)
    assert tried(network) == ["onnxruntime-cpu int8", "onnxruntime-cpu"]
    assert served(fresh) == [("model.onnx", "fp32")]
    _, refused = why((network,))
    assert refused.startswith("onnxruntime-cpu int8: 模型文件损坏或被替换 → ")
    assert said in refused
    assert "appliance models pull understand-zh" in refused
    assert str(tmp_path) not in refused
    derive(shelf(tmp_path), MODEL)
    assert tried(networks().load(MODEL, FILE)) == ["onnxruntime-cpu int8"], "what the reason says to run mends it"


def test_a_derived_file_that_does_not_load_is_refused_too(store: ModelStore, networks: Callable[..., Networks]) -> None:
    """Whole by its record, but no network: the hash proves who made it, and the warm-up that it works."""
    path = paths(store)[0]
    path.write_bytes(b"no network")
    note = path.with_suffix(".json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"sha256": sha256_of(path), "size": 10}))
    network = networks().load(MODEL, FILE)
    assert tried(network) == ["onnxruntime-cpu int8", "onnxruntime-cpu"]
    assert network.run is not None
    assert "expected to load" in why((network,))[1]


def test_each_backend_is_tried_with_what_is_derived_for_it_first(
    tmp_path: Path, networks: Callable[..., Networks]
) -> None:
    understanding(tmp_path, derived=(INT8, FP16, QDQ))
    derive(shelf(tmp_path), MODEL)
    settings = Settings(backends=("onnxruntime-cuda", "onnxruntime-cpu"), onnxruntime_threads=1)
    network = networks(settings).load(MODEL, FILE)
    order = ["onnxruntime-cuda fp16", "onnxruntime-cuda", "onnxruntime-cpu int8", "onnxruntime-cpu"]
    assert tried(network) == order[: len(tried(network))]
    assert network.run is not None
    if "onnxruntime-cpu int8" in tried(network):  # as everywhere without a GPU
        assert network.backend == "onnxruntime-cpu"
        assert "CUDAExecutionProvider" in why((network,))[1]


def test_what_is_derived_for_a_backend_that_is_not_set_is_not_looked_at(
    tmp_path: Path, networks: Callable[..., Networks]
) -> None:
    understanding(tmp_path, derived=(FP16, QDQ))
    shelf(tmp_path)
    assert tried(networks().load(MODEL, FILE)) == ["onnxruntime-cpu"]


def test_a_derived_file_alone_does_not_serve_a_damaged_model(
    store: ModelStore, networks: Callable[..., Networks], heard: Heard, tmp_path: Path
) -> None:
    (store.home(MODEL) / FILE).write_bytes(b"damaged")
    network = networks().load(MODEL, FILE)
    assert (network.run, network.backend, network.selection) == (None, "none", None)
    assert "expected" in network.reason
    assert "appliance models pull understand-zh" in network.reason
    assert str(tmp_path) not in network.reason
    assert network.refusals("intent") == (f"intent: {network.reason}",)
    assert heard.of("model_load") == [{"model": "understand-zh/model.onnx", "backend": "none", "ok": False}]


def test_what_is_not_known_or_not_installed_is_refused_with_the_reason(
    tmp_path: Path, networks: Callable[..., Networks]
) -> None:
    understanding(tmp_path)
    missing, unknown = networks().load(MODEL, FILE), networks().load("ghost", FILE)
    assert (missing.run, unknown.run) == (None, None)
    assert "expected the file, found none" in missing.reason
    assert "appliance models pull understand-zh" in missing.reason
    assert "ghost: expected a manifest of this name, got ['understand-zh']" in unknown.reason
    assert networks().load(MODEL, "no-file.onnx").run is None


def test_no_backend_at_all_is_said(store: ModelStore, networks: Callable[..., Networks]) -> None:
    network = networks(Settings(backends=())).load(MODEL, FILE)
    assert (network.run, network.backend) == (None, "none")
    said = "intent: 设置 backends 中没有可用的 / the setting backends names none that may serve it"
    assert network.refusals("intent") == (said,)


def test_a_network_is_served_by_the_backends_of_its_manifest_alone(
    tmp_path: Path, networks: Callable[..., Networks]
) -> None:
    understanding(tmp_path, derived=(), backends=["onnxruntime-cpu"])
    shelf(tmp_path)
    found = networks(Settings(onnxruntime_threads=1)).load(MODEL, FILE)
    assert tried(found) == ["onnxruntime-cpu"]
    assert (
        "names none that may serve it" in networks(Settings(backends=("tensorrt",))).load(MODEL, FILE).refusals("x")[0]
    )


def test_two_models_serve_side_by_side_and_are_released_one_by_one(
    store: ModelStore, tmp_path: Path, networks: Callable[..., Networks]
) -> None:
    tagging(tmp_path)
    derive(shelf(tmp_path), "entities-zh")
    both = networks()
    encoder, tagger = both.load(MODEL, FILE), both.load("entities-zh", "tagger.onnx")
    assert served(both) == [("tagger.int8.dynamic.onnx", "int8"), ("model.int8.dynamic.onnx", "int8")], "by their names"
    assert len(why((encoder, tagger))) == 2
    both.release(encoder)
    assert served(both) == [("tagger.int8.dynamic.onnx", "int8")]
    assert encoder.run is not None
    assert tagger.run is not None
    with pytest.raises(ApplianceError):
        encoder.run(INPUTS)
    assert tagger.run({"characters": np.array([[2, 3]]), "hints": np.array([[0, 0]])})["emissions"].shape == (1, 2, 3)
    both.close()
    assert both.backends == ()
    with pytest.raises(ApplianceError):
        tagger.run({"characters": np.array([[2, 3]]), "hints": np.array([[0, 0]])})
    refused = networks().load("ghost", FILE)
    both.release(refused)  # there is nothing to release


def test_networks_run_lighter_where_that_is_installed_and_others_are_named(
    store: ModelStore, networks: Callable[..., Networks]
) -> None:
    started = networks()
    assert started.load(MODEL, FILE).run is not None
    (backend,) = started.backends
    assert backend.candidate == "onnxruntime-cpu int8"
    ((name, reason),) = started.lighten(True).items()
    assert name == backend.spec.name
    assert "already" in reason
    backend.prefer("onnxruntime-cpu")  # as where another precision is the better one, on a GPU
    assert started.lighten(True) == {}
    assert backend.candidate == "onnxruntime-cpu int8"
    backend.prefer("onnxruntime-cpu")
    assert started.lighten(False) == {}
    assert backend.candidate == "onnxruntime-cpu int8", "the best again, which is the light one here"


def test_a_network_without_a_lighter_variant_is_named(tmp_path: Path, networks: Callable[..., Networks]) -> None:
    understanding(tmp_path, derived=())
    shelf(tmp_path)
    started = networks()
    assert started.load(MODEL, FILE).run is not None
    (reason,) = started.lighten(True).values()
    assert "no lighter variant" in reason
