"""The TensorRT backend's whole life on a fake GPU: right outputs, nothing left behind, errors with reasons."""

from __future__ import annotations

import gc
import hashlib
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from drills import LIBRARIES, bench
from fake_cuda import Status
from onnx import TensorProto, helper
from tiny_networks import AFFINE, HALVE, MODELS, PAIR, PICK, file

from appliance.errors import (
    ApplianceError,
    DeviceFailed,
    EngineCorrupt,
    ModelMismatch,
    OutOfDeviceMemory,
)
from appliance.inference.backend import Unsuited, WrongState
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec
from appliance.trail import let_go

BUCKETS = ModelSpec(
    "halve",
    HALVE.inputs,
    HALVE.outputs,
    (
        ShapeProfile({"batch": 1, "width": 2}, {"batch": 1, "width": 8}, {"batch": 4, "width": 16}),
        ShapeProfile({"batch": 1, "width": 16}, {"batch": 1, "width": 64}, {"batch": 4, "width": 64}),
        ShapeProfile({"batch": 1, "width": 64}, {"batch": 1, "width": 256}, {"batch": 4, "width": 4096}),
    ),
)
both = pytest.mark.parametrize("library", sorted(LIBRARIES))


def wide(batch: int, width: int, seed: int = 0) -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(seed).normal(size=(batch, 1, width)).astype(np.float32)}


def nonzero(folder: Path) -> tuple[ModelSpec, Path]:
    """A network whose output's size only the data decide."""
    graph = helper.make_graph(
        [helper.make_node("NonZero", ["x"], ["at"])],
        "nonzero",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("at", TensorProto.INT64, [1, "found"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "nonzero.onnx"
    onnx.save(model, str(path))
    spec = ModelSpec(
        "nonzero",
        (TensorSpec("x", "float32", ("n",)),),
        (TensorSpec("at", "int64", (1, "found")),),
        (ShapeProfile({"n": 1}, {"n": 8}, {"n": 4096}),),
    )
    return spec, path


@both
@pytest.mark.parametrize("spec", [AFFINE, PICK, PAIR, HALVE], ids=lambda spec: spec.name)
def test_outputs_are_those_of_onnx_runtime_and_everything_is_given_back(tmp_path, library, spec) -> None:
    on = bench(tmp_path, library)
    inputs = spec.zeros()
    with OnnxRuntimeBackend(spec, file(spec)) as wanted, on.backend(spec, on.engine(spec, file(spec))) as backend:
        for _ in range(3):
            got, right = backend.infer(inputs), wanted.infer(inputs)
            for name, array in right.items():
                np.testing.assert_array_equal(got[name], array)
        info = backend.describe()
        assert (info.name, info.device, info.version, info.runs) == ("tensorrt", "cuda:0", "10.3.0", 3)
        assert info.provider == f"Orin (8.7), {library}"
        assert on.gpu.held
    gc.collect()
    assert not on.gpu.held
    assert not on.trt.alive


@both
def test_each_request_takes_the_smallest_bucket_and_steady_work_takes_no_memory(tmp_path, library) -> None:
    on = bench(tmp_path, library)
    with on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE))) as backend:
        used = []
        for batch, width in ((1, 8), (4, 16), (1, 32), (2, 4096)):
            x = wide(batch, width, width)
            y = backend.infer(x)["y"]
            np.testing.assert_array_equal(y, x["x"].reshape(batch, 1, -1, 2).max(-1))
            used.append(on.gpu.used)
        assert used[0] == used[1] < used[2] < used[3]  # nothing is held for buckets that nobody asked for
        takes = {"cudaMalloc", "cudaMallocHost", "mem_alloc", "pagelocked_empty", "Stream", "cudaStreamCreateWithFlags"}
        before = len(on.gpu.calls)
        for batch, width in ((4, 4096), (1, 8), (3, 40), (2, 100), (1, 10)):
            x = wide(batch, width, width)
            np.testing.assert_array_equal(backend.infer(x)["y"], x["x"].reshape(batch, 1, -1, 2).max(-1))
        assert not takes & set(on.gpu.calls[before:])
        assert on.gpu.used == used[-1]


