from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_onnxruntime import FakeOnnxRuntime
from tiny_networks import AFFINE, FOREIGN, HALF, HALVE, LOG, PAIR, PICK, RANKLESS, SEQUENCE, file

from appliance.errors import BackendFailed, ModelMismatch, SettingInvalid
from appliance.inference import onnxruntime as module
from appliance.inference.fallback import Candidate, select
from appliance.inference.onnxruntime import OnnxRuntimeBackend, conflict
from appliance.specs import ModelSpec


def cpu(spec: ModelSpec, **options: Any) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(spec, file(spec), **options)


def cuda() -> OnnxRuntimeBackend:
    return cpu(AFFINE, device="cuda")


def test_importing_and_constructing_do_not_import_the_library() -> None:
    program = (
        "import sys; from pathlib import Path; from appliance.inference.onnxruntime import OnnxRuntimeBackend as B; "
        "from appliance.specs import ModelSpec; B(ModelSpec('m', (), ()), Path('m.onnx')); "
        "sys.exit('onnxruntime' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


REPORTS = """
import sys
if sys.argv[1] == "by itself":
    import onnxruntime
from tiny_networks import AFFINE, file
from appliance.inference.onnxruntime import OnnxRuntimeBackend
with OnnxRuntimeBackend(AFFINE, file(AFFINE)) as backend:
    print(backend.describe().version)
"""


@pytest.mark.parametrize("imported", ["by itself", "by the backend"])
def test_the_library_reports_to_nobody(tmp_path: Path, imported: str) -> None:
    """What reports leaves a name of the device and a file of events on the disk: there the two ways differ."""
    hidden = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")  # with each of them the library is silent anyway
    environ = {name: value for name, value in os.environ.items() if name not in hidden}
    environ |= {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", REPORTS, imported], env=environ, capture_output=True, text=True, check=True, timeout=120
    )
    reports = any(path.is_file() for path in tmp_path.rglob("*"))
    talks = tuple(map(int, done.stdout.split(".")[:2])) >= (1, 29)
    assert reports is (talks and imported == "by itself")


def test_runs_a_real_network() -> None:
    with cpu(AFFINE) as backend:
        outputs = backend.infer({"x": np.array([[1, 1, 1], [2, 0, -1]], np.float32)})
        info = backend.describe()
    assert outputs["y"].tolist() == [[1.5, 2.5, 3.5], [2.5, 0.5, -2.5]]
    assert (info.name, info.device, info.provider) == ("onnxruntime-cpu", "cpu", "CPUExecutionProvider")
    assert info.version.count(".") == 2
    assert info.precision == "fp32"
    assert info.file == "affine.onnx"


@pytest.mark.parametrize(("every", "gave"), [(0, []), (1, [1, 2, 3, 4, 5, 6, 7]), (3, [1, 4, 7])])
def test_memory_is_given_back_by_the_warm_up_and_now_and_then(every: int, gave: list[int]) -> None:
    class Seen:
        """The real session, and with which of its runs memory was given back."""

        def __init__(self, session: Any) -> None:
            self.session, self.runs, self.gave = session, 0, list[int]()

        def run(self, names: Any, inputs: Any, options: Any) -> Any:
            self.runs += 1
            if options is not None:
                assert options.get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"
                self.gave.append(self.runs)
            return self.session.run(names, inputs, options)

    with cpu(AFFINE) as backend:
        backend.gives_back_every = every
        seen = backend._session = Seen(backend._session)
        for _ in range(7):
            backend.infer({"x": np.ones((1, 3), np.float32)})
        assert seen.gave == gave
        backend._session = seen.session


def test_two_inputs_of_two_types_and_a_scalar_output() -> None:
    with cpu(PAIR) as backend:
        outputs = backend.infer({"count": np.array([[1, 2]], np.int64), "amount": np.array([[0.5, 0.5]], np.float32)})
    assert outputs["sum"].tolist() == [[1.5, 2.5]]
    assert outputs["total"].shape == ()
    assert outputs["total"] == 3


def test_an_array_that_is_not_contiguous_is_read_in_its_own_order() -> None:
    square = np.arange(9, dtype=np.float32).reshape(3, 3)
    with cpu(AFFINE) as backend:
        turned, plain = backend.infer({"x": square.T}), backend.infer({"x": square.T.copy()})
    assert np.array_equal(turned["y"], plain["y"])


def test_precision_is_read_from_the_file() -> None:
    with cpu(HALF) as backend:
        assert backend.infer(HALF.zeros())["y"].dtype == np.float16
        assert backend.describe().precision == "fp16"


def test_an_output_without_a_shape_and_one_of_its_own_width_are_accepted() -> None:
    with cpu(RANKLESS) as backend:
        assert backend.infer(RANKLESS.zeros())["y"].shape == (1, 2)
    with cpu(HALVE) as backend:
        assert backend.infer(HALVE.zeros({"batch": 2, "width": 9}))["y"].shape == (2, 1, 4)


def test_a_run_that_the_library_refuses_is_translated_and_leaves_the_backend_usable(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with cpu(PICK) as backend:
        with pytest.raises(BackendFailed, match=r"pick on onnxruntime-cpu: expected to run, got .*idx=99"):
            backend.infer({"index": np.array([99])})
        assert backend.infer({"index": np.array([3])})["value"].tolist() == [40]
    assert capfd.readouterr().err == ""  # the exception has said it all


def test_files_that_do_not_fit_their_spec() -> None:
    with pytest.raises(ModelMismatch, match=r"expected inputs amount .* the file has x float32\[batch, 3\]"):
        OnnxRuntimeBackend(PAIR, file(AFFINE)).load()
    with pytest.raises(ModelMismatch, match=r"the file has y seq\(tensor\(float\)\)"):
        cpu(SEQUENCE).load()


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x08"], ids=["empty", "text", "cut"])
def test_broken_files_are_backend_failures(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(BackendFailed, match="affine on onnxruntime-cpu: expected to load, got"):
        OnnxRuntimeBackend(AFFINE, path).load()


def test_a_truncated_file_is_a_backend_failure(tmp_path: Path) -> None:
    path = tmp_path / "short.onnx"
    path.write_bytes(file(AFFINE).read_bytes()[:-20])
    with pytest.raises(BackendFailed):
        OnnxRuntimeBackend(AFFINE, path).load()


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(BackendFailed, match="Unknown"):
        cpu(FOREIGN).load()


def test_many_threads_get_their_own_answers() -> None:
    inputs = [np.full((1, 3), n, np.float32) for n in range(64)]
    with cpu(AFFINE, threads=1) as backend, ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda x: backend.infer({"x": x})["y"], inputs))
        assert backend.describe().runs == 64
    for n, y in enumerate(outputs):
        assert y.tolist() == [[n + 0.5, 2 * n + 0.5, 3 * n + 0.5]]


@pytest.mark.parametrize("options", [{"device": "tpu"}, {"threads": -1}])
def test_unknown_devices_and_negative_threads_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(SettingInvalid):
        cpu(AFFINE, **options)


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendFailed, match="onnxruntime: expected to import, got ") as caught:
        cpu(AFFINE).load()
    assert "pip install onnxruntime" in caught.value.remedy


