from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_networks import AFFINE, HALVE, PAIR, eventually, file

from appliance.errors import BackendFailed, InvalidInput, ModelMismatch, ModelMissing
from appliance.inference import backend as backend_module
from appliance.inference.backend import Backend, BackendInfo, WrongState
from appliance.inference.fake import Drill, FakeBackend
from appliance.inference.signature import Arrays, Signature, compare


class Recorder(Backend):
    """Fills the hooks and writes down which were called."""

    name = "recorder"

    def __init__(self, spec: Any = AFFINE, path: Path | None = None, *, signature: Signature | None = None) -> None:
        super().__init__(spec, path)
        self.calls: list[str] = []
        self.signature = signature
        self.error: Exception | None = None
        self.outputs: dict[str, np.ndarray] = {"y": np.ones((1, 3), np.float32)}

    def _load(self) -> Signature | None:
        self._note("load")
        return self.signature

    def _infer(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self._note("infer")
        return self.outputs

    def _close(self) -> None:
        self._note("close")

    def _describe(self) -> BackendInfo:
        self._note("describe")
        return BackendInfo("recorder", "cpu", "1.0", "Recorder")

    def _note(self, hook: str) -> None:
        self.calls.append(hook)
        if self.error:
            raise self.error


def test_hooks_are_called_once_each_in_order() -> None:
    with Recorder() as backend:
        backend.infer(AFFINE.zeros())
    assert backend.calls == ["load", "describe", "infer", "close"]


def test_constructing_touches_no_file() -> None:
    assert Recorder(path=Path("/nowhere/at/all.onnx")).calls == []


def test_describe_names_file_hash_and_counts_runs() -> None:
    path = file(AFFINE)
    with Recorder(path=path) as backend:
        before = backend.describe()
        for _ in range(3):
            backend.infer(AFFINE.zeros())
        after = backend.describe()
    assert before.file == "affine.onnx"
    assert before.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert (before.runs, before.warm_ms, before.load_ms > 0) == (0, 0.0, True)
    assert (after.runs, after.failures) == (3, 0)
    assert after.warm_ms > 0
    assert after.load_ms == before.load_ms


def test_warm_ms_stays_that_of_the_first_run() -> None:
    with Recorder() as backend:
        backend.infer(AFFINE.zeros())
        first = backend.describe().warm_ms
        backend.infer(AFFINE.zeros())
        assert backend.describe().warm_ms == first


def test_describe_outlives_close_but_not_precedes_load() -> None:
    backend = Recorder()
    with pytest.raises(WrongState, match="describe expected a loaded backend"):
        backend.describe()
    with backend:
        pass
    assert backend.describe().name == "recorder"


@pytest.mark.parametrize("closed", [False, True])
def test_infer_needs_a_loaded_backend(closed: bool) -> None:
    backend = Recorder()
    if closed:
        backend.load()
        backend.close()
    with pytest.raises(WrongState, match="got one closed" if closed else "got one not loaded"):
        backend.infer(AFFINE.zeros())


def test_load_twice_and_load_after_close_are_refused() -> None:
    backend = Recorder()
    backend.load()
    with pytest.raises(WrongState, match="got one loaded"):
        backend.load()
    backend.close()
    with pytest.raises(WrongState, match="got one closed"):
        backend.load()


def test_close_twice_releases_once_and_unloaded_releases_nothing() -> None:
    backend = Recorder()
    backend.load()
    backend.close()
    backend.close()
    assert backend.calls.count("close") == 1
    never = Recorder()
    never.close()
    assert never.calls == []


def test_missing_file_is_named() -> None:
    backend = Recorder(path=Path("/nowhere/x.onnx"))
    with pytest.raises(ModelMissing, match="/nowhere/x.onnx") as caught:
        backend.load()
    assert "appliance models pull" in caught.value.remedy


def test_unreadable_file_is_a_backend_failure(tmp_path: Path) -> None:
    with pytest.raises(BackendFailed, match="IsADirectoryError"):
        Recorder(path=tmp_path).load()


def test_failed_load_is_released_and_may_be_tried_again() -> None:
    backend = Recorder()
    backend.error = RuntimeError("no device")
    with pytest.raises(BackendFailed, match=r"affine on recorder: expected to load, got RuntimeError: no device"):
        backend.load()
    assert backend.calls == ["load", "close"]  # and the failing close did not hide the first error
    backend.error = None
    backend.load()
    assert backend.infer(AFFINE.zeros())


def test_run_and_close_failures_are_translated_and_counted() -> None:
    backend = Recorder()
    backend.load()
    backend.error = ValueError("bad state")
    with pytest.raises(BackendFailed, match="expected to run, got ValueError: bad state"):
        backend.infer(AFFINE.zeros())
    assert (backend.describe().runs, backend.describe().failures) == (0, 1)
    with pytest.raises(BackendFailed, match="expected to close, got ValueError"):
        backend.close()


@pytest.mark.parametrize(
    "inputs, said",
    [
        ({}, "expected inputs"),
        ({"z": np.zeros((1, 3), np.float32)}, "expected inputs"),
        ({"x": np.zeros((1, 3), np.float64)}, "dtype float32"),
        ({"x": np.zeros((1, 4), np.float32)}, "expected shape"),
        ({"x": np.zeros(3, np.float32)}, "expected 2 axes"),
    ],
)
def test_inputs_are_checked_before_the_hook(inputs: dict[str, np.ndarray], said: str) -> None:
    with Recorder() as backend:
        with pytest.raises(InvalidInput, match=said):
            backend.infer(inputs)
        assert "infer" not in backend.calls


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"z": np.ones((1, 3), np.float32)},
        {"y": np.ones((1, 3), np.float64)},
        {"y": np.ones((1, 4), np.float32)},
        {"y": np.ones((1, 3, 1), np.float32)},
        {"y": np.ones(1, np.float32)},
        {"y": np.ones((2, 3), np.float32)},
    ],
    ids=["none", "name", "dtype", "size", "rank+1", "rank-1", "batch differs from the input's"],
)
def test_outputs_are_checked_against_the_spec_and_the_inputs(outputs: dict[str, np.ndarray]) -> None:
    with Recorder() as backend:
        backend.outputs = outputs
        with pytest.raises(ModelMismatch, match=r"expected outputs? y float32\[batch, 3\]"):
            backend.infer(AFFINE.zeros())
        assert backend.describe().failures == 1


