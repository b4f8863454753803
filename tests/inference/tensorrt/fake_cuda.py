"""A fake GPU: its memory, streams and graphs, behind the names of cuda-bindings and of pycuda.

It computes nothing. It is strict instead: what is queued happens only when its stream is waited for, memory that was
given back is gone, copies need pinned memory, and whatever is never given back can be counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

ALIGNED = 256


class Status(IntEnum):
    """Some of cudaError_t."""

    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorInvalidResourceHandle = 400
    cudaErrorIllegalAddress = 700
    cudaErrorLaunchFailure = 719


class Trouble(Exception):
    """What the GPU refuses, with its status."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status


class Gpu:
    """Memory, streams and graphs of one device. `fail` makes the next calls of a name go wrong."""

    def __init__(self, *, name: str = "Orin", capability: tuple[int, int] = (8, 7), total: int = 64 << 20) -> None:
        self.name, self.capability, self.total = name, capability, total
        self.blocks: dict[int, bytearray] = {}
        self.pinned: dict[int, Any] = {}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.capturing: dict[int, list[Callable[[], None]]] = {}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.calls: list[str] = []
        self.faults: dict[str, list[Status]] = {}
        self.lost = False
        self._next = 0x1000

    def fail(self, name: str, status: Status = Status.cudaErrorLaunchFailure, *, after: int = 0) -> None:
        """Let call number `after` from now of `name` end with `status`."""
        self.faults[name] = [Status.cudaSuccess] * after + [status]

    @property
    def used(self) -> int:
        """Bytes of device memory that somebody holds."""
        return sum(map(len, self.blocks.values()))

    @property
    def held(self) -> dict[str, int]:
        """How many of each kind of thing somebody holds; empty when everything was given back."""
        counts = {
            "blocks": len(self.blocks),
            "pinned": len(self.pinned),
            "streams": len(self.streams),
            "graphs": len(self.graphs),
        }
        return {kind: count for kind, count in counts.items() if count}

    def called(self, name: str) -> None:
        """Note a call; raise what it is to fail with."""
        self.calls.append(name)
        if self.lost:
            raise Trouble(Status.cudaErrorLaunchFailure, "the device is lost")
        planned = self.faults.get(name)
        if planned:
            status = planned.pop(0)
            if status is not Status.cudaSuccess:
                self.lost = status in (Status.cudaErrorIllegalAddress, Status.cudaErrorLaunchFailure)
                raise Trouble(status, f"{name} was told to fail")

    def handle(self) -> int:
        self._next += ALIGNED
        return self._next

    def allocate(self, size: int) -> int:
        if size <= 0:
            raise Trouble(Status.cudaErrorInvalidValue, f"{size} bytes")
        if self.used + size > self.total:
            raise Trouble(Status.cudaErrorMemoryAllocation, "out of memory")
        self._next += -(-size // ALIGNED) * ALIGNED + ALIGNED
        address = self._next
        self._next += size
        self.blocks[address] = bytearray(b"\xa5" * size)  # fresh memory is rubbish, not zeros
        return address

    def release(self, address: int) -> None:
        if address not in self.blocks:
            raise Trouble(Status.cudaErrorInvalidValue, f"{address:#x} is not allocated")
        self._idle("memory")
        del self.blocks[address]

    def read(self, address: int, size: int) -> bytes:
        block, at = self._find(address, size)
        return bytes(block[at : at + size])

    def write(self, address: int, data: bytes) -> None:
        block, at = self._find(address, len(data))
        block[at : at + len(data)] = data

    def _find(self, address: int, size: int) -> tuple[bytearray, int]:
        for base, block in self.blocks.items():
            if base <= address and address + size <= base + len(block):
                return block, address - base
        self.lost = True
        raise Trouble(Status.cudaErrorIllegalAddress, f"{size} bytes at {address:#x} are nobody's")

    def pin(self, size: int) -> Any:
        memory = np.full(size, 0x5A, np.uint8)
        self.pinned[memory.ctypes.data] = memory
        return memory

    def unpin(self, address: int) -> None:
        if address not in self.pinned:
            raise Trouble(Status.cudaErrorInvalidValue, f"{address:#x} is not pinned")
        self._idle("pinned memory")
        del self.pinned[address]

    def host(self, address: int, size: int) -> Any:
        """The pinned bytes at `address`; copies of any other memory would not be asynchronous."""
        for base, memory in self.pinned.items():
            if base <= address and address + size <= base + memory.nbytes:
                return memory[address - base : address - base + size]
        raise Trouble(Status.cudaErrorInvalidValue, f"{size} bytes at {address:#x} are not pinned")

    def queue(self, stream: int, work: Callable[[], None]) -> None:
        if stream in self.capturing:
            self.capturing[stream].append(work)
        elif stream in self.streams:
            self.streams[stream].append(work)
        else:
            raise Trouble(Status.cudaErrorInvalidResourceHandle, f"no stream {stream}")

    def wait(self, stream: int) -> None:
        if stream in self.capturing:
            raise Trouble(Status.cudaErrorInvalidValue, "a capturing stream cannot be waited for")
        if stream not in self.streams:
            raise Trouble(Status.cudaErrorInvalidResourceHandle, f"no stream {stream}")
        while self.streams[stream]:
            self.streams[stream].pop(0)()

    def drop(self, stream: int) -> None:
        if self.streams.get(stream):
            raise Trouble(Status.cudaErrorInvalidValue, "work is still queued")
        del self.streams[stream]

    def _idle(self, what: str) -> None:
        if any(self.streams.values()):
            raise Trouble(Status.cudaErrorInvalidValue, f"{what} given back while work is queued")


class Cudart:
    """The functions of `cuda.bindings.runtime` that the product uses, over one Gpu."""

    cudaError_t = Status
    cudaStreamNonBlocking = 1
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu

    def _try(self, name: str, do: Callable[[], Any]) -> tuple[Any, ...]:
        try:
            self.gpu.called(name)
            value = do()
        except Trouble as trouble:
            return (trouble.status, None)
        return (Status.cudaSuccess,) if value is None else (Status.cudaSuccess, *value)

    def cudaGetErrorString(self, status: Status) -> tuple[Any, ...]:
        return Status.cudaSuccess, {2: b"out of memory"}.get(int(status), status.name.encode())

    def cudaSetDevice(self, number: int) -> tuple[Any, ...]:
        return self._try("cudaSetDevice", lambda: None)

    def cudaGetDeviceProperties(self, number: int) -> tuple[Any, ...]:
        major, minor = self.gpu.capability
        properties = SimpleNamespace(name=self.gpu.name.encode(), major=major, minor=minor)
        return self._try("cudaGetDeviceProperties", lambda: (properties,))

    def cudaMemGetInfo(self) -> tuple[Any, ...]:
        return self._try("cudaMemGetInfo", lambda: (self.gpu.total - self.gpu.used, self.gpu.total))

    def cudaMalloc(self, size: int) -> tuple[Any, ...]:
        return self._try("cudaMalloc", lambda: (self.gpu.allocate(size),))

    def cudaFree(self, address: int) -> tuple[Any, ...]:
        return self._try("cudaFree", lambda: self.gpu.release(address))

    def cudaMallocHost(self, size: int) -> tuple[Any, ...]:
        return self._try("cudaMallocHost", lambda: (self.gpu.pin(size).ctypes.data,))

    def cudaFreeHost(self, address: int) -> tuple[Any, ...]:
        return self._try("cudaFreeHost", lambda: self.gpu.unpin(address))

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: int, stream: int) -> tuple[Any, ...]:
        def copy() -> None:
            if kind == 1:
                memory = self.gpu.host(source, size)
                self.gpu.queue(stream, lambda: self.gpu.write(to, memory.tobytes()))
            else:
                memory = self.gpu.host(to, size)
                self.gpu.queue(stream, lambda: _fill(memory, self.gpu.read(source, size)))

        return self._try("cudaMemcpyAsync", copy)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Any, ...]:
        def create() -> tuple[int]:
            handle = self.gpu.handle()
            self.gpu.streams[handle] = []
            return (handle,)

        return self._try("cudaStreamCreateWithFlags", create)

    def cudaStreamDestroy(self, stream: int) -> tuple[Any, ...]:
        return self._try("cudaStreamDestroy", lambda: self.gpu.drop(stream))

    def cudaStreamSynchronize(self, stream: int) -> tuple[Any, ...]:
        return self._try("cudaStreamSynchronize", lambda: self.gpu.wait(stream))

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[Any, ...]:
        return self._try("cudaStreamBeginCapture", lambda: self.gpu.capturing.update({stream: []}))

    def cudaStreamEndCapture(self, stream: int) -> tuple[Any, ...]:
        def end() -> tuple[int]:
            handle = self.gpu.handle()
            self.gpu.graphs[handle] = self.gpu.capturing.pop(stream)
            return (handle,)

        return self._try("cudaStreamEndCapture", end)

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Any, ...]:
        def instantiate() -> tuple[int]:
            handle = self.gpu.handle()
            self.gpu.graphs[handle] = list(self.gpu.graphs[graph])
            return (handle,)

        return self._try("cudaGraphInstantiate", instantiate)

    def cudaGraphLaunch(self, graph: int, stream: int) -> tuple[Any, ...]:
        def launch() -> None:
            for work in self.gpu.graphs[graph]:
                self.gpu.queue(stream, work)

        return self._try("cudaGraphLaunch", launch)

    def cudaGraphDestroy(self, graph: int) -> tuple[Any, ...]:
        return self._try("cudaGraphDestroy", lambda: self.gpu.graphs.pop(graph) and None)

    def cudaGraphExecDestroy(self, graph: int) -> tuple[Any, ...]:
        return self._try("cudaGraphExecDestroy", lambda: self.gpu.graphs.pop(graph) and None)


