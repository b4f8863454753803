"""`appliance models pull` and `import` make other precisions of small models; what cannot be made fails nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from appliance.artifacts.store import ModelStore
from appliance.cli import models as module
from appliance.cli.exits import Exit
from tests.app.test_derive import FP16, INT8, paths, shelf, understanding

NAME = "understand-zh"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `understanding` writes, and whose manifests the command knows; models go into its models/."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "APPLIANCE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(module, "shipped_root", lambda: tmp_path / "manifests")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(module.app, list(arguments))


def store(home: Path) -> ModelStore:
    return shelf(home, install=False)


def marks(home: Path) -> list[tuple[str, int, int]]:
    """Every derived file with what changes when it is written anew."""
    folder = store(home).home(NAME) / "derived"
    return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir())


def test_pull_makes_what_is_derived_and_a_second_pull_nothing(home: Path) -> None:
    understanding(home, derived=(INT8, FP16))
    result = run("pull")
    assert (result.exit_code, result.stdout) == (Exit.OK, f"{NAME}: 已安装 / installed\n")
    assert len(marks(home)) == 2, "nothing here computes on CUDA: one file with its record"
    assert run("pull", "--every-precision").exit_code == Exit.OK
    assert all(path.is_file() for path in paths(store(home)))
    before = marks(home)
    assert len(before) == 4, "two files with their records"
    result = run("pull")
    assert (result.exit_code, result.stdout) == (Exit.OK, f"{NAME}: 已安装 / installed already\n")
    assert marks(home) == before


def test_pull_makes_anew_what_is_gone_from_a_model_that_is_whole(home: Path) -> None:
    understanding(home, derived=(INT8,))
    run("pull")
    (path,) = paths(store(home))
    path.write_bytes(b"damaged")
    assert run("pull", NAME).exit_code == Exit.OK
    assert path.stat().st_size > 1000
    path.with_suffix(".json").unlink()
    assert run("pull", NAME).exit_code == Exit.OK
    assert path.with_suffix(".json").is_file()


def test_import_makes_what_is_derived(home: Path) -> None:
    folder = understanding(home, derived=(INT8,))
    result = run("import", str(folder / "model.onnx"))
    assert (result.exit_code, result.stdout) == (Exit.OK, f"{NAME}: 已安装 / installed\n")
    assert paths(store(home))[0].is_file()


def test_a_refused_precision_is_told_and_fails_nothing(home: Path) -> None:
    understanding(home, derived=(INT8, FP16), loud=True)
    for result in (run("pull", "--every-precision"), run("pull", NAME)):  # tried again each time, and never in the way
        assert result.exit_code == Exit.OK
        assert f"{NAME}: 已安装 / installed" in result.stdout
        assert "派生模型未达标 / model.int8.dynamic.onnx: expected intent_accuracy of at least 0.9" in result.stderr
        assert "原模型继续服务" in result.stderr
        assert "The model's own file serves" in result.stderr
    int8, fp16 = paths(store(home))
    assert (int8.exists(), fp16.exists()) == (False, True)
    assert run("verify", NAME).exit_code == Exit.OK


def test_a_refused_precision_in_json_counts_for_nothing(home: Path) -> None:
    understanding(home, derived=(INT8,), loud=True)
    told = json.loads(run("pull", NAME, "--json").stdout)
    (row,) = told["models"]
    assert (told["exit"], row["result"], row["counts"]) == (0, "installed", False)
    assert row["error"]["code"] == "gate_refused"
    assert "expected intent_accuracy of at least 0.9" in row["error"]["message"]


def test_a_refused_precision_after_an_import_fails_nothing_either(home: Path) -> None:
    folder = understanding(home, derived=(INT8,), loud=True)
    result = run("import", str(folder / "model.onnx"))
    assert result.exit_code == Exit.OK
    assert "派生模型未达标" in result.stderr
    assert store(home).state(NAME).state == "installed"


def test_a_mistake_in_the_manifest_or_a_full_disk_does_count(home: Path) -> None:
    understanding(home, derived=(INT8 | {"recipe": "magic"},))
    result = run("pull")
    assert result.exit_code == Exit.USAGE
    assert "expected a recipe of dynamic, half, qdq, qdq-products, got magic" in result.stderr
    understanding(home, derived=(INT8,))
    (store(home).home(NAME) / "derived").write_text("a file where a folder should be")
    result = run("pull", "--json")
    (row,) = json.loads(result.stdout)["models"]
    assert (result.exit_code, row["error"]["code"], row["counts"]) == (Exit.FAILED, "storage_failed", True)


def test_a_model_that_could_not_be_had_is_not_derived_from(home: Path) -> None:
    folder = understanding(home, derived=(INT8,))
    (folder / "model.onnx").unlink()
    result = run("pull")
    assert result.exit_code == Exit.UNAVAILABLE
    assert "no source gave model.onnx" in result.stderr
    assert not store(home).home(NAME).exists()


def test_remove_takes_what_was_derived_with_it(home: Path) -> None:
    understanding(home, derived=(INT8, FP16))
    run("pull", "--every-precision")
    derived = sum(path.stat().st_size for path in paths(store(home)))
    removed = json.loads(run("remove", NAME, "--json").stdout)["removed"]
    assert removed[NAME] > store(home).manifest(NAME).size + derived
    assert not (home / "models" / NAME).exists()
