"""`appliance engines ...` as an integrator runs it, on a small real model and a fake device."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.app import bundled
from appliance.app.derive import derive
from appliance.app.engines import Engines
from appliance.cli import engines as module
from appliance.cli.exits import Exit, exit_for
from appliance.errors import BackendFailed, InvalidInput
from appliance.inference.tensorrt.cuda_bindings import CudaBindingsDevice
from tests.app.test_derive import QDQ, shelf, understanding

sys.path.append(str(Path(__file__).parent.parent / "inference" / "tensorrt"))  # tests are no packages

import fake_trt  # noqa: E402
from fake_cuda import Cudart, Gpu  # noqa: E402


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """A fake device; the data folder holds one installed model with its int8 file."""
    understanding(tmp_path, derived=(QDQ,))
    store = shelf(tmp_path)
    derive(store, "understand-zh")
    for name in [name for name in os.environ if name.startswith("APPLIANCE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(store.root.parent))
    monkeypatch.setattr(bundled, "shipped_root", lambda: tmp_path / "manifests")
    made = Gpu()
    trt = fake_trt.make(made)
    made.trt = trt  # type: ignore[attr-defined]
    device = partial(lambda gpu: CudaBindingsDevice(Cudart(gpu)), made)
    monkeypatch.setattr(module, "Engines", partial(Engines, library=lambda: trt, device=device, root=tmp_path))
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(module.app, list(arguments))


def test_build_list_verify_prune(gpu: Gpu) -> None:
    listed = run("list")
    assert listed.exit_code == Exit.OK
    assert listed.stdout.count("未编译 / not built") == 2
    built = run("build")
    assert built.exit_code == Exit.OK, built.stderr
    assert "understand-zh/model int8: 已编译 / built  intent_accuracy 1.0000" in built.stdout
    assert "[1/2] understand-zh/model int8" in built.stderr
    assert "measuring on the model's cases" in built.stderr
    assert "已有 / there already" in run("build").stdout
    assert run("list").stdout.count("可用 / ready  intent_accuracy 1.0000") == 2
    assert "2 个引擎 / engines" in run("verify").stdout
    assert run("prune").stdout == ""
    gpu.trt.__version__ = "10.7.0"  # type: ignore[attr-defined]
    assert "其他 / others: 2" in run("list").stdout
    pruned = run("prune", "--limit-mb", "0")
    assert pruned.stdout.count("已删除 / removed") == 2


def test_json_for_machines(gpu: Gpu) -> None:
    built = json.loads(run("build", "--json", "understand-zh/model").stdout)
    assert [(row["precision"], row["result"], row["value"]) for row in built["engines"]] == [
        ("int8", "built", 1.0),
        ("fp32", "built", 1.0),
    ]
    assert built["exit"] == 0
    listed = json.loads(run("list", "--json").stdout)
    assert [row["state"] for row in listed["engines"]] == ["ready", "ready"]
    assert listed["others"] == []
    verified = json.loads(run("verify", "--json").stdout)
    assert [row["problem"] for row in verified["engines"]] == ["", ""]
    assert json.loads(run("prune", "--json", "--limit-mb", "0").stdout) == {"removed": []}


def test_a_damaged_engine_is_told_and_built_again(gpu: Gpu) -> None:
    run("build")
    root = Path(json.loads(run("list", "--json").stdout)["root"])
    plan = next(root.rglob("engine.plan"))
    plan.write_bytes(plan.read_bytes()[:-1])
    verified = run("verify")
    assert verified.exit_code == Exit.CORRUPT
    assert "已损坏 / corrupt" in verified.stdout
    assert "已损坏 / corrupt" in run("list").stdout
    again = run("build")
    assert again.exit_code == Exit.OK
    assert sorted(line.split()[2] for line in again.stdout.splitlines()) == ["已有", "已编译"]
    assert run("verify").exit_code == Exit.OK


def test_what_fails_is_said_with_its_remedy_and_the_rest_is_built(gpu: Gpu) -> None:
    gpu.trt.faults.append("plan")  # type: ignore[attr-defined]
    result = run("build")
    assert result.exit_code == Exit.FAILED
    assert "Could not find any implementation" in result.stderr
    assert "int8: 失败 / failed" in result.stdout
    assert "fp32: 已编译 / built" in result.stdout


def test_a_refusal_is_the_gate_at_work_and_no_failure(gpu: Gpu) -> None:
    gpu.trt.useless = True  # type: ignore[attr-defined]
    result = run("build")
    assert result.exit_code == Exit.OK
    assert result.stdout.count("未达标，不使用 / refused by its gate") == 2
    assert run("list").stdout.count("refused by its gate") == 2


def test_a_name_that_nothing_has(gpu: Gpu) -> None:
    result = run("build", "nobody")
    assert isinstance(result.exception, InvalidInput)
    assert exit_for(result.exception) == Exit.USAGE


def test_without_tensorrt_one_error_says_so(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> object:
        raise BackendFailed("tensorrt: expected to import tensorrt, got none")

    monkeypatch.setattr(module, "Engines", partial(Engines, library=none))
    assert isinstance(run("build").exception, BackendFailed)
    listed = run("list")
    assert listed.exit_code == Exit.OK
    assert listed.stdout.count("本机无法判断") == 2
    assert listed.stdout.count("expected to import tensorrt") == 1
    assert run("verify").exit_code == Exit.OK
    assert run("prune").exit_code == Exit.OK


def test_the_file_of_a_precision_is_made_where_it_is_missing(gpu: Gpu, tmp_path: Path) -> None:
    for path in tmp_path.rglob("model.int8.qdq.*"):
        path.unlink()
    result = run("build")
    assert result.exit_code == Exit.OK
    assert "生成 / making model.int8.qdq.onnx" in result.stderr
    assert "int8: 已编译 / built" in result.stdout


def test_a_model_that_is_not_installed_is_named(gpu: Gpu, tmp_path: Path) -> None:
    for path in tmp_path.rglob("models/understand-zh/*/model.onnx"):
        path.unlink()
    result = run("build")
    assert result.exit_code == Exit.UNAVAILABLE
    assert "model.onnx" in result.stderr
    assert "appliance models pull understand-zh" in result.stderr
    assert "built" not in result.stdout
