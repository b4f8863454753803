"""Engines of small real models on a fake device: which are wanted, built, gated, found again and pruned."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.app.derive import derive
from appliance.app.engines import Engines
from appliance.app.networks import Networks
from appliance.app.wanted import refusal
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, BackendFailed, EngineMissing, GateRefused, InvalidInput, ModelMissing
from appliance.inference.fallback import select
from appliance.inference.scheduler import Scheduler
from appliance.inference.tensorrt.cuda_bindings import CudaBindingsDevice
from appliance.settings import Settings
from tests.app.test_derive import FP16, INT8, QDQ, Heard, shelf, tagging, understanding

sys.path.append(str(Path(__file__).parent.parent / "inference" / "tensorrt"))  # tests are no packages

import fake_trt  # noqa: E402
from fake_cuda import Cudart, Gpu  # noqa: E402

MODEL, NETWORK = "understand-zh", "understand-zh/model"
INPUTS = {"input_ids": np.arange(2, 10).reshape(1, 8), "attention_mask": np.ones((1, 8), np.int64)}


class Board:
    """A fake device over one folder of models and engines; another one is another start of the program."""

    def __init__(self, home: Path, store: ModelStore, version: str = "10.3.0", **settings: Any) -> None:
        self.gpu = Gpu()
        self.trt = fake_trt.make(self.gpu, version)
        self.heard = Heard()
        self.engines = Engines(
            EngineStore(home / "engines", self.heard),
            store,
            Settings(**settings),
            library=lambda: self.trt,
            device=lambda: CudaBindingsDevice(Cudart(self.gpu)),
            root=home,
        )

    def results(self, *names: str) -> dict[str, str]:
        outcomes = [self.engines.build(one, self.heard) for one in self.engines.wanted(names)]
        return {f"{one.wanted.spec.name} {one.wanted.precision}": one.result for one in outcomes}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    understanding(tmp_path, derived=(INT8, QDQ))
    made = shelf(tmp_path)
    derive(made, MODEL)
    return made


@pytest.fixture
def board(tmp_path: Path, store: ModelStore) -> Board:
    return Board(tmp_path, store)


def test_a_network_that_only_the_cpu_may_serve_has_no_engine(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8, QDQ), backends=["onnxruntime-cpu"])
    tagging(tmp_path)
    engines = Board(tmp_path, shelf(tmp_path)).engines
    assert {one.spec.name for one in engines.wanted()} == {"entities-zh/tagger"}


def test_every_precision_of_every_network_is_wanted_the_best_first(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8, QDQ))
    tagging(tmp_path)
    engines = Board(tmp_path, shelf(tmp_path)).engines
    assert [(one.spec.name, one.precision) for one in engines.wanted()] == [
        ("entities-zh/tagger", "fp32"),
        (NETWORK, "int8"),
        (NETWORK, "fp32"),
    ]
    assert [one.precision for one in engines.wanted([NETWORK])] == ["int8", "fp32"]
    assert {one.model for one in engines.wanted(["entities-zh"])} == {"entities-zh"}
    with pytest.raises(InvalidInput, match=r"expected names of .*understand-zh/model.*got nobody"):
        engines.wanted(["nobody", MODEL])


def test_engines_are_built_gated_and_found_again(board: Board, tmp_path: Path, store: ModelStore) -> None:
    assert board.results() == {f"{NETWORK} int8": "built", f"{NETWORK} fp32": "built"}
    assert not board.gpu.held
    (best, plain) = board.engines.wanted()
    record = board.engines.store.find(board.engines.key(best))[1]
    assert (record.metric, record.value, record.threshold) == ("intent_accuracy", 1.0, 0.9)
    assert record.key.onnx != board.engines.key(plain).onnx
    again = Board(tmp_path, store)
    assert again.results() == {f"{NETWORK} int8": "present", f"{NETWORK} fp32": "present"}
    assert not again.heard.of("engines.progress")
    assert board.heard.of("engines.progress")
    assert [event["precision"] for event in board.heard.of("engines.gate")] == ["int8", "fp32"]


def test_the_best_engine_serves_and_computes_near_the_original(board: Board, store: ModelStore) -> None:
    board.results()
    candidates = board.engines.candidates(store.manifest(MODEL), "model.onnx")
    assert [candidate.name for candidate in candidates] == ["tensorrt int8", "tensorrt fp32"]
    outputs = []
    for candidate in candidates:
        with candidate.make() as backend:
            outputs.append(backend.infer(INPUTS)["intent"])
            assert backend.describe().precision == candidate.name.split()[1]
    assert np.abs(outputs[0] - outputs[1]).max() < 0.3
    assert not board.gpu.held


def test_what_was_not_built_says_what_to_run(board: Board, store: ModelStore) -> None:
    spec = store.manifest(MODEL).network("model.onnx")
    found = select(spec, board.engines.candidates(store.manifest(MODEL), "model.onnx"))
    assert found.backend is None
    assert "appliance engines build" in found.reason
    with pytest.raises(EngineMissing):
        board.engines.candidates(store.manifest(MODEL), "model.onnx")[0].make()


@pytest.mark.parametrize(
    "change",
    [
        {"version": "10.7.0"},
        {"gpu": "Thor"},
        {"release": "# R36 (release), REVISION: 5.0, GCID: 1"},
        {"profile": 24},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_library_device_release_or_profile_needs_another_engine(
    tmp_path: Path, store: ModelStore, board: Board, change: dict[str, Any]
) -> None:
    board.results()
    other = Board(tmp_path, store, change.get("version", "10.3.0"))
    if "gpu" in change:
        other.gpu.name = change["gpu"]
    if "release" in change:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc" / "nv_tegra_release").write_text(change["release"], "utf-8")
    wanted = other.engines.wanted()[0]
    if "profile" in change:
        (profile,) = wanted.spec.profiles
        larger = replace(profile, maximum={**profile.maximum, "n": change["profile"]})
        wanted = replace(wanted, spec=replace(wanted.spec, profiles=(larger,)))
    with pytest.raises(EngineMissing):
        other.engines.store.find(other.engines.key(wanted))
    assert other.engines.build(wanted).result == "built"
    assert board.engines.store.find(board.engines.key(board.engines.wanted()[0]))  # the old one is still there


def test_an_engine_below_its_threshold_is_refused_once_and_for_all(
    tmp_path: Path, store: ModelStore, board: Board
) -> None:
    """Halves that overflow score badly; here the fake's outputs are made useless."""
    board.trt.useless = True
    outcome = board.engines.build(board.engines.wanted()[0])
    assert outcome.result == "refused"
    assert isinstance(outcome.error, GateRefused)
    assert "expected an engine with intent_accuracy of at least 0.9" in outcome.error.detail
    board.trt.useless = False
    again = Board(tmp_path, store)
    assert again.engines.build(again.engines.wanted()[0]).result == "refused"
    with pytest.raises(GateRefused):
        again.engines.candidates(store.manifest(MODEL), "model.onnx")[0].make()
    assert again.engines.build(again.engines.wanted()[0], again=True).result == "built"


