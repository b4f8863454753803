"""Device memory by NVIDIA's cuda-bindings (12.x on JetPack 6, 13.x on JetPack 7): the CUDA runtime's own functions."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from appliance.errors import DeviceFailed, OutOfDeviceMemory
from appliance.inference.tensorrt.memory import Bytes


class CudaBindingsDevice:
    """The first GPU. Its primary context is shared with everything else in the process, ONNX Runtime included."""

    library = "cuda-bindings"
    records = True

    def __init__(self, cudart: Any) -> None:
        """Take the module `cuda.bindings.runtime` and the first device. Raises DeviceFailed without one."""
        self._cudart = cudart
        self._pinned: dict[int, int] = {}
        self._call("cudaSetDevice", 0)
        properties = self._call("cudaGetDeviceProperties", 0)
        name = properties.name
        self.name = name.decode(errors="replace").rstrip("\0") if isinstance(name, bytes) else str(name)
        self.capability = f"{properties.major}.{properties.minor}"

    @contextmanager
    def current(self) -> Iterator[None]:
        """See `Device.current`."""
        self._call("cudaSetDevice", 0)
        yield

    def free_bytes(self) -> int:
        """See `Device.free_bytes`."""
        free, _total = self._call("cudaMemGetInfo")
        return int(free)

    def allocate(self, size: int) -> int:
        """See `Device.allocate`."""
        return int(self._call("cudaMalloc", size))

    def release(self, address: int) -> None:
        """See `Device.release`."""
        self._call("cudaFree", address)

    def pin(self, size: int) -> Bytes:
        """See `Device.pin`."""
        address = int(self._call("cudaMallocHost", size))
        memory: Bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
        self._pinned[memory.ctypes.data] = address
        return memory

    def unpin(self, memory: Bytes) -> None:
        """See `Device.unpin`."""
        self._call("cudaFreeHost", self._pinned.pop(memory.ctypes.data))

    def stream(self) -> int:
        """See `Device.stream`."""
        return int(self._call("cudaStreamCreateWithFlags", self._cudart.cudaStreamNonBlocking))

    def drop(self, stream: int) -> None:
        """See `Device.drop`."""
        self._call("cudaStreamDestroy", stream)

    def upload(self, address: int, memory: Bytes, stream: int) -> None:
        """See `Device.upload`."""
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, memory.ctypes.data, memory.nbytes, kind, stream)

    def download(self, memory: Bytes, address: int, stream: int) -> None:
        """See `Device.download`."""
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", memory.ctypes.data, address, memory.nbytes, kind, stream)

    def wait(self, stream: int) -> None:
        """See `Device.wait`."""
        self._call("cudaStreamSynchronize", stream)

    def capture(self, stream: int, queue: Callable[[], None]) -> int:
        """See `Device.capture`."""
        mode = self._cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", stream, mode)
        try:
            queue()
        except BaseException:
            with suppress(DeviceFailed):  # the stream has to leave capturing; why it was given up is the error
                self._call("cudaGraphDestroy", self._call("cudaStreamEndCapture", stream))
            raise
        recorded = self._call("cudaStreamEndCapture", stream)
        try:
            return int(self._call("cudaGraphInstantiate", recorded, 0))
        finally:
            self._call("cudaGraphDestroy", recorded)

    def replay(self, graph: int, stream: int) -> None:
        """See `Device.replay`."""
        self._call("cudaGraphLaunch", graph, stream)

    def forget(self, graph: int) -> None:
        """See `Device.forget`."""
        self._call("cudaGraphExecDestroy", graph)

    def close(self) -> None:
        """See `Device.close`. The primary context stays: it belongs to the process."""

    def _call(self, name: str, *given: Any) -> Any:
        """Call a function of the runtime; what it returns behind its status: nothing, one value, or a tuple of them."""
        status, *values = getattr(self._cudart, name)(*given)
        if int(status) != 0:
            text = self._said(status)
            failed = OutOfDeviceMemory if status == self._cudart.cudaError_t.cudaErrorMemoryAllocation else DeviceFailed
            size = f" of {given[0]} bytes" if failed is OutOfDeviceMemory and given else ""
            raise failed(f"cuda: expected {name}{size} to succeed, got {getattr(status, 'name', status)}: {text}")
        return values[0] if len(values) == 1 else tuple(values) or None

    def _said(self, status: Any) -> str:
        _, text = self._cudart.cudaGetErrorString(status)
        return text.decode(errors="replace") if isinstance(text, bytes) else str(text)