def test_a_library_that_cannot_be_linked_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> None:
            if name == "onnxruntime":
                raise OSError("libnvdla_compiler.so: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(BackendFailed, match=r"got OSError: libnvdla_compiler\.so"):
        cpu(AFFINE).load()


def test_cuda_on_the_cpu_wheel_says_what_the_library_offers() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this environment holds onnxruntime-gpu")
    with pytest.raises(
        BackendFailed, match="expected CUDAExecutionProvider, got a library that offers only "
    ) as caught:
        cuda().load()
    assert "onnxruntime-gpu" in caught.value.remedy


def test_cuda_that_silently_became_the_cpu_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeOnnxRuntime("CPUExecutionProvider"))
    with pytest.raises(
        BackendFailed, match=r"got CPUExecutionProvider: libcublasLt\.so\.13: cannot open shared object file"
    ):
        cuda().load()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "noise, cause",
    [
        ("", "it gave no reason"),
        ("[W:onnxruntime:Default] Failed to create CUDAExecutionProvider.\n", "Failed to create CUDAExecutionProvider"),
    ],
)
def test_without_a_missing_library_the_last_words_are_the_reason(
    monkeypatch: pytest.MonkeyPatch, noise: str, cause: str
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeOnnxRuntime("CPUExecutionProvider", noise))
    with pytest.raises(BackendFailed, match=cause):
        cuda().load()


