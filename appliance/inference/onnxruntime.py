"""ONNX Runtime behind the backend contract, on the CPU or on CUDA.

onnxruntime is imported on load only, and silenced before: since 1.29 its Linux wheels report every session, with the
model's name and hashes, to mobile.events.data.microsoft.com, and keep a name of the device on the disk.

A GPU wheel lists CUDA as available on a machine without a GPU and then computes on the CPU in silence; so CUDA counts
only when the finished session names it first, and `fallback.select` adds a run.
"""

from __future__ import annotations

import importlib
import os
import re
from importlib import metadata
from itertools import count
from pathlib import Path
from typing import Any

import numpy.typing as npt

from appliance.errors import BackendFailed, Both, SettingInvalid
from appliance.inference.backend import Backend, BackendInfo
from appliance.inference.signature import Arrays, Signature
from appliance.inference.stderr import captured
from appliance.specs import Dim, ModelSpec, TensorSpec

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
DEVICES = {"cpu": "cpu", "cuda": "cuda:0"}
MOST_THREADS = 4
"""More threads for one small network cost energy and bring no speed."""

GIVES_BACK_EVERY = 16
"""Runs of a network after which its arena gives back what is free, so that one large photo does not hold the memory
that a board shares with everything else. After every run would hold less still, for more CPU time: each photo
would pay for fresh pages. `python -m benchmarks.runtime` compares."""

DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-qnn", "onnxruntime-training")
"""Packages that all install into one folder `onnxruntime`, so that only one of them may be there."""

SILENCE = ("ORT_DISABLE_TELEMETRY", "1")
"""Read once, when the library is imported: with it there is no uploader, no name of the device and no file of events.
The library's own `disable_telemetry_events` comes too late, and stops only some of them."""

_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


class OnnxRuntimeBackend(Backend):
    """One ONNX file in one ONNX Runtime session. `infer` may run in several threads at once."""

    gives_back_every = GIVES_BACK_EVERY

    def __init__(self, spec: ModelSpec, path: Path, *, device: str = "cpu", threads: int = 0) -> None:
        """Run the file at `path` on `device` (`cpu` or `cuda`) with `threads` per run (0: the cores, at most 4).

        Raises SettingInvalid for another device or a negative number; everything else waits for `load`.
        """
        if device not in DEVICES or threads < 0:
            raise SettingInvalid(f"{spec.name}: expected device cpu or cuda and threads >= 0, got {device}, {threads}")
        super().__init__(spec, path)
        self.name = f"onnxruntime-{device}"
        self._file = path
        self._device = device
        self._threads = threads or min(MOST_THREADS, _cores())
        self._library: Any = None
        self._session: Any = None
        self._giving_back: Any = None
        self._runs = count(1)  # the first gives back too: it is the warm-up

    def _load(self) -> Signature:
        self._library = library()
        self._session = self._create()
        self._giving_back = self._library.RunOptions()
        self._giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return Signature(
            tuple(_tensor(argument) for argument in self._session.get_inputs()),
            tuple(_tensor(argument) for argument in self._session.get_outputs()),
        )

    def _infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        names = [tensor.name for tensor in self.spec.outputs]
        every = self.gives_back_every
        options = self._giving_back if every and next(self._runs) % every == 1 % every else None
        return dict(zip(names, self._session.run(names, dict(inputs), options), strict=True))

    def _close(self) -> None:
        self._session = self._giving_back = None

    def _describe(self) -> BackendInfo:
        named = self._session.get_modelmeta().custom_metadata_map.get("precision")
        return BackendInfo(
            name=self.name,
            device=DEVICES[self._device],
            version=str(self._library.__version__),
            provider=self._session.get_providers()[0],
            precision=named or self.spec.precisions[0],
            warning=" / ".join(conflict() or ()),
        )

    def _create(self) -> Any:
        """Create the session; raise BackendFailed when CUDA was asked for and something else came."""
        if self._device == "cpu":
            return self._library.InferenceSession(str(self._file), self._options(), providers=[CPU])
        available = self._library.get_available_providers()
        if CUDA not in available:
            raise self._no_cuda(f"a library that offers only {', '.join(available)}")
        cuda = {
            "device_id": "0",
            # The default, an exhaustive search, is repeated for every new shape; images have a new shape each time.
            "cudnn_conv_algo_search": "HEURISTIC",
            # Board memory is shared with the CPU: doubling the arena at each growth would take it from everyone.
            "arena_extend_strategy": "kSameAsRequested",
        }
        with captured("onnxruntime") as noise:
            session = self._library.InferenceSession(
                str(self._file), self._options(), providers=[(CUDA, cuda), CPU], enable_fallback=0
            )
        if session.get_providers()[0] != CUDA:
            raise self._no_cuda(f"{session.get_providers()[0]}: {_cause(noise.text)}")
        return session

    def _options(self) -> Any:
        """What `python -m benchmarks.runtime` compares: reading six pages, three rounds, medians beside each."""
        options = self._library.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1  # the networks are chains: nothing in them could run side by side
        options.execution_mode = self._library.ExecutionMode.ORT_SEQUENTIAL
        # Basic and extended optimisation take 1.2 times, none 1.3 times the CPU time of all.
        options.graph_optimization_level = self._library.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Idle threads that spin hope for the next operator sooner but burn a kiosk's 15 W: measured with two threads
        # on a recogniser called every 50 ms, 1.34 s of CPU with spinning and 0.37 s without, and no slower; on pages
        # twice the CPU time of one thread, against 1.05 times without.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # What the arena keeps is given back now and then (see GIVES_BACK_EVERY).
        options.enable_cpu_mem_arena = True
        # A memory pattern is one block for a whole run, remembered for every input shape; photos have a new shape each
        # time. A peak of 389 MB with it, 323 MB without, and no less CPU time.
        options.enable_mem_pattern = False
        # Errors come as exceptions with the same words; a second copy on stderr helps nobody.
        options.log_severity_level = 4
        options.logid = self.spec.name
        return options

    def _no_cuda(self, found: str) -> BackendFailed:
        return BackendFailed(
            f"{self.spec.name} on {self.name}: expected {CUDA}, got {found}",
            remedy=conflict()
            or (
                "请安装 NVIDIA 驱动、CUDA 库和适配本机的 onnxruntime-gpu；目前由 CPU 计算",
                "Install the NVIDIA driver and CUDA libraries and the onnxruntime-gpu wheel made for this board; "
                "the CPU serves meanwhile",
            ),
        )


