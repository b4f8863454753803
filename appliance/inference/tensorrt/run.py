"""TensorRT behind the backend contract: an engine that this installation built, on the first GPU.

One stream and one context for each shape profile; runs follow each other. A lane (context and buffers) is made when
its profile is first asked for, so that a kiosk that reads small pictures never pays for large ones.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from appliance.errors import ApplianceError, BackendFailed, DeviceFailed, EngineCorrupt, OutOfDeviceMemory
from appliance.inference.backend import Backend, BackendInfo, Unsuited
from appliance.inference.signature import Arrays, Signature
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.buffers import Scratch
from appliance.inference.tensorrt.lane import Lane
from appliance.inference.tensorrt.log import logger, short_of_memory
from appliance.inference.tensorrt.memory import Opener, open_device
from appliance.specs import DTYPES, Dim, ModelSpec, TensorSpec

_NO_GRAPHS = "tensorrt_graphs 需要 cuda-bindings，未录制 / tensorrt_graphs needs cuda-bindings: runs are not recorded"


@dataclass(frozen=True, slots=True)
class Plan:
    """A serialised engine and the hash that its record names."""

    content: bytes
    """Its bytes."""
    sha256: str
    """64 hexadecimal digits."""


class TensorRtBackend(Backend):
    """One engine. `infer` may be called in several threads; they take turns."""

    def __init__(
        self,
        spec: ModelSpec,
        plan: Callable[[], Plan],
        *,
        precision: str = "fp32",
        library: Callable[[], Any] = compat.load,
        device: Opener = open_device,
        graphs: bool = False,
    ) -> None:
        """Run the engine that `plan` gives on load; its bytes must have its hash: deserialising one runs its code.

        `library` imports TensorRT and `device` opens the GPU, both on load; `graphs` records runs of shapes that come
        again as CUDA graphs.
        """
        super().__init__(spec, None)
        self.name = "tensorrt"
        self._plan, self._precision = plan, precision
        self._sha256 = ""
        self._import, self._open, self._records = library, device, graphs
        self._turn = threading.Lock()
        self._trt: Any = None
        self._device: Any = None  # a memory.Device; None before load and after close
        self._runtime: Any = None
        self._engine: Any = None
        self._scratch: Any = None  # a buffers.Scratch
        self._stream = 0
        self._lanes: dict[int, Lane] = {}
        self._journal: Any = None  # a log.Journal

    def _load(self) -> Signature:
        plan = self._read()
        self._trt = trt = self._import()
        made, self._journal = logger(trt)
        start = self._journal.position
        self._device = device = self._open()
        with device.current():
            self._stream = device.stream()
            self._scratch = Scratch(device)
            try:
                self._runtime = trt.Runtime(made)
            except (TypeError, RuntimeError) as error:  # pybind11's way to say that there is none
                raise self._refused("a runtime", start, str(error)) from error
            self._engine = self._runtime.deserialize_cuda_engine(plan)
            if self._engine is None:
                raise self._refused(f"an engine that TensorRT {compat.version(trt)} reads on {device.name}", start)
            wanted = max(1, len(self.spec.profiles))
            if self._engine.num_optimization_profiles != wanted:
                raise EngineCorrupt(
                    f"{self._who}: expected {wanted} profiles, got {self._engine.num_optimization_profiles}"
                )
            return self._signature()

    def _refused(self, what: str, start: int, more: str = "") -> ApplianceError:
        """Why the library gave nothing: too little memory, or a file that it does not read."""
        said = "; ".join(part for part in (self._journal.since(start), more) if part)
        kind = OutOfDeviceMemory if short_of_memory(said) else DeviceFailed if more else EngineCorrupt
        return kind(f"{self._who}: expected {what}, got none: {said}")

    def _infer(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        number = self.spec.profile_of(self.spec.sizes(inputs)) if self.spec.profiles else 0
        if number is None:
            largest = [dict(profile.maximum) for profile in self.spec.profiles]
            raise Unsuited(
                f"{self.spec.name}: expected sizes within one of the profiles up to {largest}, got "
                f"{self.spec.sizes(inputs)}"
            )
        with self._turn, self._device.current():
            if number not in self._lanes:
                self._lanes[number] = self._lane(number)
            return self._lanes[number].run(inputs)

    def _close(self) -> None:
        """Give all back: contexts before the engine, the engine before its runtime, the device last."""
        device, self._device = self._device, None
        if device is None:
            return
        failed: list[BackendFailed] = []

        def attempt(release: Callable[[], object]) -> None:
            try:
                release()
            except BackendFailed as error:  # a lost device refuses everything; what is left dies with the process
                failed.append(error)

        with ExitStack() as inside:
            attempt(lambda: inside.enter_context(device.current()))
            for lane in self._lanes.values():
                attempt(lane.free)
            self._lanes = {}
            self._engine = None
            self._runtime = None
            scratch, self._scratch = self._scratch, None
            if scratch is not None:
                attempt(scratch.free)
            stream, self._stream = self._stream, 0
            if stream:
                attempt(lambda: device.drop(stream))
        attempt(device.close)
        if failed:
            raise failed[0]

    def _describe(self) -> BackendInfo:
        return BackendInfo(
            name=self.name,
            device="cuda:0",
            version=compat.version(self._trt),
            provider=f"{self._device.name} ({self._device.capability}), {self._device.library}",
            precision=self._precision,
            warning=_NO_GRAPHS if self._records and not self._device.records else "",
            file="engine.plan",
            sha256=self._sha256[:12],
        )

    def _lane(self, number: int) -> Lane:
        return Lane(
            self._trt,
            self._engine,
            self.spec,
            number,
            self._device,
            self._stream,
            self._scratch,
            self._journal,
            graphs=self._records and self._device.records,
        )

    def _read(self) -> bytes:
        """The engine's bytes, hashed before anything looks into them."""
        plan = self._plan()
        if (got := hashlib.sha256(plan.content).hexdigest()) != plan.sha256:
            raise EngineCorrupt(f"{self._who}: expected an engine with sha256 {plan.sha256[:12]}, got {got[:12]}")
        self._sha256 = plan.sha256
        return plan.content

    def _signature(self) -> Signature:
        trt, engine = self._trt, self._engine
        found: dict[bool, list[TensorSpec]] = {True: [], False: []}
        for number in range(engine.num_io_tensors):
            name = engine.get_tensor_name(number)
            if engine.get_tensor_location(name) != trt.TensorLocation.DEVICE:
                raise BackendFailed(f"{self._who}: expected tensors on the device, got {name} on the host")
            shape: tuple[Dim, ...] = tuple("?" if n < 0 else int(n) for n in engine.get_tensor_shape(name))
            tensor = TensorSpec(name, _named(trt.nptype(engine.get_tensor_dtype(name))), shape)
            found[engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT].append(tensor)
        return Signature(tuple(found[True]), tuple(found[False]))


def _named(dtype: npt.DTypeLike) -> str:
    return next((name for name, known in DTYPES.items() if known is dtype), str(dtype))