def test_an_output_axis_of_its_own_may_have_any_size() -> None:
    with Recorder(HALVE) as backend:
        backend.outputs = {"y": np.zeros((1, 1, 4), np.float32)}
        assert backend.infer(HALVE.zeros())["y"].shape == (1, 1, 4)


def refuses(backend: Backend) -> bool:
    try:
        backend.infer(AFFINE.zeros())
    except WrongState:
        return True
    return False


def test_close_waits_for_a_running_inference() -> None:
    inside, leave, closed = threading.Event(), threading.Event(), threading.Event()

    def compute(inputs: Arrays) -> dict[str, np.ndarray]:
        if not inside.is_set():
            inside.set()
            leave.wait(10)
        return {"y": np.zeros((1, 3), np.float32)}

    backend = FakeBackend(AFFINE, compute=compute)
    backend.load()
    runner = threading.Thread(target=backend.infer, args=(AFFINE.zeros(),))
    runner.start()
    assert inside.wait(10)
    closer = threading.Thread(target=lambda: (backend.close(), closed.set()))
    closer.start()
    assert eventually(lambda: refuses(backend))  # nobody else gets in any more
    assert not closed.is_set()
    runs = backend.describe().runs
    leave.set()
    runner.join(10)
    closer.join(10)
    assert closed.is_set()
    assert backend.describe().runs == runs + 1


