"""Device memory behind one small interface, by cuda-bindings or by pycuda.

Pointers and streams are plain integers, as TensorRT takes them. Every method works in the calling thread, inside
`current()`. Errors: OutOfDeviceMemory where memory is short, DeviceFailed for everything else a driver says.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed, DeviceFailed

Bytes = npt.NDArray[np.uint8]
"""Host memory, shape (n,), uint8."""


class Device(Protocol):
    """One GPU as the backend uses it."""

    name: str
    """Name of the GPU, for example `Orin`."""
    capability: str
    """Compute capability, for example `8.7`."""
    library: str
    """What is behind it: `cuda-bindings` or `pycuda`."""

    records: bool
    """True when `capture` can record runs."""

    def current(self) -> AbstractContextManager[None]:
        """Make the device the calling thread's for the length of the block."""

    def free_bytes(self) -> int:
        """Bytes of device memory that nobody uses now."""

    def allocate(self, size: int) -> int:
        """Take `size` bytes of device memory; the address."""

    def release(self, address: int) -> None:
        """Give back what `allocate` took."""

    def pin(self, size: int) -> Bytes:
        """Take `size` bytes of page-locked host memory, which alone is copied asynchronously."""

    def unpin(self, memory: Bytes) -> None:
        """Give back what `pin` took; it must not be touched any more."""

    def stream(self) -> int:
        """Make a stream that does not wait for the default one; its handle."""

    def drop(self, stream: int) -> None:
        """End a stream, which must be idle."""

    def upload(self, address: int, memory: Bytes, stream: int) -> None:
        """Queue a copy of pinned `memory` to the device."""

    def download(self, memory: Bytes, address: int, stream: int) -> None:
        """Queue a copy from the device into pinned `memory`."""

    def wait(self, stream: int) -> None:
        """Wait for everything queued on `stream`; raises what any of it failed with."""

    def capture(self, stream: int, queue: Callable[[], None]) -> int:
        """Record what `queue` puts on `stream` as a graph; its handle. Raises BackendFailed where that cannot be."""

    def replay(self, graph: int, stream: int) -> None:
        """Queue a recorded graph."""

    def forget(self, graph: int) -> None:
        """Give back a graph."""

    def close(self) -> None:
        """Let go of the device; everything taken from it must have been given back."""


Opener = Callable[[], Device]
"""Opens a device; raises BackendFailed."""


def _cuda_bindings() -> Device:
    from appliance.inference.tensorrt.cuda_bindings import CudaBindingsDevice

    return CudaBindingsDevice(importlib.import_module("cuda.bindings.runtime"))


def _pycuda() -> Device:
    from appliance.inference.tensorrt.pycuda import PycudaDevice

    return PycudaDevice(importlib.import_module("pycuda.driver"))


OPENERS: tuple[tuple[str, Opener], ...] = (("cuda-bindings", _cuda_bindings), ("pycuda", _pycuda))
"""Ways to open the device, the better first: cuda-bindings also records graphs."""


def open_device(openers: Sequence[tuple[str, Opener]] = OPENERS) -> Device:
    """The device through the first library that imports and finds one. Raises BackendFailed saying why none did."""
    refused = []
    for name, opener in openers:
        try:
            return opener()
        except Exception as error:  # noqa: BLE001 - missing library, driver or GPU: each has exceptions of its own
            refused.append(
                f"{name}: {error if isinstance(error, BackendFailed) else f'{type(error).__name__}: {error}'}"
            )
    raise DeviceFailed(
        f"tensorrt: expected a GPU through {' or '.join(name for name, _ in openers)}, got {'; '.join(refused)}",
        remedy=(
            "请确认驱动可用，并安装 cuda-bindings 或 pycuda（见 jetson/）；目前由 ONNX Runtime 计算",
            "Check the driver and install cuda-bindings or pycuda (see jetson/); ONNX Runtime serves meanwhile",
        ),
    )
