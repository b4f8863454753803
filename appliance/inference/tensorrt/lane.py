"""One shape profile of an engine at work: its execution context, the memory of its tensors, its recorded graphs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import DeviceFailed, OutOfDeviceMemory
from appliance.inference.signature import Arrays
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.buffers import Buffer, Growing, Scratch, Shape, allocator
from appliance.inference.tensorrt.log import Journal
from appliance.inference.tensorrt.memory import Device
from appliance.specs import ModelSpec

GRAPHS = 8
"""Most recorded graphs of a lane: each is of one set of shapes."""


class Lane:
    """Runs requests that one profile holds. Not thread-safe: the backend lets one in at a time.

    Buffers are as large as the profile's largest request, taken when the lane is made; a run takes nothing.
    """

    def __init__(
        self,
        trt: Any,
        engine: Any,
        spec: ModelSpec,
        number: int,
        device: Device,
        stream: int,
        scratch: Scratch,
        journal: Journal,
        *,
        graphs: bool = False,
    ) -> None:
        """Make the context of profile `number` and take its memory. Raises DeviceFailed, having given all back."""
        self._spec, self._number = spec, number
        self._device, self._stream, self._scratch, self._journal = device, stream, scratch, journal
        self._context: Any = None
        self._buffers: dict[str, Buffer] = {}
        self._growing: dict[str, Growing] = {}
        self._allocator: Any = None
        self._set: dict[str, Shape] = {}
        self._computes_in = 0
        self._records = graphs
        self._seen: set[tuple[Shape, ...]] = set()
        self._graphs: OrderedDict[tuple[Shape, ...], int] = OrderedDict()
        try:
            self._make(trt, engine)
        except BaseException:
            self.free()
            raise

    def _make(self, trt: Any, engine: Any) -> None:
        start = self._journal.position
        context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise self._failed("an execution context", start)
        self._context = context
        self._needs = compat.scratch_bytes(engine, self._number)
        self._done(context.set_optimization_profile_async(self._number, self._stream), "to set the profile", start)
        self._device.wait(self._stream)
        largest = self._spec.profiles[self._number].maximum if self._spec.profiles else {}
        for tensor in self._spec.inputs:
            shape = tuple(dim if isinstance(dim, int) else largest[dim] for dim in tensor.shape)
            dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(tensor.name)))
            self._buffers[tensor.name] = Buffer.of(self._device, dtype, int(np.prod(shape)) * dtype.itemsize)
            self._shape(tensor.name, shape)
        if unknown := context.infer_shapes():
            raise self._failed(f"the shapes of all outputs from those of the inputs, without {unknown}", start)
        for tensor in self._spec.outputs:
            dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(tensor.name)))
            shape = tuple(int(n) for n in context.get_tensor_shape(tensor.name))
            if min(shape, default=0) < 0:  # the data decide
                self._growing[tensor.name] = Growing(self._device, dtype)
            else:
                self._buffers[tensor.name] = Buffer.of(self._device, dtype, int(np.prod(shape)) * dtype.itemsize)
        if self._growing:
            self._allocator = allocator(trt, self._growing)
        for name in self._growing:
            self._done(context.set_output_allocator(name, self._allocator), f"to give {name} its memory", start)
        for name, buffer in self._buffers.items():
            self._done(context.set_tensor_address(name, buffer.address), f"to place {name}", start)

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Outputs of one run as new arrays. Raises DeviceFailed or OutOfDeviceMemory with what the logger heard."""
        start = self._journal.position
        self._settle(start)
        for tensor in self._spec.inputs:
            array = inputs[tensor.name]
            self._shape(tensor.name, array.shape)
            np.copyto(self._buffers[tensor.name].view(array.shape), array)
        shapes = {t.name: tuple(int(n) for n in self._context.get_tensor_shape(t.name)) for t in self._spec.outputs}
        for growing in self._growing.values():
            growing.shape = growing.failed = None
        try:
            self._go(shapes, start)
            self._device.wait(self._stream)
        except DeviceFailed as error:
            with suppress(DeviceFailed):  # copies that were queued before it failed use memory that may be freed next
                self._device.wait(self._stream)
            if isinstance(error, OutOfDeviceMemory):
                raise
            raise DeviceFailed(f"{self._spec.name}: {error.detail}; {self._journal.since(start)}") from error
        outputs = {}
        for tensor in self._spec.outputs:
            if tensor.name in self._growing:
                outputs[tensor.name] = self._growing[tensor.name].fetch(self._stream)
            else:
                outputs[tensor.name] = self._buffers[tensor.name].view(shapes[tensor.name]).copy()
        return outputs

    def free(self) -> None:
        """Give everything back, the context first: it holds addresses. Raises the first error, having tried all."""
        failed: list[DeviceFailed] = []
        for graph in self._graphs.values():
            _try(partial(self._device.forget, graph), failed)
        self._graphs.clear()
        self._context = self._allocator = None
        for buffer in self._buffers.values():
            _try(buffer.free, failed)
        for growing in self._growing.values():
            _try(growing.free, failed)
        self._buffers, self._growing = {}, {}
        if failed:
            raise failed[0]

    def _settle(self, start: int) -> None:
        """Compute where the scratch memory is now: another lane may have made it grow."""
        self._scratch.hold(self._needs)
        if self._computes_in != self._scratch.address:
            while self._graphs:  # they hold the old address
                self._device.forget(self._graphs.popitem()[1])
            self._seen.clear()
            # The call gives nothing back; a wrong address shows at the run.
            self._context.set_device_memory(self._scratch.address, self._scratch.size)
            self._computes_in = self._scratch.address

    def _shape(self, name: str, shape: Shape) -> None:
        if self._set.get(name) != shape:
            start = self._journal.position
            self._done(self._context.set_input_shape(name, shape), f"to take {name} of shape {list(shape)}", start)
            self._set[name] = shape

    def _go(self, shapes: Mapping[str, Shape], start: int) -> None:
        """Queue uploads, the network and downloads; from the third run of the same shapes on as one graph."""

        def queue() -> None:
            for tensor in self._spec.inputs:
                buffer = self._buffers[tensor.name]
                self._device.upload(buffer.address, buffer.part(self._set[tensor.name]), self._stream)
            self._done(self._context.execute_async_v3(self._stream), "to run", start)
            for name, shape in shapes.items():
                if name in self._buffers:
                    buffer = self._buffers[name]
                    self._device.download(buffer.part(shape), buffer.address, self._stream)

        if not self._records or self._growing:  # memory that is asked for in mid-run cannot be recorded
            return queue()
        key = tuple(self._set[tensor.name] for tensor in self._spec.inputs)
        if key in self._graphs:
            self._graphs.move_to_end(key)
        elif key in self._seen:
            if len(self._graphs) >= GRAPHS:
                self._device.forget(self._graphs.popitem(last=False)[1])
            self._graphs[key] = self._device.capture(self._stream, queue)
        else:  # TensorRT wants one plain run of every shape before it is recorded
            self._seen.add(key)
            return queue()
        self._device.replay(self._graphs[key], self._stream)
        return None

    def _done(self, ok: bool, what: str, start: int) -> None:
        if not ok:
            raise self._failed(what, start)

    def _failed(self, what: str, start: int) -> DeviceFailed:
        short = next((growing.failed for growing in self._growing.values() if growing.failed), None)
        said = short.detail if short else self._journal.since(start)
        kind = (
            OutOfDeviceMemory
            if isinstance(short, OutOfDeviceMemory) or "out of memory" in said.lower()
            else DeviceFailed
        )
        return kind(f"{self._spec.name}: expected {what}, TensorRT refused: {said}")


def _try(release: Any, failed: list[DeviceFailed]) -> None:
    try:
        release()
    except DeviceFailed as error:
        failed.append(error)
