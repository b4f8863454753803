"""Every shipped network also loads and runs on ONNX Runtime 1.23.2, the last one for JetPack 6's Python 3.10."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import PICK, RUNNABLE, file

from appliance.artifacts.derived import network_path
from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.artifacts.store import ModelStore
from appliance.errors import ModelMissing
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.settings import data_dir, load_settings
from appliance.specs import ModelSpec

OLDEST = "1.23.2"
ENVIRONMENT = Path(f"{sys.prefix}-ort1232")
SCRIPT = Path(__file__).parent / "run_networks.py"
MANIFESTS = load_manifests(shipped_root())
SHIPPED = [(name, path) for name, manifest in MANIFESTS.items() for path in manifest.networks]


@pytest.fixture(scope="module")
def interpreter() -> Path:
    """Python of the environment that the Makefile makes beside this one."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no ONNX Runtime {OLDEST} at {ENVIRONMENT}: make {ENVIRONMENT.name}/.done")
    return python


@pytest.fixture(scope="module")
def store() -> ModelStore:
    return ModelStore(data_dir(load_settings()) / "models", MANIFESTS)


def filled(spec: ModelSpec) -> dict[str, np.ndarray]:
    """Inputs at the usual size: noise between 0 and 1 where they are floating, zeros where they count or index."""
    numbers = np.random.default_rng(1)
    return {
        name: numbers.random(zeros.shape).astype(zeros.dtype) if zeros.dtype.kind == "f" else zeros
        for name, zeros in spec.zeros().items()
    }


def on_oldest(
    interpreter: Path, folder: Path, network: Path, inputs: dict[str, np.ndarray]
) -> tuple[str, dict[str, np.ndarray]]:
    """Version and outputs of the other environment."""
    given, taken, jobs = folder / "in.npz", folder / "out.npz", folder / "jobs.json"
    np.savez(given, **inputs)
    jobs.write_text(json.dumps([{"network": str(network), "inputs": str(given), "outputs": str(taken)}]))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [interpreter, SCRIPT, jobs], capture_output=True, text=True, check=False, timeout=120, env=environ
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(taken) as loaded:
        outputs = {str(name): loaded[f"output{n}"] for n, name in enumerate(loaded["names"])}
    return json.loads(done.stdout)["onnxruntime"], outputs


def same_on_both(interpreter: Path, folder: Path, spec: ModelSpec, network: Path) -> None:
    inputs = filled(spec)
    with OnnxRuntimeBackend(spec, network) as backend:
        newest = backend.infer(inputs)
    version, oldest = on_oldest(interpreter, folder, network, inputs)
    assert version == OLDEST
    assert set(oldest) == set(newest)
    for name, expected in newest.items():
        assert oldest[name].dtype == expected.dtype
        assert np.allclose(oldest[name], expected, rtol=1e-3, atol=1e-4), name


@pytest.mark.models
@pytest.mark.parametrize("name, path", SHIPPED, ids=[f"{name}/{path}" for name, path in SHIPPED])
def test_a_shipped_network_runs_alike(
    interpreter: Path, store: ModelStore, tmp_path: Path, name: str, path: str
) -> None:
    try:
        network = network_path(store, name, path)
    except ModelMissing:
        if MANIFESTS[name].default:
            raise
        pytest.skip(f"{name} is not installed and need not be: appliance models pull {name}")
    same_on_both(interpreter, tmp_path, MANIFESTS[name].networks[path], network)


@pytest.mark.parametrize("spec", RUNNABLE, ids=[spec.name for spec in RUNNABLE])
def test_a_tiny_network_runs_alike(interpreter: Path, tmp_path: Path, spec: ModelSpec) -> None:
    same_on_both(interpreter, tmp_path, spec, file(spec))


def test_the_backend_itself_runs_there(interpreter: Path) -> None:
    program = (
        "import numpy, tiny_networks as t; from appliance.inference.onnxruntime import OnnxRuntimeBackend as B\n"
        "with B(t.AFFINE, t.file(t.AFFINE)) as b:\n"
        "    print(b.infer({'x': numpy.ones((1, 3), 'f4')})['y'].tolist(), b.describe().version)"
    )
    paths = os.pathsep.join([str(SCRIPT.parent), str(SCRIPT.parent.parent.parent)])
    done = subprocess.run(
        [interpreter, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.stdout == f"[[1.5, 2.5, 3.5]] {OLDEST}\n", done.stderr[-2000:]


def test_a_network_that_fails_there_fails_the_comparison(interpreter: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="idx=99"):
        on_oldest(interpreter, tmp_path, file(PICK), {"index": np.array([99])})


def test_the_shipped_networks_are_those_of_the_manifests() -> None:
    assert ("pp-ocrv6-small", "recogniser.topk.onnx") in SHIPPED
    assert len(SHIPPED) >= 4
