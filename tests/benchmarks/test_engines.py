"""The benchmark of engines on a tiny installed model: what it writes and calls missed; TensorRT on a fake GPU."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.app.derive import derive
from appliance.app.engines import Engines
from appliance.artifacts.engines import EngineStore
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, EngineMissing
from appliance.inference.tensorrt.cuda_bindings import CudaBindingsDevice
from appliance.settings import Settings
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec
from benchmarks.engines.child import Session, inputs
from benchmarks.engines.measure import percentile
from benchmarks.engines.plan import BACKENDS, networks, refusals, shapes, subjects
from benchmarks.engines.result import NOT_YET, missed, sizes_of
from tests.app.test_derive import FP16, INT8, QDQ, paths, shelf, understanding
from tests.benchmarks.test_rails import ORIN_NX, board, with_mode
from tests.conftest import REPOSITORY

sys.path.append(str(REPOSITORY / "tests" / "inference" / "tensorrt"))  # tests are no packages

import fake_trt  # noqa: E402
from fake_cuda import Cudart, Gpu  # noqa: E402

NETWORK = "understand-zh/model"


@dataclass
class Fake:
    """A fake GPU with TensorRT on it."""

    gpu: Gpu = field(default_factory=lambda: Gpu(total=1 << 30))

    def __post_init__(self) -> None:
        self.trt = fake_trt.make(self.gpu)

    def device(self) -> CudaBindingsDevice:
        return CudaBindingsDevice(Cudart(self.gpu))

    def engines(self, home: Path, store: ModelStore) -> Engines:
        return Engines(
            EngineStore(home / "engines"), store, Settings(), library=lambda: self.trt, device=self.device, root=home
        )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a tiny model in all its precisions."""
    folder = tmp_path_factory.mktemp("home")
    understanding(folder, derived=(INT8, FP16, QDQ))
    derive(shelf(folder), "understand-zh")
    return folder