def test_a_gate_that_has_changed_is_asked_again(tmp_path: Path, store: ModelStore, board: Board) -> None:
    board.trt.useless = True
    strict = board.engines.wanted()[0]
    assert board.engines.build(strict).result == "refused"
    assert strict.spec.gate is not None
    lower = replace(strict, spec=replace(strict.spec, gate=replace(strict.spec.gate, threshold=0.0)))
    assert refusal(lower, board.engines.store.find(board.engines.key(lower))[1]) is not None  # nothing of it was kept
    assert board.engines.build(lower).result == "built"


def test_a_build_that_fails_is_an_outcome_and_the_next_goes_on(board: Board) -> None:
    board.trt.faults.append("plan")
    assert board.results() == {f"{NETWORK} int8": "failed", f"{NETWORK} fp32": "built"}
    board.trt.faults.append("execute")
    outcome = board.engines.build(board.engines.wanted()[0])
    assert outcome.result == "failed"
    assert outcome.error is not None
    assert "unspecified launch failure" in outcome.error.detail
    assert not board.gpu.held


def test_a_build_that_is_stopped_leaves_nothing_and_goes_on_later(board: Board) -> None:
    wanted = board.engines.wanted()[0]
    outcome = board.engines.build(wanted, stopped=lambda: True)
    assert outcome.result == "failed"
    assert not board.engines.store.entries()
    assert board.engines.build(wanted).result == "built"


def test_a_file_that_was_never_derived_is_missing(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(QDQ,))
    board = Board(tmp_path, shelf(tmp_path))
    with pytest.raises(ModelMissing, match=r"appliance models pull|made when the model is installed"):
        board.engines.build(board.engines.wanted()[0])
    assert board.engines.build(board.engines.wanted()[1]).result == "built"


def test_timings_are_kept_from_build_to_build(board: Board, tmp_path: Path, store: ModelStore) -> None:
    board.results()
    facts = board.engines.facts()
    assert board.engines.store.timing_cache(facts.tensorrt, facts.gpu, facts.capability) == b"++"
    assert Board(tmp_path, store).engines.store.timing_cache("11.4.0", facts.gpu, facts.capability) == b""


