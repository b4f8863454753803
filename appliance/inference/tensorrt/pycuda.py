"""Device memory by pycuda, whose contexts belong to threads: every block of work pushes the primary one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from appliance.errors import ApplianceError, BackendFailed, DeviceFailed, OutOfDeviceMemory
from appliance.inference.tensorrt.memory import Bytes

_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING of cuda.h: a stream that does not wait for the default one."""


_kept: list[tuple[Any, Any]] = []
"""Driver modules with the context retained through each: one in a process, but for tests."""
_keeping = threading.Lock()


def _primary(driver: Any, device: Any) -> Any:
    """The process's one reference to the primary context.

    pycuda's `detach` leaves the context on the calling thread's stack and, from another thread, gives nothing back; its
    destructor does the same. So it is retained once and never given back before the process ends.
    """
    with _keeping:
        for known, context in _kept:
            if known is driver:
                return context
        context = device.retain_primary_context()
        _kept.append((driver, context))
        return context


class PycudaDevice:
    """The first GPU, in its primary context, which ONNX Runtime computes in too."""

    library = "pycuda"
    records = False

    def __init__(self, driver: Any) -> None:
        """Take the module `pycuda.driver` and the first device. Raises DeviceFailed without one."""
        self._driver = driver
        self._allocations: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        with self._translated("find a GPU"):
            driver.init()
            device = driver.Device(0)
            self.name = str(device.name())
            major, minor = device.compute_capability()
            self.capability = f"{major}.{minor}"
            self._context = _primary(driver, device)

    @contextmanager
    def current(self) -> Iterator[None]:
        """See `Device.current`."""
        with self._translated("enter the context"):
            self._context.push()
        try:
            yield
        finally:
            self._driver.Context.pop()

    def free_bytes(self) -> int:
        """See `Device.free_bytes`."""
        with self._translated("ask for free memory"):
            free, _total = self._driver.mem_get_info()
        return int(free)

    def allocate(self, size: int) -> int:
        """See `Device.allocate`."""
        with self._translated(f"allocate {size} bytes"):
            allocation = self._driver.mem_alloc(size)
        self._allocations[int(allocation)] = allocation
        return int(allocation)

    def release(self, address: int) -> None:
        """See `Device.release`."""
        with self._translated("free memory"):
            self._allocations.pop(address).free()

    def pin(self, size: int) -> Bytes:
        """See `Device.pin`."""
        with self._translated(f"pin {size} bytes"):
            memory: Bytes = self._driver.pagelocked_empty(size, np.uint8)
        return memory

    def unpin(self, memory: Bytes) -> None:
        """See `Device.unpin`."""
        with self._translated("unpin memory"):
            memory.base.free()  # type: ignore[union-attr]  # pycuda's arrays have their allocation as base

    def stream(self) -> int:
        """See `Device.stream`."""
        with self._translated("make a stream"):
            made = self._driver.Stream(_NON_BLOCKING)
        self._streams[int(made.handle)] = made
        return int(made.handle)

    def drop(self, stream: int) -> None:
        """See `Device.drop`. pycuda ends a stream with its last reference."""
        self._streams.pop(stream)

    def upload(self, address: int, memory: Bytes, stream: int) -> None:
        """See `Device.upload`."""
        with self._translated("copy to the device"):
            self._driver.memcpy_htod_async(address, memory, self._streams[stream])

    def download(self, memory: Bytes, address: int, stream: int) -> None:
        """See `Device.download`."""
        with self._translated("copy from the device"):
            self._driver.memcpy_dtoh_async(memory, address, self._streams[stream])

    def wait(self, stream: int) -> None:
        """See `Device.wait`."""
        with self._translated("wait for the stream"):
            self._streams[stream].synchronize()

    def capture(self, stream: int, queue: Callable[[], None]) -> int:
        """Refused: only cuda-bindings' graphs are used."""
        raise BackendFailed(
            "cuda graphs: expected cuda-bindings, got pycuda",
            remedy=(
                "请安装 cuda-bindings，或关闭设置 tensorrt_graphs",
                "Install cuda-bindings, or switch the setting tensorrt_graphs off",
            ),
        )

    def replay(self, graph: int, stream: int) -> None:
        """Never reached: no graph can be captured."""
        raise BackendFailed("cuda graphs: expected one captured by this device, got none")

    def forget(self, graph: int) -> None:
        """Never reached: no graph can be captured."""
        raise BackendFailed("cuda graphs: expected one captured by this device, got none")

    def close(self) -> None:
        """See `Device.close`. The primary context stays: it belongs to the process, as with cuda-bindings."""

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except ApplianceError:
            raise
        except self._driver.MemoryError as error:
            raise OutOfDeviceMemory(f"cuda: expected to {what}, got {error}") from error
        except self._driver.Error as error:
            raise DeviceFailed(f"cuda: expected to {what}, got {type(error).__name__}: {error}") from error