def run(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.engines", "--manifests", home / "manifests", *arguments]
    environment = os.environ | {"APPLIANCE_DATA_DIR": str(home)}
    return subprocess.run(
        [*map(str, command), "--rounds", "2", "--seconds", "0.02"],
        **{"cwd": REPOSITORY, "env": environment, "capture_output": True, "text": True, "timeout": 250, "check": False},
    )


@pytest.fixture(scope="module")
def measured(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one run wrote, on a board that has rails and neither TensorRT nor CUDA."""
    root, out = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("out")
    with_mode(board(root, ORIN_NX), "pmode:0002")
    done = run(home, "--out", out, "--root", root, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture
def result(measured: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((measured / "engines.json").read_text("utf-8"))
    return found


def row(result: dict[str, Any], backend: str, precision: str) -> dict[str, Any]:
    (found,) = (r for r in result["rows"] if (r["backend"], r["precision"]) == (backend, precision))
    return dict(found)


def test_each_precision_on_each_backend_is_a_row(result: dict[str, Any]) -> None:
    assert [(r["backend"], r["precision"]) for r in result["rows"]] == [
        ("tensorrt", "int8"),
        ("tensorrt", "fp32"),
        ("onnxruntime-cuda", "fp16"),
        ("onnxruntime-cuda", "fp32"),
        ("onnxruntime-cpu", "int8"),
        ("onnxruntime-cpu", "fp32"),
    ]
    for backend in ("tensorrt", "onnxruntime-cuda"):
        empty = row(result, backend, "fp32")
        assert (empty["state"], empty["shapes"], empty["value"]) == ("not here", [], None)
        assert backend.partition("-")[0] in empty["reason"]


def test_a_measured_row_has_everything(result: dict[str, Any]) -> None:
    for precision in ("int8", "fp32"):
        found = row(result, "onnxruntime-cpu", precision)
        assert (found["state"], found["reason"]) == ("measured", "")
        assert (found["metric"], found["value"], found["threshold"]) == ("intent_accuracy", 1.0, 0.9)
        assert found["load_ms"] > 0
        assert found["warm_ms"] > 0
        assert found["resident_mb"] is not None
        assert found["device_mb"] is None
        assert [(s["kind"], s["sizes"]) for s in found["shapes"]] == [
            ("minimum", {"batch": 1, "n": 8}),
            ("maximum", {"batch": 32, "n": 16}),
        ], "the optimum is the minimum here"
        for shape in found["shapes"]:
            assert shape["runs"] >= 2
            assert 0 < shape["p50_ms"] <= shape["p90_ms"] <= shape["p99_ms"]
            assert shape["runs_per_s"] > 0
            assert shape["cpu_ms"] > 0
    assert row(result, "onnxruntime-cpu", "int8")["sha256"] != row(result, "onnxruntime-cpu", "fp32")["sha256"]


def test_a_board_with_rails_has_power_energy_temperature_and_clocks(result: dict[str, Any]) -> None:
    assert result["rails"] == {"of": ["VDD_IN"], "idle_mw": round(5072 * 1.888)}
    assert result["machine"]["power_mode"] == "15W"
    facts = result["networks"][NETWORK]
    assert facts["before"]["celsius"] == facts["after"]["celsius"] == {"cpu-thermal": 51.312}
    assert facts["after"]["megahertz"]["17000000.gpu"] == 918
    for shape in row(result, "onnxruntime-cpu", "fp32")["shapes"]:
        assert shape["milliwatts"] == pytest.approx(5072 * 1.888, rel=1e-3)
        assert shape["joules"] * shape["runs_per_s"] == pytest.approx(shape["milliwatts"] / 1000, rel=1e-2)


def test_the_page_and_the_picture(measured: Path, result: dict[str, Any]) -> None:
    page = (measured / "engines.md").read_text("utf-8")
    assert f"| tensorrt | int8 | {NOT_YET} |" in page
    assert "| onnxruntime-cpu | int8 | batch 32, n 16 |" in page
    assert "VDD_IN in power mode 15W" in page
    assert result["networks"][NETWORK]["onnx"][:16] in page
    assert (measured / "engines.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_row_that_should_be_there_and_is_not_fails_the_check(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8,))
    (int8,) = derive(shelf(tmp_path), "understand-zh")
    int8.write_bytes(int8.read_bytes()[:-1])
    done = run(tmp_path, "--backends", "onnxruntime-cpu", "--check")
    assert done.returncode == 1
    (failed,) = (line for line in done.stdout.splitlines() if line.startswith("FAIL"))
    assert f"{NETWORK} on onnxruntime-cpu int8: expected it to be measured here, got" in failed
    assert int8.name in failed
    assert "| onnxruntime-cpu | fp32 | batch 32, n 16 |" in done.stdout, "the other row is measured all the same"


def test_a_name_that_no_network_has_is_refused(home: Path) -> None:
    done = run(home, "--networks", "nobody")
    assert done.returncode == 1
    assert "expected names of understand-zh, understand-zh/model, got nobody" in done.stderr


def of_shape(**fields: Any) -> Any:
    def change(row: dict[str, Any]) -> None:
        row["shapes"][0] |= fields

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.update(value=0.8999), "expected intent_accuracy of at least 0.9, got 0.8999"),
        (lambda row: row.update(value=None, reason="out of memory"), "of at least 0.9, got out of memory"),
        (lambda row: row.update(state="failed", reason="no file"), "expected it to be measured here, got no file"),
        (lambda row: row.update(shapes=[]), "expected shapes, got none"),
        (of_shape(p90_ms=9e9), "at n 8: expected 0 < p50 <= p90 <= p99, got"),
        (of_shape(p50_ms=0.0), "at n 8: expected 0 < p50 <= p90 <= p99, got"),
        (of_shape(error="too large", p50_ms=None), "at n 8: expected runs, got too large"),
        (of_shape(runs=0), "at n 8: expected runs, got none"),
    ],
)
def test_every_limit_that_is_missed_is_named(result: dict[str, Any], change: Any, said: str) -> None:
    assert missed(result) == []
    wrong = copy.deepcopy(result)
    change(next(row for row in wrong["rows"] if row["state"] == "measured"))
    (sentence,) = missed(wrong)
    assert sentence.startswith(f"{NETWORK} on onnxruntime-cpu int8")
    assert said in sentence
    assert missed(result | {"rows": []}), "nothing measured is nothing proven"


def test_percentiles_are_values_that_were_seen() -> None:
    hundred = [float(value) for value in range(100, 0, -1)]
    assert [percentile(hundred, share) for share in (50, 90, 99)] == [50, 90, 99]
    assert [percentile([3.0, 1.0, 2.0], share) for share in (50, 90, 99)] == [2, 3, 3]
    assert percentile([], 50) is None


def test_shapes_are_the_ends_and_the_middle_of_every_profile_each_once_and_say_which_profile_serves() -> None:
    spec = ModelSpec(
        "two",
        (TensorSpec("x", "float32", ("batch", "width")), TensorSpec("mask", "int64", ("batch",))),
        (),
        (
            ShapeProfile({"batch": 1, "width": 1}, {"batch": 1, "width": 4}, {"batch": 2, "width": 8}),
            ShapeProfile({"batch": 1, "width": 1}, {"batch": 1, "width": 12}, {"batch": 2, "width": 16}),
        ),
    )
    found = shapes(spec)
    assert [(s.kind, s.sizes["width"], s.profile) for s in found] == [
        *(("minimum", 1, 0), ("optimum", 4, 0), ("maximum", 8, 0)),
        *(("optimum", 12, 1), ("maximum", 16, 1)),
    ]
    assert [sizes_of({"sizes": s.sizes}) for s in (found[0], found[2])] == ["batch 1, width 1", "batch 2, width 8"]
    given = inputs(spec, found[2].sizes)
    assert given["x"].shape == (2, 8)
    assert 0 <= given["x"].min() < given["x"].max() < 1
    assert given["mask"].tolist() == [1, 1]
    (fixed,) = shapes(ModelSpec("fixed", (TensorSpec("x", "float32", (1, 2)),), ()))
    assert (fixed.sizes, sizes_of({"sizes": fixed.sizes})) == ({}, "its one shape")


def test_an_engine_is_measured_where_there_is_tensorrt(home: Path, tmp_path: Path) -> None:
    fake, store = Fake(), shelf(home)
    engines = fake.engines(tmp_path, store)
    assert refusals(engines)("tensorrt") == ""
    (network,) = networks(engines, store)
    int8, fp32, *_ = subjects(engines, store, network, BACKENDS)
    with pytest.raises(EngineMissing):
        Session(int8, store, engines, 1, fake.device)
    for wanted in engines.wanted():
        assert engines.build(wanted).error is None
    for subject in (int8, fp32):
        session = Session(subject, store, engines, 1, fake.device)
        hello = session.load()
        assert (hello["device"], hello["version"]) == ("cuda:0", "10.3.0")
        timed = session.answer({"sizes": {"batch": 32, "n": 16}, "seconds": 0})
        assert len(timed["ms"]) == 1
        assert session.answer({"score": True}) == {"value": 1.0}
        assert session.answer({"memory": True})["device_mb"] > 0
        with pytest.raises(ApplianceError):
            session.answer({"sizes": {"batch": 64, "n": 16}, "seconds": 0})
        session.close()
    assert paths(store)[2].name.endswith("int8.qdq.onnx"), "which is what the engine of int8 is built of"