def test_outputs_are_the_callers_own(tmp_path) -> None:
    on = bench(tmp_path)
    with on.backend(AFFINE, on.engine(AFFINE, file(AFFINE))) as backend:
        one = backend.infer({"x": np.ones((1, 3), np.float32)})["y"]
        kept = one.copy()
        backend.infer({"x": np.full((1, 3), 7, np.float32)})
        np.testing.assert_array_equal(one, kept)


def test_inputs_may_have_any_layout(tmp_path) -> None:
    on = bench(tmp_path)
    turned = np.arange(12, dtype=np.float32).reshape(3, 4).T
    with on.backend(AFFINE, on.engine(AFFINE, file(AFFINE))) as backend:
        np.testing.assert_allclose(backend.infer({"x": turned})["y"], turned * [1, 2, 3] + 0.5)


@both
def test_an_output_whose_size_the_data_decide(tmp_path, library) -> None:
    on = bench(tmp_path, library)
    spec, path = nonzero(tmp_path)
    with on.backend(spec, on.engine(spec, path)) as backend:
        for pattern in ([0, 1, 0, 2], [0, 0, 0], list(range(300)), [1, 1]):
            x = np.array(pattern, np.float32)
            np.testing.assert_array_equal(backend.infer({"x": x})["at"], np.array(np.nonzero(x)))
        before = on.gpu.used
        backend.infer({"x": np.arange(200, dtype=np.float32)})
        assert on.gpu.used == before
    assert not on.gpu.held


def test_a_run_is_recorded_once_its_shapes_stay_and_recorded_anew_when_anything_changes(tmp_path) -> None:
    on = bench(tmp_path)

    def right(batch: int, width: int, seed: int) -> None:
        x = wide(batch, width, seed)
        np.testing.assert_array_equal(backend.infer(x)["y"], x["x"].reshape(batch, 1, -1, 2).max(-1))

    with on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE)), graphs=True) as backend:
        for seed in range(5):
            right(2, 8, seed)
        assert on.gpu.calls.count("cudaStreamBeginCapture") == 1
        assert on.gpu.calls.count("cudaGraphLaunch") == 4
        for seed in range(4):  # another shape comes between: TensorRT wants a plain run after every change
            right(2, 8 + 4 * (seed % 2), seed)
        assert on.gpu.calls.count("cudaStreamBeginCapture") == 1
        assert not on.gpu.graphs
        for seed in range(3):
            right(2, 12, seed)
        assert len(on.gpu.graphs) == 1
        backend.infer(wide(1, 4096))  # the scratch memory moves: what was recorded points to the old one
        for seed in range(3):
            right(2, 12, seed)
            assert bool(on.gpu.graphs) == bool(seed)
    assert not on.gpu.held


def test_what_cannot_be_recorded_runs_plainly_and_the_log_says_so(tmp_path, caplog) -> None:
    on = bench(tmp_path)
    with on.backend(AFFINE, on.engine(AFFINE, file(AFFINE)), graphs=True) as backend:
        on.gpu.fail("cudaGraphInstantiate", Status.cudaErrorInvalidValue)
        for _ in range(4):
            np.testing.assert_array_equal(backend.infer(AFFINE.zeros())["y"], [[0.5, 0.5, 0.5]])
        assert on.gpu.calls.count("cudaStreamBeginCapture") == 1
        assert "runs are not recorded" in caplog.text
    assert not on.gpu.held


def test_pycuda_says_that_it_records_nothing(tmp_path) -> None:
    on = bench(tmp_path, "pycuda")
    with on.backend(AFFINE, on.engine(AFFINE, file(AFFINE)), graphs=True) as backend:
        assert "needs cuda-bindings" in backend.describe().warning
        for _ in range(3):
            np.testing.assert_array_equal(backend.infer(AFFINE.zeros())["y"], [[0.5, 0.5, 0.5]])


