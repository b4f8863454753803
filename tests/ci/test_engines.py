"""What `make engines-check` finds in sources and reports; what it builds and downloads is its own business."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from appliance.app.derive import derive
from appliance.artifacts.manifest import load_manifests
from appliance.artifacts.store import ModelStore
from tests.app.test_derive import shelf, understanding
from tests.conftest import REPOSITORY


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Loads a file of .ci/engines under a name that clashes with nothing."""
    monkeypatch.setattr(sys, "path", [str(REPOSITORY / ".ci/engines"), *sys.path])

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"engines_{name}", REPOSITORY / f".ci/engines/{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # its dataclasses look there
        spec.loader.exec_module(module)
        return module

    return load


def found(script: Callable[[str], ModuleType], source: str) -> dict[str, Any]:
    """Uses of a snippet by name; of several, the last."""
    return {use.name: use for use in script("uses").uses(source, "snippet.py")}


@pytest.mark.parametrize(
    "source, names",
    [
        ("def f(trt):\n    return trt.BuilderFlag.TF32", {"BuilderFlag", "BuilderFlag.TF32"}),
        ("def f(self):\n    return self._trt.nptype(1)", {"nptype"}),
        (
            "def f(trt, builder):\n    builder.create_network(flags=1)",
            {"Builder.create_network", "Builder.create_network(flags=)"},
        ),
        (
            "class A(trt.IProgressMonitor):\n    def phase_start(self): ...\n    def _own(self): ...",
            {"IProgressMonitor", "IProgressMonitor.phase_start"},
        ),
        ("made = trt.Builder(it)\nmade.create_network()", {"Builder", "Builder.create_network"}),
        (
            "trt\nerrors = [parser.get_error(n) for n in range(3)]\n[e.desc() for e in errors]",
            {"OnnxParser.get_error", "ParserError.desc"},
        ),
        (
            "def f(trt, network):\n    for n, t in enumerate([network.get_input(0)]):\n        t.shape",
            {"INetworkDefinition.get_input", "ITensor.shape"},
        ),
        (
            "trt\nkept = config.get_timing_cache() if config else None\nkept.serialize().nbytes",
            {"IBuilderConfig.get_timing_cache", "ITimingCache.serialize", "IHostMemory.nbytes"},
        ),
        ("def f(trt):\n    flags = trt.BuilderFlag\n    return flags.REFIT", {"BuilderFlag", "BuilderFlag.REFIT"}),
        ("def f(trt):\n    return getattr(trt.BuilderFlag, 'FP16')", {"BuilderFlag", "BuilderFlag.FP16"}),
        ("class A:\n    def f(self, trt):\n        self._engine.name", {"ICudaEngine.name"}),
        # What only has the name of an object of TensorRT's
        ("def f(trt, network: str):\n    network.upper()", set()),
        ("def f(trt, spec):\n    return [profile.maximum for profile in spec.profiles]", set()),
        ("def f(trt):\n    for profile in many():\n        profile.maximum", set()),
        ("class A:\n    network: str\n    def f(self, trt):\n        self.network.upper()", set()),
        ("class A:\n    def f(self, trt):\n        self.context: Cuda = c\n        self.context.push()", set()),
        ("def f(driver):\n    context = driver.Context()\n    context.push()", set()),  # no `trt`: another library
    ],
)
def test_names_that_a_source_uses(script: Callable[[str], ModuleType], source: str, names: set[str]) -> None:
    assert set(found(script, source)) == names