def _fill(memory: Any, data: bytes) -> None:
    memory[:] = np.frombuffer(data, np.uint8)


class _Allocation:
    """pycuda's DeviceAllocation and PagelockedHostAllocation: `free`, and the address as an integer."""

    def __init__(self, address: int, free: Callable[[int], None]) -> None:
        self._address, self._free = address, free

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        self._free(self._address)


class _Pinned(np.ndarray):
    """An array whose base is its allocation, as pycuda's pagelocked arrays have it."""

    allocation: Any = None

    @property
    def base(self) -> Any:
        return self.allocation


class Driver:
    """The part of `pycuda.driver` that the product uses, over one Gpu. Its context has to be pushed."""

    class Error(Exception):
        """Any error of the driver."""

    class MemoryError(Error):
        """No memory left."""

    class LaunchError(Error):
        """A launch failed."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.pushed = 0
        driver = self

        class Context:
            @staticmethod
            def pop() -> None:
                driver.pushed -= 1

        self.Context = Context

    def _try(self, name: str, do: Callable[[], Any], *, inside: bool = True) -> Any:
        if inside and self.pushed < 1:
            raise self.LaunchError(f"{name} without a current context")
        try:
            self.gpu.called(name)
            return do()
        except Trouble as trouble:
            kind = self.MemoryError if trouble.status is Status.cudaErrorMemoryAllocation else self.LaunchError
            raise kind(str(trouble)) from None

    def init(self) -> None:
        self._try("init", lambda: None, inside=False)

    def Device(self, number: int) -> Any:
        driver = self

        class Context:
            def push(self) -> None:
                driver._try("push", lambda: None, inside=False)
                driver.pushed += 1

            def detach(self) -> None:
                driver.gpu.calls.append("detach")

        return SimpleNamespace(
            name=lambda: self.gpu.name,
            compute_capability=lambda: self.gpu.capability,
            retain_primary_context=Context,
        )

    def mem_get_info(self) -> tuple[int, int]:
        return self._try("mem_get_info", lambda: (self.gpu.total - self.gpu.used, self.gpu.total))  # type: ignore[no-any-return]

    def mem_alloc(self, size: int) -> _Allocation:
        def free(address: int) -> None:
            self._try("mem_free", lambda: self.gpu.release(address))

        return _Allocation(self._try("mem_alloc", lambda: self.gpu.allocate(size)), free)

    def pagelocked_empty(self, shape: int, dtype: Any) -> Any:
        memory = self._try("pagelocked_empty", lambda: self.gpu.pin(shape))
        pinned = memory.view(_Pinned)
        pinned.allocation = _Allocation(
            memory.ctypes.data, lambda at: self._try("mem_free_host", lambda: self.gpu.unpin(at))
        )
        return pinned

    def Stream(self, flags: int) -> Any:
        driver, gpu = self, self.gpu

        class Stream:
            def __init__(self) -> None:
                self.handle = gpu.handle()
                gpu.streams[self.handle] = []

            def synchronize(self) -> None:
                driver._try("synchronize", lambda: gpu.wait(self.handle))

            def __del__(self) -> None:
                gpu.streams.pop(self.handle, None)

        return self._try("Stream", Stream)

    def memcpy_htod_async(self, to: int, memory: Any, stream: Any) -> None:
        def copy() -> None:
            pinned = self.gpu.host(memory.ctypes.data, memory.nbytes)
            self.gpu.queue(stream.handle, lambda: self.gpu.write(to, pinned.tobytes()))

        self._try("memcpy_htod_async", copy)

    def memcpy_dtoh_async(self, memory: Any, source: int, stream: Any) -> None:
        def copy() -> None:
            pinned = self.gpu.host(memory.ctypes.data, memory.nbytes)
            self.gpu.queue(stream.handle, lambda: _fill(pinned, self.gpu.read(source, pinned.nbytes)))

        self._try("memcpy_dtoh_async", copy)


@contextmanager
def nothing_left(gpu: Gpu) -> Any:
    """Assert at the end of the block that everything taken from `gpu` was given back."""
    yield
    assert not gpu.held, gpu.held