def test_nothing_of_a_failed_lane_lives_on_in_its_error(tmp_path) -> None:
    """A traceback holds the frames, and these the engine: it would stay in memory while the next backend loads."""
    on = bench(tmp_path, total=100_000)
    backend = on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE)))
    backend.load()
    backend.infer(wide(1, 8))
    try:
        backend.infer(wide(4, 4096))
    except OutOfDeviceMemory as error:
        let_go(error)
        backend.close()
        gc.collect()
        assert not on.trt.alive
        assert not on.gpu.held
    else:
        pytest.fail("expected too little memory")


def test_several_threads_take_turns(tmp_path) -> None:
    on = bench(tmp_path)
    wrong: list[int] = []
    with on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE))) as backend:

        def work(seed: int) -> None:
            for turn in range(20):
                x = wide(1 + seed % 4, 8 << (turn % 3), seed)
                if not np.array_equal(backend.infer(x)["y"], x["x"].reshape(len(x["x"]), 1, -1, 2).max(-1)):
                    wrong.append(seed)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert backend.describe().runs == 80


def test_a_request_beyond_every_profile_is_refused_with_both_sizes(tmp_path) -> None:
    on = bench(tmp_path)
    with (
        on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE))) as backend,
        pytest.raises(Unsuited, match=r"4096.*got \{'batch': 1, 'width': 5000\}"),
    ):
        backend.infer(wide(1, 5000))


# What goes wrong while it loads: everything is given back, and the reason is in the error.


def load_fails(on, backend, kind, match) -> None:
    with pytest.raises(kind, match=match):
        backend.load()
    gc.collect()
    assert not on.gpu.held
    assert not on.trt.alive


@both
def test_a_truncated_and_a_bit_flipped_engine_are_never_deserialised(tmp_path, library) -> None:
    on = bench(tmp_path, library)
    path = on.engine(AFFINE, file(AFFINE))
    whole = path.read_bytes()
    backend = on.backend(AFFINE, path)
    for damaged in (whole[:-7], whole[:100] + bytes([whole[100] ^ 4]) + whole[101:], b""):
        path.write_bytes(damaged)
        load_fails(on, backend, EngineCorrupt, "expected an engine with sha256")
    path.unlink()
    load_fails(on, backend, ApplianceError, "FileNotFoundError")
    path.write_bytes(whole)
    with backend:
        backend.infer(AFFINE.zeros())
        info = backend.describe()
        assert (info.file, info.sha256) == ("engine.plan", hashlib.sha256(whole).hexdigest()[:12])


def test_an_engine_that_the_library_refuses_says_why(tmp_path) -> None:
    on = bench(tmp_path)
    path = on.engine(AFFINE, file(AFFINE))
    on.gpu.name = "Thor"
    load_fails(on, on.backend(AFFINE, path), EngineCorrupt, "incompatible device or version")
    path.write_bytes(b"not an engine")
    load_fails(on, on.backend(AFFINE, path), EngineCorrupt, "magic tag does not match")


def test_an_engine_of_another_network_or_of_other_profiles_is_refused(tmp_path) -> None:
    on = bench(tmp_path)
    path = on.engine(PICK, file(PICK))
    load_fails(on, on.backend(AFFINE, path), ModelMismatch, "expected inputs x float32")
    load_fails(on, on.backend(BUCKETS, on.engine(HALVE, file(HALVE))), EngineCorrupt, "expected 3 profiles, got 1")


def test_a_tensor_on_the_host_is_refused(tmp_path) -> None:
    on = bench(tmp_path)
    path = on.engine(AFFINE, file(AFFINE))
    on.trt.faults.append("host_tensor")
    load_fails(on, on.backend(AFFINE, path), ApplianceError, "expected tensors on the device, got x on the host")


@both
def test_no_gpu_and_no_library(tmp_path, library) -> None:
    on = bench(tmp_path, library)
    backend = on.backend(AFFINE, on.engine(AFFINE, file(AFFINE)))
    on.gpu.fail("cudaSetDevice", Status.cudaErrorInsufficientDriver)
    on.gpu.fail("init", Status.cudaErrorInsufficientDriver)
    load_fails(on, backend, DeviceFailed, "told to fail|InsufficientDriver")


# What goes wrong while it runs.