@pytest.mark.parametrize(
    "source, name, behind",
    [
        ("def f(trt):\n    return getattr(trt.BuilderFlag, 'FP16', None)", "BuilderFlag.FP16", {"BuilderFlag.FP16"}),
        ("trt\nif hasattr(config, 'a'):\n    config.b()", "IBuilderConfig.b", {"IBuilderConfig.a"}),
        (
            "def f(trt, config):\n    if not hasattr(config, 'a'):\n        return\n    config.b()",
            "IBuilderConfig.b",
            {"IBuilderConfig.a"},
        ),
        ("trt\nif not hasattr(config, 'a'):\n    print()\nconfig.b()", "IBuilderConfig.b", set()),
        (
            "def f(trt, config):\n    if hasattr(config, 'a'):\n        print()\n    else:\n        config.b()",
            "IBuilderConfig.b",
            set(),
        ),
        ("def f(trt, config):\n    return hasattr(config, 'a') and config.a", "IBuilderConfig.a", {"IBuilderConfig.a"}),
        ("def f(trt):\n    return trt.New if hasattr(trt, 'New') else None", "New", {"New"}),
        ("def f(trt, x):\n    if hasattr(x, 'a') and hasattr(trt, 'B'):\n        trt.C", "C", {"B"}),
        ("def f(trt, config):\n    config.b()", "IBuilderConfig.b", set()),
    ],
)
def test_guards_are_what_a_name_stands_behind(
    script: Callable[[str], ModuleType], source: str, name: str, behind: set[str]
) -> None:
    use = found(script, source)[name]
    assert use.behind == behind
    assert use.guarded == bool(behind)


def test_a_comment_guards_the_names_in_it_and_no_others(script: Callable[[str], ModuleType]) -> None:
    uses = found(
        script,
        "def f(trt, config):\n"
        "    # guarded: set_flag, BuilderFlag.FP16\n"
        "    if trt.__version__ < '11':\n"
        "        config.set_flag(trt.BuilderFlag.FP16)\n"
        "        config.reset()\n"
        "    config.flags  # guarded: flags\n",
    )
    noted = {name for name, use in uses.items() if use.noted}
    assert noted == {"IBuilderConfig.set_flag", "BuilderFlag.FP16", "IBuilderConfig.flags"}


EXISTS = {"10": {"Old", "Both"}, "11": {"New", "NewToo", "Both"}, "rtx": {"Odd"}}


@pytest.mark.parametrize(
    "name, behind, noted, problem",
    [
        ("Both", set(), False, ""),
        ("Old", set(), False, "missing in 11"),
        ("Old", {"Old"}, False, ""),
        ("Old", set(), True, ""),
        ("Odd", {"Odd"}, False, ""),
        ("NewToo", {"New"}, False, ""),
        ("Old", {"New"}, False, "missing in 11"),  # the guard holds in 11, where the name is gone
        ("Slip", {"Slip"}, False, "found in none"),
        ("Slip", set(), True, "found in none"),
    ],
)
def test_what_a_missing_name_comes_to(
    script: Callable[[str], ModuleType], name: str, behind: set[str], noted: bool, problem: str
) -> None:
    use = script("uses").Use(name, "a.py:3", frozenset(behind), noted)
    report = script("names").judge([use], EXISTS, ("10", "11"))
    assert bool(report.problems) == bool(problem)
    if problem:
        assert problem in report.problems[0]
        assert report.problems[0].startswith(f"a.py:3: {name}: expected in ")
    assert list(report.names) == [name]
    assert list(report.guarded) == ([name] if use.guarded else [])