def test_weak_typing_builds_the_float32_file_and_is_another_engine(tmp_path: Path, store: ModelStore) -> None:
    weak = Board(tmp_path, store, engines_weak=True)
    assert weak.results() == {f"{NETWORK} fp16": "built", f"{NETWORK} fp32": "built"}
    key = weak.engines.key(weak.engines.wanted()[0])
    assert (key.typing, key.precision) == ("weak", "fp16")
    eleven = Board(tmp_path, store, "11.4.0", engines_weak=True)
    outcome = eleven.engines.build(eleven.engines.wanted()[0])
    assert outcome.result == "failed"
    assert "engines_weak" in str(outcome.error and outcome.error.remedy)


def test_pruning_keeps_what_serves(board: Board, tmp_path: Path, store: ModelStore) -> None:
    Board(tmp_path, store, "10.2.0").results()
    board.results()
    assert len(board.engines.store.entries()) == 4
    assert board.engines.prune() == ()
    removed = board.engines.prune(0)
    assert {entry.record.key.tensorrt for entry in removed if entry.record} == {"10.2.0"}
    assert len(removed) == 2
    assert board.results() == {f"{NETWORK} int8": "present", f"{NETWORK} fp32": "present"}


def test_without_a_device_there_is_one_candidate_that_says_so_and_nothing_is_pruned(
    board: Board, tmp_path: Path, store: ModelStore
) -> None:
    board.results()

    def none() -> Any:
        raise BackendFailed("tensorrt: expected to import tensorrt, got none")

    blind = Engines(EngineStore(tmp_path / "engines"), store, Settings(), library=none)
    (candidate,) = blind.candidates(store.manifest(MODEL), "model.onnx")
    assert candidate.name == "tensorrt"
    with pytest.raises(ApplianceError, match="expected to import tensorrt"):
        candidate.make()
    assert blind.prune(0) == ()
    assert len(blind.store.entries()) == 2


def test_the_governors_int8_step_goes_from_the_fp16_engine_to_the_int8_one_and_back(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(FP16 | {"backend": "tensorrt"}, QDQ))
    store = shelf(tmp_path)
    derive(store, MODEL)
    board = Board(tmp_path, store)
    assert board.results() == {f"{NETWORK} {precision}": "built" for precision in ("fp16", "int8", "fp32")}
    with Scheduler() as scheduler:
        networks = Networks(
            store.manifests, store, Settings(backends=("tensorrt",)), scheduler, board.heard, board.engines
        )
        try:
            assert networks.load(MODEL, "model.onnx").run is not None
            (backend,) = networks.backends
            assert backend.candidate == "tensorrt fp16"
            assert networks.lighten(True) == {}
            assert backend.candidate == "tensorrt int8"
            assert networks.lighten(False) == {}
            assert backend.candidate == "tensorrt fp16"
        finally:
            networks.close()


def test_an_int8_engine_that_was_not_built_is_named_and_the_one_that_serves_goes_on(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(FP16 | {"backend": "tensorrt"}, QDQ))
    store = shelf(tmp_path)
    derive(store, MODEL)
    board = Board(tmp_path, store)
    best = board.engines.wanted()[0]
    assert board.engines.build(best, board.heard).result == "built"
    with Scheduler() as scheduler:
        networks = Networks(
            store.manifests, store, Settings(backends=("tensorrt",)), scheduler, board.heard, board.engines
        )
        try:
            assert networks.load(MODEL, "model.onnx").run is not None
            (reason,) = networks.lighten(True).values()
            assert "engine" in reason
            (backend,) = networks.backends
            assert backend.candidate == "tensorrt fp16"
        finally:
            networks.close()


def test_of_the_shipped_networks_those_that_are_fp16_on_a_board_have_an_int8_engine_too(tmp_path: Path) -> None:
    engines = Board(tmp_path, ModelStore(tmp_path / "models", load_manifests(shipped_root()))).engines
    found: dict[str, list[str]] = {}
    for one in engines.wanted():
        found.setdefault(one.spec.name, []).append(one.precision)
    halves = {name for name, precisions in found.items() if precisions == ["fp16", "int8", "fp32"]}
    assert halves == {name for name, precisions in found.items() if "fp16" in precisions}
    assert {name.partition("/")[0] for name in halves} == {"ctc-pinyin-zh", "pp-ocrv6-small", "understand-zh"}
