"""What jetson/prove.py lets through: a network that a library really computed, and nothing that only looks so."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.conftest import REPOSITORY

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture
def prove() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prove", REPOSITORY / "jetson/prove.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeCuda:
    """Stands for onnxruntime-gpu: the real CPU session under another provider's name, with faults."""

    def __init__(self, *, falls_back: bool = False, on_cpu: int = 0, off_by: float = 0.0, broken: str = "") -> None:
        self.falls_back, self.on_cpu, self.off_by, self.broken = falls_back, on_cpu, off_by, broken

    def get_available_providers(self) -> list[str]:
        return [CUDA, CPU]  # whatever there is: the real one says so without a GPU, too

    SessionOptions = onnxruntime.SessionOptions

    def InferenceSession(self, file: str, options: Any, providers: list[str], **_: Any) -> Any:  # noqa: N802
        session = onnxruntime.InferenceSession(file, options, providers=[CPU])
        return session if providers == [CPU] else FakeSession(self, session)


class FakeSession:
    def __init__(self, cuda: FakeCuda, session: Any) -> None:
        self._cuda, self._session = cuda, session
        self.get_inputs = session.get_inputs

    def get_providers(self) -> list[str]:
        return [CPU] if self._cuda.falls_back else [CUDA, CPU]

    def run(self, names: Any, inputs: Any) -> list[np.ndarray[Any, Any]]:
        if self._cuda.broken:
            raise RuntimeError(self._cuda.broken)
        return [output + self._cuda.off_by for output in self._session.run(names, inputs)]

    def end_profiling(self) -> str:
        """The profile, in which the first convolutions stay on the CPU."""
        place = Path(self._session.end_profiling())
        events = json.loads(place.read_text("utf-8"))
        names = sorted({e["name"] for e in events if e.get("args", {}).get("op_name") in ("Conv", "FusedConv")})
        for event in events:
            if "args" in event and event["name"] not in names[: self._cuda.on_cpu]:
                event["args"]["provider"] = CUDA
        place.write_text(json.dumps(events), "utf-8")
        return str(place)


def test_the_cpu_computes(prove: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove.main([CPU]) == 0
    assert capsys.readouterr().out.startswith(f"{CPU}: 15 convolutions, ")


def test_a_gpu_that_computes_is_let_through(prove: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeCuda())
    assert prove.prove(CUDA).startswith(f"{CUDA}: 15 convolutions, ")


@pytest.mark.parametrize(
    "cuda, told",
    [
        (FakeCuda(falls_back=True), f"Refused: expected {CUDA}, the session has {CPU}"),
        (FakeCuda(on_cpu=1), f"Refused: expected every convolution on {CUDA}, got {{"),
        (FakeCuda(on_cpu=99), f"'{CPU}': 15}}"),
        (FakeCuda(off_by=0.5), "Refused: expected results within 0.05 of the CPU's, got 0.5"),
        (FakeCuda(off_by=float("nan")), "Refused: expected results within 0.05 of the CPU's, got nan"),
        (FakeCuda(broken="no kernel image"), "RuntimeError: no kernel image"),
        (SimpleNamespace(get_available_providers=lambda: [CPU]), f"Refused: expected {CUDA}, the library offers {CPU}"),
    ],
)
def test_what_only_looks_like_a_gpu_is_refused(
    prove: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cuda: object, told: str
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", cuda)
    assert prove.main([CUDA]) == 1
    assert told in capsys.readouterr().err


def test_tensorrt_says_its_version(
    prove: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert prove.main(["tensorrt"]) == 1
    monkeypatch.setitem(sys.modules, "tensorrt", SimpleNamespace(__version__="10.3.0"))
    assert prove.main(["tensorrt"]) == 0
    assert capsys.readouterr().out == "10.3.0\n"


def test_anything_else_is_wrong_usage(prove: ModuleType) -> None:
    assert (prove.main([]), prove.main(["TensorrtExecutionProvider"])) == (2, 2)
