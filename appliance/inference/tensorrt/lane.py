"""One shape profile of an engine at work: its execution context, the memory of its tensors, its recorded graph."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed, DeviceFailed, OutOfDeviceMemory
from appliance.inference.signature import Arrays
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.buffers import Buffer, Growing, Scratch, Shape, allocator
from appliance.inference.tensorrt.log import Journal, short_of_memory
from appliance.inference.tensorrt.memory import Device
from appliance.specs import ModelSpec
from appliance.trail import let_go

log = logging.getLogger("appliance.tensorrt")


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
        self._graph = 0
        self._plain = False
        try:
            self._make(trt, engine)
        except BaseException as error:
            let_go(error)
            with suppress(DeviceFailed):  # the first error is the one to report
                self.free()
            raise

    def _make(self, trt: Any, engine: Any) -> None:
        start = self._journal.position
        self._context = context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        self._ask(lambda: context is not None, "to make an execution context", start)
        self._needs = compat.scratch_bytes(engine, self._number)
        self._ask(
            lambda: context.set_optimization_profile_async(self._number, self._stream), "to set the profile", start
        )
        self._device.wait(self._stream)
        largest = self._spec.profiles[self._number].maximum if self._spec.profiles else {}
        for tensor in self._spec.inputs:
            shape = tuple(dim if isinstance(dim, int) else largest[dim] for dim in tensor.shape)
            dtype = np.dtype(trt.nptype(engine.get_tensor_dtype(tensor.name)))
            self._buffers[tensor.name] = Buffer.of(self._device, dtype, int(np.prod(shape)) * dtype.itemsize)
            self._shape(tensor.name, shape)
        if unknown := context.infer_shapes():
            raise self._failed(f"to know the shapes of all outputs by those of the inputs, without {unknown}", start)
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
            self._ask(partial(context.set_output_allocator, name, self._allocator), f"to give {name} its memory", start)
        for name, buffer in self._buffers.items():
            self._ask(partial(context.set_tensor_address, name, buffer.address), f"to place {name}", start)

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
            return {name: self._output(name, shape) for name, shape in shapes.items()}
        except DeviceFailed as error:
            with suppress(DeviceFailed):  # copies that were queued before it failed use memory that may be freed next
                self._device.wait(self._stream)
            if isinstance(error, OutOfDeviceMemory):
                raise
            raise DeviceFailed(f"{self._spec.name}: {error.detail}; {self._journal.since(start)}") from error

    def _output(self, name: str, shape: Shape) -> npt.NDArray[Any]:
        if name in self._growing:
            return self._growing[name].fetch(self._stream)
        output: npt.NDArray[Any] = self._buffers[name].view(shape).copy()
        return output

    def free(self) -> None:
        """Give everything back, the context first: it holds addresses. Raises the first error, having tried all."""
        failed: list[DeviceFailed] = []
        _try(self._forget, failed)
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
            self._forget()  # it holds the old address
            # The call gives nothing back; a wrong address shows at the run.
            self._context.set_device_memory(self._scratch.address, self._scratch.size)
            self._computes_in = self._scratch.address

    def _shape(self, name: str, shape: Shape) -> None:
        if self._set.get(name) != shape:
            start = self._journal.position
            what = f"to take {name} of shape {list(shape)}"
            self._forget()  # a context that was changed since its run was recorded must not be replayed
            self._ask(lambda: self._context.set_input_shape(name, shape), what, start)
            self._set[name] = shape

    def _forget(self) -> None:
        """Give the recorded graph back; another needs a plain run first, in which TensorRT does what it put off."""
        graph, self._graph, self._plain = self._graph, 0, False
        if graph:
            self._device.forget(graph)

    def _go(self, shapes: Mapping[str, Shape], start: int) -> None:
        """Queue uploads, the network and downloads; where shapes stay the same, from the second run on as a graph."""

        def queue() -> None:
            for tensor in self._spec.inputs:
                buffer = self._buffers[tensor.name]
                self._device.upload(buffer.address, buffer.part(self._set[tensor.name]), self._stream)
            self._ask(lambda: self._context.execute_async_v3(self._stream), "to run", start)
            for name, shape in shapes.items():
                if name in self._buffers:
                    buffer = self._buffers[name]
                    self._device.download(buffer.part(shape), buffer.address, self._stream)

        if not self._records or self._growing:  # memory that is asked for in mid-run cannot be recorded
            return queue()
        if not self._graph and self._plain:
            try:
                self._graph = self._device.capture(self._stream, queue)
            except BackendFailed as error:
                log.warning("%s: runs are not recorded: %s", self._spec.name, error.detail)
                self._records = False
                return queue()
        if self._graph:
            return self._device.replay(self._graph, self._stream)
        self._plain = True
        return queue()

    def _ask(self, call: Callable[[], Any], what: str, start: int) -> None:
        """Raise unless TensorRT says yes; some methods of the binding say no by an exception."""
        try:
            if call():
                return
        except (RuntimeError, TypeError, ValueError) as error:
            raise self._failed(what, start, str(error)) from error
        raise self._failed(what, start)

    def _failed(self, what: str, start: int, more: str = "") -> DeviceFailed:
        short = next((growing.failed for growing in self._growing.values() if growing.failed), None)
        said = "; ".join(part for part in (short.detail if short else self._journal.since(start), more) if part)
        short_of_it = isinstance(short, OutOfDeviceMemory) or short_of_memory(said)
        kind = OutOfDeviceMemory if short_of_it else DeviceFailed
        return kind(f"{self._spec.name}: expected {what}, TensorRT refused: {said}")


def _try(release: Any, failed: list[DeviceFailed]) -> None:
    try:
        release()
    except DeviceFailed as error:
        failed.append(error)
