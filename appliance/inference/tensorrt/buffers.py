"""Host and device memory of one network's tensors, taken once and used for every request of its bucket."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import DeviceFailed
from appliance.inference.tensorrt.memory import Bytes, Device

Shape = tuple[int, ...]

_LEAST = 256
"""Fewest bytes of a buffer: TensorRT refuses the address of nothing."""


@dataclass(slots=True)
class Buffer:
    """One tensor's memory on both sides."""

    device: Device
    """Where it was taken."""
    dtype: npt.DTypeLike
    """Type of its numbers."""
    address: int = 0
    """On the device; 0 when given back."""
    host: Any = None
    """Pinned Bytes, as large as on the device; None when given back."""

    @classmethod
    def of(cls, device: Device, dtype: npt.DTypeLike, size: int) -> Buffer:
        """Take `size` bytes on both sides; on a failure nothing stays taken."""
        buffer = cls(device, dtype)
        try:
            buffer.address = device.allocate(max(_LEAST, size))
            buffer.host = device.pin(max(_LEAST, size))
        except BaseException:
            buffer.free()
            raise
        return buffer

    def view(self, shape: Shape) -> npt.NDArray[Any]:
        """The host's side as an array of `shape`."""
        dtype = np.dtype(self.dtype)
        size = math.prod(shape) * dtype.itemsize
        array: npt.NDArray[Any] = self.host[:size].view(dtype).reshape(shape)
        return array

    def part(self, shape: Shape) -> Bytes:
        """The bytes of the host's side that an array of `shape` fills."""
        part: Bytes = self.host[: math.prod(shape) * np.dtype(self.dtype).itemsize]
        return part

    def free(self) -> None:
        """Give both sides back; a second call does nothing."""
        address, host = self.address, self.host
        self.address, self.host = 0, None
        try:
            if host is not None:
                self.device.unpin(host)
        finally:
            if address:
                self.device.release(address)


class Scratch:
    """What the contexts of one engine compute in. Runs follow each other, so one piece serves all profiles."""

    def __init__(self, device: Device) -> None:
        """Take nothing yet."""
        self._device = device
        self.address = self.size = 0

    def hold(self, size: int) -> None:
        """Have at least `size` bytes. It grows with the largest profile used so far; the address may change."""
        if size > self.size or not self.address:
            self.free()
            self.address = self._device.allocate(max(_LEAST, size))
            self.size = max(_LEAST, size)

    def free(self) -> None:
        """Give the memory back; a second call does nothing."""
        address, self.address, self.size = self.address, 0, 0
        if address:
            self._device.release(address)


class Growing:
    """An output whose size only the data decide: TensorRT asks for its memory while it runs."""

    def __init__(self, device: Device, dtype: npt.DTypeLike) -> None:
        """Take nothing yet."""
        self._device, self._dtype = device, dtype
        self._address = self._size = 0
        self._host: Any = None
        self.shape: Any = None
        self.failed: DeviceFailed | None = None

    def grow(self, size: int) -> int:
        """An address with room for `size` bytes; 0, which ends the run, when there is none: see `failed`.

        Called by TensorRT, through which no exception may pass. Sizes double, so that steady work takes nothing.
        """
        size = max(1, size)  # TensorRT wants an address even for an output without numbers
        if size <= self._size:
            return self._address
        try:
            self.free()
            wanted = max(_LEAST, 1 << (size - 1).bit_length())
            self._address = self._device.allocate(wanted)
            self._size = wanted
        except DeviceFailed as error:
            self.failed = error
        return self._address

    def fetch(self, stream: int) -> npt.NDArray[Any]:
        """The output of the run that has ended, as a new array."""
        size = math.prod(self.shape) * np.dtype(self._dtype).itemsize
        if not size:
            return np.empty(self.shape, self._dtype)
        if self._host is None or self._host.nbytes < size:
            host, self._host = self._host, None
            if host is not None:
                self._device.unpin(host)
            self._host = self._device.pin(self._size)
        self._device.download(self._host[:size], self._address, stream)
        self._device.wait(stream)
        output: npt.NDArray[Any] = self._host[:size].view(self._dtype).reshape(self.shape).copy()
        return output

    def free(self) -> None:
        """Give all memory back; a second call does nothing."""
        host, self._host = self._host, None
        address, self._address, self._size = self._address, 0, 0
        try:
            if host is not None:
                self._device.unpin(host)
        finally:
            if address:
                self._device.release(address)


def allocator(trt: Any, outputs: Mapping[str, Growing]) -> Any:
    """What TensorRT asks for the memory of data-dependent `outputs`, by tensor name."""

    class Allocator(trt.IOutputAllocator):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)

        def reallocate_output(self, tensor_name: str, memory: int, size: int, alignment: int) -> int:
            return outputs[tensor_name].grow(size)

        def reallocate_output_async(self, tensor_name: str, memory: int, size: int, alignment: int, stream: int) -> int:
            return outputs[tensor_name].grow(size)

        def notify_shape(self, tensor_name: str, shape: Any) -> None:
            outputs[tensor_name].shape = tuple(int(n) for n in shape)

    return Allocator()