def test_close_gives_up_on_a_hanging_inference_and_works_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "_DRAIN_S", 0.01)
    inside, leave = threading.Event(), threading.Event()
    backend = Recorder()
    backend.load()
    real = backend._infer

    def hang(inputs: Arrays) -> dict[str, np.ndarray]:
        inside.set()
        leave.wait(10)
        return real(inputs)

    monkeypatch.setattr(backend, "_infer", hang)
    runner = threading.Thread(target=backend.infer, args=(AFFINE.zeros(),))
    runner.start()
    assert inside.wait(10)
    with pytest.raises(BackendFailed, match="one still runs"):
        backend.close()
    assert "close" not in backend.calls
    leave.set()
    runner.join(10)
    backend.close()
    assert backend.calls[-1] == "close"


def _signature(spec: Any, **changes: Any) -> Signature:
    return replace(Signature(spec.inputs, spec.outputs), **changes)


def test_a_file_that_fits_is_accepted_in_any_order_and_with_more_open_sizes() -> None:
    opened = tuple(replace(t, shape=("N", "M")) for t in reversed(PAIR.inputs))
    compare(PAIR, _signature(PAIR, inputs=opened))
    compare(AFFINE, _signature(AFFINE, outputs=(replace(AFFINE.outputs[0], shape=()),)))  # rank left open


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"inputs": ()}, r"expected inputs x float32\[batch, 3\], the file has none"),
        ({"inputs": (replace(AFFINE.inputs[0], name="image"),)}, r"the file has image float32\[batch, 3\]"),
        ({"inputs": (replace(AFFINE.inputs[0], dtype="float16"),)}, r"the file has x float16\[batch, 3\]"),
        ({"inputs": (replace(AFFINE.inputs[0], shape=("N", 4)),)}, r"the file has x float32\[N, 4\]"),
        ({"inputs": (replace(AFFINE.inputs[0], shape=("N", 3, 1)),)}, r"the file has x float32\[N, 3, 1\]"),
        ({"inputs": (replace(AFFINE.inputs[0], shape=(1, 3)),)}, r"the file has x float32\[1, 3\]"),
        ({"outputs": (*AFFINE.outputs, replace(AFFINE.outputs[0], name="z"))}, r"expected outputs y .* has y .*, z"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_saying_both_sides(changes: dict[str, Any], said: str) -> None:
    backend = Recorder(signature=_signature(AFFINE, **changes))
    with pytest.raises(ModelMismatch, match=said):
        backend.load()
    assert backend.calls == ["load", "close"]


def test_fake_gives_zeros_of_the_spec_or_what_it_is_told() -> None:
    with FakeBackend(HALVE) as fake:
        outputs = fake.infer({"x": np.ones((2, 1, 8), np.float32)})
    assert outputs["y"].shape == (2, 1, 1)
    assert not outputs["y"].any()
    with FakeBackend(AFFINE, compute=lambda inputs: {"y": inputs["x"] + 1}) as fake:
        assert fake.infer(AFFINE.zeros())["y"].tolist() == [[1, 1, 1]]
        assert fake.describe().device == "none"


def test_fake_drills() -> None:
    with pytest.raises(BackendFailed, match="drill `load`"):
        FakeBackend(AFFINE, drill=Drill.LOAD).load()
    with FakeBackend(AFFINE, drill=Drill.INFER, after=1) as fake:
        fake.infer(AFFINE.zeros())
        with pytest.raises(BackendFailed, match="drill `infer`"):
            fake.infer(AFFINE.zeros())
    with FakeBackend(PAIR, drill=Drill.NAN) as fake:
        outputs = fake.infer(PAIR.zeros())
        assert np.isnan(outputs["sum"]).all()
        assert outputs["total"] == 0
    with FakeBackend(AFFINE, drill=Drill.SHAPE) as fake, pytest.raises(ModelMismatch):
        fake.infer(AFFINE.zeros())