def test_cuda_that_is_granted_serves_after_a_finite_run(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeOnnxRuntime("CUDAExecutionProvider", "")
    monkeypatch.setitem(sys.modules, "onnxruntime", library)
    selection = select(AFFINE, [Candidate("onnxruntime-cuda", cuda)])
    assert selection.backend is not None
    info = selection.backend.describe()
    assert (info.name, info.device, info.provider) == ("onnxruntime-cuda", "cuda:0", "CUDAExecutionProvider")
    assert [p if isinstance(p, str) else p[0] for p in library.asked["providers"]] == [module.CUDA, module.CPU]
    assert library.asked["enable_fallback"] == 0


def test_cuda_whose_first_run_is_not_finite_falls_back_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeOnnxRuntime("CUDAExecutionProvider", "", float("nan")))
    selection = select(AFFINE, [Candidate("onnxruntime-cuda", cuda)])
    assert selection.backend is None
    assert "expected finite outputs of the warm-up run, got y with 3 of 3 values not finite" in selection.reason


def test_session_options_suit_a_kiosk(monkeypatch: pytest.MonkeyPatch) -> None:
    library = FakeOnnxRuntime("CPUExecutionProvider", "")
    monkeypatch.setitem(sys.modules, "onnxruntime", library)
    with cpu(AFFINE, threads=3):
        assert library.options.intra_op_num_threads == 3
        assert library.options.entries["session.intra_op.allow_spinning"] == "0"
        assert library.asked["providers"] == ["CPUExecutionProvider"]
    with cpu(AFFINE):
        assert library.options.intra_op_num_threads == min(4, len(os.sched_getaffinity(0)))


def distribution(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_two_packages_of_one_folder_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert conflict() is None
    distribution(tmp_path, "onnxruntime", "1.32.0")
    assert conflict() is None
    distribution(tmp_path, "onnxruntime-gpu", "1.31.1")
    assert conflict() == (
        "onnxruntime 1.32.0、onnxruntime-gpu 1.31.1 互相覆盖："
        "请运行 `pip uninstall onnxruntime onnxruntime-gpu`，再安装需要的一个",
        "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 overwrite each other: "
        "run `pip uninstall onnxruntime onnxruntime-gpu`, then install the one you want",
    )


def test_the_conflict_is_told_where_it_matters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    distribution(tmp_path, "onnxruntime", "1.32.0")
    distribution(tmp_path, "onnxruntime-gpu", "1.31.1")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setitem(sys.modules, "onnxruntime", FakeOnnxRuntime("CPUExecutionProvider"))
    with pytest.raises(BackendFailed, match="expected CUDA") as caught:
        cuda().load()
    assert all(said in caught.value.remedy for said in ("互相覆盖", "overwrite each other", "pip uninstall"))
    with cpu(AFFINE) as backend:
        assert "overwrite each other" in backend.describe().warning
    selection = select(AFFINE, [Candidate("onnxruntime-cpu", lambda: cpu(AFFINE))])
    assert "overwrite each other" in selection.reason
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendFailed) as caught:
        cpu(AFFINE).load()
    assert "pip uninstall" in caught.value.remedy


def test_a_network_that_overflows_on_its_warm_up_is_refused() -> None:
    selection = select(LOG, [Candidate("onnxruntime-cpu", lambda: cpu(LOG))])
    assert selection.backend is None
    assert "4 of 4 values not finite" in selection.reason