def conflict() -> Both | None:
    """How to mend that several ONNX Runtime packages overwrite each other here; None when there is at most one."""
    found = {name: version for name in DISTRIBUTIONS if (version := _version(name))}
    if len(found) < 2:
        return None
    named = [f"{name} {version}" for name, version in found.items()]
    command = f"pip uninstall {' '.join(found)}"
    return (
        f"{'、'.join(named)} 互相覆盖：请运行 `{command}`，再安装需要的一个",
        f"{' and '.join(named)} overwrite each other: run `{command}`, then install the one you want",
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def library() -> Any:
    """The package onnxruntime, imported in silence; every import of it goes through here. Raises BackendFailed."""
    os.environ[SILENCE[0]] = SILENCE[1]
    try:
        return importlib.import_module("onnxruntime")
    except (ImportError, OSError) as error:
        raise BackendFailed(
            f"onnxruntime: expected to import, got {type(error).__name__}: {error}",
            remedy=conflict()
            or (
                "请运行 `pip install onnxruntime`（使用 CUDA 则为 onnxruntime-gpu）",
                "Run `pip install onnxruntime` (onnxruntime-gpu for CUDA)",
            ),
        ) from error


def _tensor(argument: Any) -> TensorSpec:
    """What ONNX Runtime says of one input or output; None for an unnamed open size becomes `?`."""
    shape: tuple[Dim, ...] = tuple("?" if dim is None else dim for dim in argument.shape)
    return TensorSpec(argument.name, _TYPES.get(argument.type, argument.type), shape)


def _cause(noise: str) -> str:
    """The sentence in ONNX Runtime's log that names what is missing."""
    library = re.search(r"\S+: cannot open shared object file", noise)
    if library:
        return library[0]
    lines = [line for line in noise.splitlines() if line.strip("\x1b[0m ")]
    return lines[-1][:300] if lines else "it gave no reason"


def _cores() -> int:
    return len(os.sched_getaffinity(0))
