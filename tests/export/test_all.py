"""`python -m export.all` on small real models: everything is made, gated and measured once, and what fails is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("onnxslim")

import onnx  # noqa: E402
from rich.console import Console  # noqa: E402

from appliance.errors import ModelMismatch  # noqa: E402
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec  # noqa: E402
from export import all as everything  # noqa: E402
from export import arrival, figures, variants  # noqa: E402
from export.code import code_of  # noqa: E402
from tests.app.test_derive import FP16, INT8, QDQ, shelf, understanding  # noqa: E402
from tests.app.test_engines import Board  # noqa: E402

torch.set_num_threads(1)  # more wait for each other longer than so small networks compute

pytestmark = pytest.mark.torch
NAME = "tiny-zh"
STEPS = 5
"""Arrival, int8, fp16, fp16 in real halves, figures."""


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The command on the models under `tmp_path`; its exit code and everything that it said."""

    def running(*more: str) -> tuple[int, str]:
        places = {"--models": "manifests", "--work": "work", "--data-dir": "data"}
        arguments = [part for option, name in places.items() for part in (option, str(tmp_path / name))]
        code = everything.main([*arguments, *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    return running


def rows(tmp_path: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((tmp_path / "work" / "table.json").read_text("utf-8"))["rows"]
    return {f"{row['network']} {row['precision']}": row for row in found}


def precisions(folder: Path, *names: str) -> None:
    path = folder / "manifest.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["networks"]["model.onnx"]["precisions"] = list(names)
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


def test_every_precision_is_made_and_measured_once(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    understanding(tmp_path, name=NAME, derived=(INT8, FP16, FP16 | {"backend": "tensorrt"}))
    code, said = run()
    assert code == 0, said
    assert f"{STEPS} steps run, 0 taken as they were" in said
    assert everything.NO_ENGINES in said
    found = rows(tmp_path)
    assert list(found) == [f"{NAME}/model.onnx {what}" for what in ("fp32", "int8 dynamic", "fp16 half")]
    for row in found.values():
        assert row["value"] >= row["threshold"] > 0
        assert row["cpu_ms"] > 0
        assert row["bytes"] > 0
        assert row["problem"] == ""
    whole, eight, half = found.values()
    assert half["backends"] == ["onnxruntime-cuda", "tensorrt"]  # one file for both
    assert whole["parity"] is None  # it came as ONNX: there is nothing that it was made of
    assert 0 < half["parity"] < eight["parity"]
    assert half["halves"] == half["value"]
    page = (tmp_path / "work" / "table.md").read_text("utf-8")
    assert page.count(f"| {NAME}/model.onnx |") == 3
    assert "## Refused" not in page
    assert "opset 18 and IR 9, runs at 2 sizes" in page

    code, said = run()
    assert code == 0, said
    assert f"0 steps run, {STEPS} taken as they were" in said
    assert rows(tmp_path) == found


def test_what_changed_is_made_again_and_nothing_else(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    understanding(tmp_path, name=NAME, derived=(INT8,))
    understanding(tmp_path, name="other-zh", derived=())
    assert run()[0] == 0
    # A file that was deleted, and what was measured of it.
    (made,) = (tmp_path / "work" / "models" / NAME).glob("*/derived/*.onnx")
    made.unlink()
    assert "1 steps run, 4 taken" in run()[1]
    assert made.is_file()
    # A file that is damaged.
    made.write_bytes(made.read_bytes()[:-1])
    assert "1 steps run, 4 taken" in run()[1]
    # Another network under the name: its weights are others, so all of it is made.
    understanding(tmp_path, name=NAME, derived=(INT8,), more="新")
    assert "3 steps run, 2 taken" in run()[1]


def test_a_run_that_was_killed_goes_on(
    tmp_path: Path, run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    understanding(tmp_path, name=NAME, derived=(INT8,))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(figures, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert "1 steps run, 2 taken as they were" in run()[1]


def test_a_promised_file_that_is_refused_fails_the_run(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    understanding(tmp_path, name=NAME, derived=(INT8, FP16), loud=True)
    code, said = run("--no-halves")
    assert code == 1
    found = rows(tmp_path)
    eight, half = (found[f"{NAME}/model.onnx {what}"] for what in ("int8 dynamic", "fp16 half"))
    assert "expected intent_accuracy of at least 0.9" in eight["problem"]
    assert eight["problem"] in said
    assert eight["bytes"] is None
    assert half["problem"] == ""  # one that is refused keeps no other from being made
    assert half["cpu_ms"] > 0
    code, said = run("--no-halves")  # and it is not forgotten the second time
    assert code == 1
    assert "0 steps run" in said


def test_a_precision_that_is_only_tried_may_be_refused(
    tmp_path: Path, run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = understanding(tmp_path, name=NAME, derived=(FP16,), loud=True)
    precisions(folder, "fp32", "fp16", "int8")
    monkeypatch.setattr(variants, "TRIALS", {"fp16": "half", "int8": INT8["recipe"]})
    code, said = run("--no-halves")
    assert code == 0, said
    half, tried = (rows(tmp_path)[f"{NAME}/model.onnx {what}"] for what in ("fp16 half", "int8 dynamic"))
    assert (half["promised"], half["problem"]) == (True, "")
    assert not tried["promised"]
    assert "expected intent_accuracy of at least 0.9" in tried["problem"]
    assert f"refused, and not promised: {NAME}/model.onnx int8 dynamic" in said


def test_one_network_that_fails_leaves_the_others(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    # By its name it ought to be the project's own, and its weights are none of that module's.
    understanding(tmp_path, name="understand-zh", derived=())
    understanding(tmp_path, name=NAME, derived=())
    code, said = run()
    assert code == 1
    assert "understand-zh/model.onnx: ValueError: model.onnx: expected the parameter" in said
    assert list(rows(tmp_path)) == [f"{NAME}/model.onnx fp32"]


def test_a_model_that_is_not_here_says_how_to_get_it(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    path = understanding(tmp_path, name=NAME, derived=()) / "manifest.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["files"][0]["sources"] = [{"https": "https://example.org/model.onnx"}]
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    code, said = run()
    assert code == 1
    assert f"appliance models pull {NAME}" in said


def test_only_what_is_asked_for(tmp_path: Path, run: Callable[..., tuple[int, str]]) -> None:
    for name in (NAME, "other-zh"):
        understanding(tmp_path, name=name, derived=())
    for asked in ("other-zh", "other-zh/model", "other-zh/model.onnx"):
        assert run("--only", asked)[0] == 0
        assert list(rows(tmp_path)) == ["other-zh/model.onnx fp32"]
    code, said = run("--only", "nobody")
    assert code == 2
    assert f"expected names of other-zh, other-zh/model, other-zh/model.onnx, {NAME}" in said
    assert "got nobody" in said


def spec(*profiles: tuple[int, int, int]) -> ModelSpec:
    """Pictures whose height has these profiles."""
    found = tuple(ShapeProfile(*({"height": size} for size in sizes)) for sizes in profiles)
    return ModelSpec("tiny", (TensorSpec("x", "float32", (1, "height")),), (), profiles=found)


@pytest.mark.parametrize(
    "profiles, sizes",
    [
        ([(1, 1, 1)], [1]),
        ([(1, 32, 128)], [1, 32, 43]),
        # Multiples of 32, of which one is an odd one and none is a profile's own.
        ([(32, 352, 640), (640, 1440, 1600)], [32, 352, 224, 640, 1440, 992]),
    ],
)
def test_sizes_are_those_of_profiles_and_one_between(profiles: list[tuple[int, int, int]], sizes: list[int]) -> None:
    assert [one["height"] for one in arrival.sizes_of(spec(*profiles))] == sizes


def doubling(path: Path, version: int = 18, ir: int = 10, unused: int = 0) -> Path:
    """A network that doubles, with so many numbers that nothing reads."""
    helper = onnx.helper
    tensor = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("Add", ["same", "x"], ["y"]),
        *([helper.make_node("Identity", ["unused"], ["nothing"])] if unused else []),
    ]
    stored = [onnx.numpy_helper.from_array(np.zeros(unused, np.float32), "unused")] if unused else []
    kinds = ([tensor(name, onnx.TensorProto.FLOAT, [1, "height"])] for name in ("x", "y"))
    graph = helper.make_graph(nodes, "doubling", *kinds, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=ir)
    onnx.save(model, str(path))
    return path


def test_a_file_that_arrives_is_slimmed_where_that_changes_nothing(tmp_path: Path) -> None:
    path = doubling(tmp_path / "doubling.onnx", unused=1000)
    found = arrival.check(spec((1, 8, 64)), path, tmp_path / "slim.onnx")
    assert (found.opset, found.ir, found.shapes) == (18, 10, 3)
    assert found.slim.why == ""
    assert found.slim.difference == 0
    assert found.slim.size == (tmp_path / "slim.onnx").stat().st_size < path.stat().st_size


def test_a_slimmed_file_that_gives_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxslim

    def tripling(path: str) -> Any:
        model = onnx.load(path)
        model.graph.node[1].op_type = "Mul"
        return model

    path = doubling(tmp_path / "doubling.onnx")
    with monkeypatch.context() as patched:
        patched.setattr(onnxslim, "slim", tripling)
        found = arrival.check(spec((1, 8, 64)), path, tmp_path / "slim.onnx")
    assert found.slim.why.startswith("its outputs differ by ")
    assert not (tmp_path / "slim.onnx").exists()


@pytest.mark.parametrize("version, ir", [(19, 10), (18, 11)])
def test_a_file_that_is_too_new_is_refused(tmp_path: Path, version: int, ir: int) -> None:
    path = doubling(tmp_path / "doubling.onnx", version, ir)
    with pytest.raises(ModelMismatch, match="expected opset up to 18 and IR up to 10"):
        arrival.check(spec((1, 8, 64)), path, tmp_path / "slim.onnx")


def test_outputs_of_other_shapes_or_other_numbers_are_far_apart() -> None:
    ones = np.ones((2, 3), np.float32)
    assert arrival.difference([[ones]], [[ones + 0.5]]) == 0.5
    assert arrival.difference([[ones]], [[ones[:1]]]) == np.inf
    assert arrival.difference([[ones.astype(np.int64)]], [[ones.astype(np.int64)]]) == 0
    assert arrival.difference([[ones.astype(np.int64)]], [[2 * ones.astype(np.int64)]]) == np.inf


def test_the_code_of_a_step_is_all_that_it_imports() -> None:
    names = {path.name for path in code_of("export.figures")}
    assert {"figures.py", "derive.py", "gates.py", "quantise.py", "gate.py", "variants.py"} <= names
    assert "to_onnx.py" not in names
    # What is imported inside a function counts, too.
    assert "half.py" not in {path.name for path in code_of("export.figures")}
    assert {"rebuild.py", "half.py"} <= {path.name for path in code_of("export.steps")}
    with pytest.raises(FileNotFoundError, match="expected a module of appliance, export"):
        code_of("torch")


def test_in_the_end_engines_are_built_where_there_is_a_device_and_found_the_next_time(tmp_path: Path) -> None:
    understanding(tmp_path, derived=(INT8, QDQ))
    board, console = Board(tmp_path, shelf(tmp_path)), Console(quiet=True)
    built = everything.engines_built(board.engines, (), console)
    assert built == (["engine understand-zh/model int8: built", "engine understand-zh/model fp32: built"], False)
    found, failed = everything.engines_built(board.engines, ("understand-zh/model.onnx",), console)
    assert (found, failed) == ([line.replace("built", "present") for line in built[0]], False)
    assert everything.engines_built(board.engines, ("nobody",), console) == ([], False)


def test_an_engine_that_cannot_be_had_is_named_and_fails(tmp_path: Path) -> None:
    understanding(tmp_path, derived=())
    lines, failed = everything.engines_built(
        Board(tmp_path, shelf(tmp_path, install=False)).engines, (), Console(quiet=True)
    )
    assert failed
    assert len(lines) == 1
    assert lines[0].startswith("engine understand-zh/model fp32: understand-zh: ")
