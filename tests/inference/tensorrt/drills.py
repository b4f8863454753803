"""What the tests of this room share: a fake device with TensorRT on it, and engines built for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fake_trt
from fake_cuda import Cudart, Driver, Gpu

from appliance.inference.tensorrt.build import BuildOptions, build
from appliance.inference.tensorrt.cuda_bindings import CudaBindingsDevice
from appliance.inference.tensorrt.memory import Device
from appliance.inference.tensorrt.pycuda import PycudaDevice
from appliance.inference.tensorrt.run import Plan, TensorRtBackend
from appliance.specs import ModelSpec

LIBRARIES: dict[str, Callable[[Gpu], Device]] = {
    "cuda-bindings": lambda gpu: CudaBindingsDevice(Cudart(gpu)),
    "pycuda": lambda gpu: PycudaDevice(Driver(gpu)),
}
OPTIONS = BuildOptions(workspace_bytes=1 << 20)


@dataclass
class Bench:
    """A fake GPU, a fake TensorRT and the product's backend on them."""

    gpu: Gpu
    trt: Any
    folder: Path
    library: str = "cuda-bindings"

    def engine(self, spec: ModelSpec, onnx_path: Path) -> Path:
        """Build one and write it into the folder."""
        path = self.folder / f"{spec.name}.plan"
        path.write_bytes(build(self.trt, spec, onnx_path, OPTIONS).plan)
        return path

    def backend(self, spec: ModelSpec, path: Path, *, graphs: bool = False) -> TensorRtBackend:
        """The backend on that engine as it is now, not loaded."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return TensorRtBackend(
            spec,
            lambda: Plan(path.read_bytes(), digest),
            library=lambda: self.trt,
            device=lambda: LIBRARIES[self.library](self.gpu),
            graphs=graphs,
        )


def bench(folder: Path, library: str = "cuda-bindings", version: str = "10.3.0", total: int = 64 << 20) -> Bench:
    """A bench with nothing on it yet."""
    gpu = Gpu(total=total)
    return Bench(gpu, fake_trt.make(gpu, version), folder, library)
