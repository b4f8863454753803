"""A stand-in for the library onnxruntime-gpu: it offers CUDA and, like the real one, may give the CPU in silence."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import numpy as np

NOISE = (
    "\x1b[1;31m2026-11-22 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] Failed to load library "
    "/x/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file\n"
    "\x1b[m\x1b[0;93m2026-11-22 [W:onnxruntime:Default] Failed to create CUDAExecutionProvider.\x1b[m\n"
)


class FakeOnnxRuntime:
    """Has the names that the backend uses; `granted` is the provider that its sessions come out with."""

    __version__ = "9.9.9"
    ExecutionMode = SimpleNamespace(ORT_SEQUENTIAL="sequential")
    GraphOptimizationLevel = SimpleNamespace(ORT_ENABLE_ALL="all")

    def __init__(self, granted: str, noise: str = NOISE, value: float = 1.0) -> None:
        self.granted, self.noise, self.value = granted, noise, value
        self.asked: dict[str, Any] = {}
        self.options: Any = None

    def get_available_providers(self) -> list[str]:
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def SessionOptions(self) -> Any:
        entries: dict[str, str] = {}
        return SimpleNamespace(entries=entries, add_session_config_entry=entries.__setitem__)

    def RunOptions(self) -> Any:
        entries: dict[str, str] = {}
        return SimpleNamespace(entries=entries, add_run_config_entry=entries.__setitem__)

    def InferenceSession(self, path: str, options: Any, **asked: Any) -> Any:
        self.options, self.asked = options, asked
        os.write(2, self.noise.encode())
        axes = ["batch", 3]
        return SimpleNamespace(
            get_providers=lambda: [self.granted, "CPUExecutionProvider"],
            get_inputs=lambda: [SimpleNamespace(name="x", type="tensor(float)", shape=axes)],
            get_outputs=lambda: [SimpleNamespace(name="y", type="tensor(float)", shape=axes)],
            get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={}),
            run=lambda names, inputs, options: [np.full_like(inputs["x"], self.value)],
        )