def test_a_library_is_asked_for_members_what_it_calls_and_arguments(
    script: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    (tmp_path / "fake_bindings.py").write_text(
        "__version__ = '10.0'\n"
        "class Allocator:\n"
        "    'class Mine:\\n    def notify_shape(self, name): ...'\n"
        "class Builder:\n"
        "    def __init__(self):\n        '__init__(self: Builder, logger: ILogger) -> None'\n"
        "    def make(self):\n        'make(self: Builder, flags: int = 0) -> Network'\n"
    )
    wanted = ["Allocator.notify_shape", "Builder.make", "Builder.make(flags=)", "Builder(logger=)", "__version__"]
    unknown = ["Allocator.notify", "Builder.make(flag=)", "Builder.gone(flags=)", "Gone.make", "Builder(flags=)"]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answered = script("bindings").ask("fake_bindings", wanted + unknown, environ)
    assert answered == {"version": "10.0", "found": wanted}
    with pytest.raises(Exception, match="no_bindings: expected to import, got .*ModuleNotFoundError"):
        script("bindings").ask("no_bindings", [], os.environ)


def test_the_projects_own_sources_use_what_the_check_knows(script: Callable[[str], ModuleType]) -> None:
    names = {use.name for use in script("names").collect(REPOSITORY)}
    assert {"Builder.build_serialized_network", "Runtime.deserialize_cuda_engine"} <= names
    assert "IExecutionContext.execute_async_v3" in names


def test_networks_that_are_not_there_are_named(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    manifests = load_manifests(REPOSITORY / "models")
    problems: list[str] = []
    assert list(script("build").promised(ModelStore(tmp_path, manifests), problems)) == []
    networks = [spec.name for manifest in manifests.values() for spec in manifest.networks.values()]
    assert [said.partition(":")[0] for said in problems] == networks
    assert all("appliance models pull" in said for said in problems)


def test_a_file_that_serves_two_backends_is_one_file(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    half = {"precision": "fp16", "recipe": "half"}
    understanding(tmp_path, derived=[half | {"backend": backend} for backend in ("onnxruntime-cuda", "tensorrt")])
    store = shelf(tmp_path)
    derive(store, "understand-zh")
    problems: list[str] = []
    found = [(file.precision, file.path.name) for file in script("build").promised(store, problems)]
    assert found == [("fp32", "model.onnx"), ("fp16", "model.fp16.half.onnx")]


def test_the_summary_counts_and_repeats_what_is_wrong(script: Callable[[str], ModuleType], tmp_path: Path) -> None:
    check = script("check")
    row = {"network": "a/b", "precision": "fp32", "plans": {"SM86": 1, "SM89": 1}, "supported": True, "problems": []}
    bad = row | {"precision": "int8", "plans": {"SM86": 1}, "supported": False, "problems": ["SM89: no"]}
    built = {"files": [row, bad], "capabilities": ["SM86", "SM89"], "problems": ["control: not refused"]}
    (tmp_path / "build.json").write_text(json.dumps(built))
    text, wrong = check.builds(tmp_path / "build.json")
    assert text == (
        "builds: 1 networks in 2 files (1 fp32, 1 int8): 3 of 4 plans built for SM86, SM89; "
        "1 of 2 fully supported by Polygraphy's report"
    )
    assert wrong == ["a/b in int8: SM89: no", "control: not refused"]

    (tmp_path / "drills.xml").write_text(
        "<testsuites><testsuite><testcase classname='t' name='good'/><testcase classname='t' name='bad'><failure/>"
        "</testcase><testcase classname='t' name='left'><skipped/></testcase></testsuite></testsuites>"
    )
    text, wrong = check.drills(tmp_path / "drills.xml")
    assert text == "fake drills: 1 failure, 1 passed, 1 skipped"
    assert wrong == ["fake drills: t.bad: failure", "fake drills: t.left: skipped"]

    report = {"names": {"A": ["10"], "B": ["10", "11"]}, "guarded": ["A"], "problems": ["x.py:1: C: missing"]}
    (tmp_path / "names.json").write_text(json.dumps(report))
    lines, wrong = check.names(tmp_path / "names.json")
    assert lines == ["names: 2 of TensorRT's API checked, 1 of them behind a guard:", "  only guarded, in 10: A"]
    assert wrong == ["x.py:1: C: missing"]


@pytest.mark.parametrize("step", ["builds", "names", "drills"])
def test_a_step_that_left_no_report_is_a_failure(
    script: Callable[[str], ModuleType], tmp_path: Path, step: str
) -> None:
    assert getattr(script("check"), step)(tmp_path / "none")[1] != []