@both
def test_too_little_memory_for_a_bucket_leaves_the_others_serving(tmp_path, library) -> None:
    on = bench(tmp_path, library, total=100_000)
    with on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE))) as backend:
        backend.infer(wide(1, 8))
        used = on.gpu.used
        with pytest.raises(OutOfDeviceMemory, match="memory"):
            backend.infer(wide(4, 4096))
        if library == "cuda-bindings":
            assert on.gpu.used == used  # what it took before it failed was given back
        x = wide(1, 8, 5)
        np.testing.assert_array_equal(backend.infer(x)["y"], x["x"].reshape(1, 1, -1, 2).max(-1))
        assert backend.describe().failures == 1
    assert not on.gpu.held


@both
def test_a_lost_device_is_an_error_with_a_reason_and_close_still_ends(tmp_path, library) -> None:
    on = bench(tmp_path, library)
    backend = on.backend(AFFINE, on.engine(AFFINE, file(AFFINE)))
    backend.load()
    backend.infer(AFFINE.zeros())
    on.gpu.fail("cudaStreamSynchronize" if library == "cuda-bindings" else "synchronize")
    with pytest.raises(DeviceFailed, match="LaunchFailure|LaunchError"):
        backend.infer(AFFINE.zeros())
    with pytest.raises(ApplianceError):
        backend.infer(AFFINE.zeros())
    with pytest.raises(ApplianceError):  # nothing can be given back to a device that is gone
        backend.close()
    on.gpu.streams.clear()  # what was still queued on the lost device held the engine in this fake
    gc.collect()
    assert not on.trt.alive
    with pytest.raises(WrongState):
        backend.infer(AFFINE.zeros())


@pytest.mark.parametrize(
    "fault, says",
    [
        ("execute", "to run, TensorRT refused: Cuda failure: unspecified launch failure"),
        ("set_shape", "to take x of shape .* TensorRT refused: x: shape .* refused"),
    ],
)
def test_what_a_run_is_refused_for_is_said(tmp_path, fault, says) -> None:
    on = bench(tmp_path)
    with on.backend(BUCKETS, on.engine(BUCKETS, file(HALVE))) as backend:
        backend.infer(wide(1, 8))
        on.trt.faults.append(fault)
        with pytest.raises(DeviceFailed, match=says):
            backend.infer(wide(1, 10))
        x = wide(1, 10)
        np.testing.assert_array_equal(backend.infer(x)["y"], x["x"].reshape(1, 1, -1, 2).max(-1))


@pytest.mark.parametrize("fault, kind", [("context", OutOfDeviceMemory), ("address", DeviceFailed)])
def test_a_lane_that_cannot_be_made_leaves_nothing_behind(tmp_path, fault, kind) -> None:
    on = bench(tmp_path)
    with on.backend(AFFINE, on.engine(AFFINE, file(AFFINE))) as backend:
        before = on.gpu.held
        on.trt.faults.append(fault)
        with pytest.raises(kind):
            backend.infer(AFFINE.zeros())
        assert on.gpu.held == before
        backend.infer(AFFINE.zeros())
    assert not on.gpu.held


def test_no_memory_for_an_output_that_the_data_decide(tmp_path) -> None:
    on = bench(tmp_path, total=48_000)
    spec, path = nonzero(tmp_path)
    with on.backend(spec, on.engine(spec, path)) as backend:
        backend.infer({"x": np.ones(4, np.float32)})
        with pytest.raises(OutOfDeviceMemory):
            backend.infer({"x": np.ones(4000, np.float32)})
        np.testing.assert_array_equal(backend.infer({"x": np.ones(2, np.float32)})["at"], [[0, 1]])
    assert not on.gpu.held


def test_every_version_runs(tmp_path) -> None:
    for version in ("10.3.0", "10.16.1", "11.4.0"):
        on = bench(tmp_path, version=version)
        with on.backend(AFFINE, on.engine(AFFINE, MODELS / "affine.onnx")) as backend:
            assert backend.infer(AFFINE.zeros())["y"].shape == (1, 3)
            assert backend.describe().version == version
