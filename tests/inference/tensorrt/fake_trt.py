"""A fake TensorRT over a fake GPU: its engines carry the ONNX file, and their runs are ONNX Runtime's on the CPU.

So outputs can be compared with real ones, while order of calls, addresses, shapes, profiles and streams are checked as
TensorRT would: by returning None or False and telling the logger. `make(gpu)` gives a module.
"""

from __future__ import annotations

import json
import struct
import zlib
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from fake_cuda import Gpu

from appliance.inference.onnxruntime import library

MAGIC = b"FAKETRT\0"
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
UNSUPPORTED = {"StringNormalizer", "FooBar"}


def make(gpu: Gpu, version: str = "10.3.0") -> Any:
    """A module of its own, so that every test has a logger of its own."""
    old = int(version.partition(".")[0]) < 11
    trt: Any = ModuleType(f"fake_tensorrt_{id(gpu)}_{version}")
    trt.__version__ = version
    trt.gpu = gpu
    trt.faults = []  # names of steps that are to fail: builder, network, config, plan, engine, context, set_shape, ...
    trt.useless = False  # True: floating outputs are all zero
    trt.alive = []  # every engine and context that was not let go of

    def fault(name: str) -> bool:
        if name in trt.faults:
            trt.faults.remove(name)
            return True
        return False

    class Severity(IntEnum):
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    class ILogger:
        Severity = None
        ready = False

        def __init__(self) -> None:
            self.ready = True

    class IProgressMonitor:
        def __init__(self) -> None:
            self.ready = True

    class IOutputAllocator:
        def __init__(self) -> None:
            self.ready = True

    class Flags(IntEnum):
        STRONGLY_TYPED = 2 if old else 1  # the bit moved

    builder_flags = {"TF32": 7} | ({"FP16": 0, "INT8": 1} if old else {})
    trt.BuilderFlag = IntEnum("BuilderFlag", builder_flags)
    trt.MemoryPoolType = IntEnum("MemoryPoolType", {"WORKSPACE": 0})
    trt.TensorLocation = IntEnum("TensorLocation", {"DEVICE": 0, "HOST": 1})
    trt.TensorIOMode = IntEnum("TensorIOMode", {"NONE": 0, "INPUT": 1, "OUTPUT": 2})
    trt.ExecutionContextAllocationStrategy = IntEnum(
        "ExecutionContextAllocationStrategy", {"STATIC": 0, "ON_PROFILE_CHANGE": 1, "USER_MANAGED": 2}
    )
    trt.NetworkDefinitionCreationFlag = Flags
    trt.ILogger, trt.IProgressMonitor, trt.IOutputAllocator = ILogger, IProgressMonitor, IOutputAllocator
    trt.nptype = lambda dtype: dtype

    def say(logger: Any, text: str, severity: Severity = Severity.ERROR) -> None:
        assert logger.ready, "the logger's base was not initialised"
        logger.log(severity, text)

    class Tensor:
        def __init__(self, name: str, shape: tuple[int, ...]) -> None:
            self.name, self.shape = name, shape

    class Network:
        def __init__(self, flags: int) -> None:
            self.flags = flags
            self.onnx = b""
            self.ins: list[Tensor] = []
            self.outs: list[Tensor] = []

        num_inputs = property(lambda self: len(self.ins))
        num_outputs = property(lambda self: len(self.outs))

        def get_input(self, number: int) -> Tensor:
            return self.ins[number]

        def get_output(self, number: int) -> Tensor:
            return self.outs[number]

    class ParserError:
        def __init__(self, node: Any) -> None:
            self._node = node

        def node_name(self) -> str:
            return str(self._node.name)

        def node_operator(self) -> str:
            return str(self._node.op_type)

        def desc(self) -> str:
            return "Plugin not found, are the plugin name,\n version, and namespace correct?"

    class OnnxParser:
        def __init__(self, network: Network, logger: Any) -> None:
            self._network, self._logger, self._errors = network, logger, []

        num_errors = property(lambda self: len(self._errors))

        def get_error(self, number: int) -> ParserError:
            return self._errors[number]  # type: ignore[no-any-return]

        def parse_from_file(self, path: str) -> bool:
            data = Path(path).read_bytes()
            try:
                model = onnx.load_from_string(data)
            except Exception:  # noqa: BLE001 - protobuf's errors share no type
                say(self._logger, f"Failed to parse ONNX model from file: {path}")
                return False
            self._errors = [ParserError(node) for node in model.graph.node if node.op_type in UNSUPPORTED]
            if self._errors:
                return False
            self._network.onnx = data
            for target, values in ((self._network.ins, model.graph.input), (self._network.outs, model.graph.output)):
                target.extend(Tensor(v.name, _shape(v)) for v in values)
            return True

    class Profile:
        def __init__(self) -> None:
            self.shapes: dict[str, list[tuple[int, ...]]] = {}

        def set_shape(self, name: str, low: Any, usual: Any, high: Any) -> None:
            if len(low) != len(usual) or len(low) != len(high):
                raise ValueError("ranks differ")
            self.shapes[name] = [tuple(low), tuple(usual), tuple(high)]

    class Cache:
        def __init__(self, data: bytes) -> None:
            self.data = data

        def serialize(self) -> bytes:
            return self.data + b"+"

    class Config:
        def __init__(self) -> None:
            self.profiles: list[Profile] = []
            self.flags: set[int] = set()
            self.workspace = 0
            self.progress_monitor: Any = None
            self.builder_optimization_level = 3
            self._cache: Cache | None = None

        def set_memory_pool_limit(self, pool: int, size: int) -> None:
            self.workspace = size

        def set_flag(self, flag: int) -> None:
            self.flags.add(flag)

        def create_timing_cache(self, data: bytes) -> Cache:
            return Cache(data)

        def set_timing_cache(self, cache: Cache, ignore_mismatch: bool) -> bool:
            self._cache = cache
            return True

        def get_timing_cache(self) -> Cache | None:
            return self._cache

        def add_optimization_profile(self, profile: Profile) -> int:
            if fault("profile"):
                return -1
            self.profiles.append(profile)
            return len(self.profiles) - 1

    class Builder:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def create_network(self, flags: int) -> Network | None:
            return None if fault("network") else Network(flags)

        def create_builder_config(self) -> Config | None:
            return None if fault("config") else Config()

        def create_optimization_profile(self) -> Profile:
            return Profile()

        def build_serialized_network(self, network: Network, config: Config) -> bytes | None:
            strong = bool(network.flags & (1 << int(Flags.STRONGLY_TYPED)))
            if strong and old and trt.BuilderFlag.FP16 in config.flags:
                say(self._logger, "FP16 cannot be set for a strongly typed network")
                return None
            open_inputs = [t for t in network.ins if -1 in t.shape]
            if open_inputs and not config.profiles:
                say(self._logger, "Network has dynamic or shape inputs, but no optimization profile has been defined.")
                return None
            if fault("memory"):
                say(self._logger, "Requested amount of GPU memory could not be allocated: out of memory")
                return None
            if fault("plan"):
                say(self._logger, "Could not find any implementation for node Conv_0")
                return None
            watch = config.progress_monitor
            if watch is not None:
                watch.phase_start("Building Engine", None, 2)
                for step in range(2):
                    watch.phase_start("Tactics", "Building Engine", 4)
                    for inner in range(4):
                        if not watch.step_complete("Tactics", inner):
                            return None
                    watch.phase_finish("Tactics")
                    watch.step_complete("Building Engine", step)
                watch.phase_finish("Building Engine")
            head = {
                "version": version,
                "gpu": gpu.name,
                "weak": not strong,
                "profiles": [profile.shapes for profile in config.profiles],
            }
            return pack(head, network.onnx)

    class Context:
        def __init__(self, engine: Any) -> None:
            self._engine = engine
            self._profile: int | None = None
            self._shapes: dict[str, tuple[int, ...]] = {}
            self._addresses: dict[str, int] = {}
            self._allocators: dict[str, Any] = {}
            self._scratch = (0, 0)
            trt.alive.append(id(self))

        def __del__(self) -> None:
            trt.alive.remove(id(self))

        def _no(self, text: str) -> bool:
            say(self._engine.logger, text)
            return False

        def set_optimization_profile_async(self, number: int, stream: int) -> bool:
            if stream not in gpu.streams or not 0 <= number < self._engine.num_optimization_profiles:
                return self._no(f"Profile {number} or stream {stream} is invalid")
            self._profile = number
            return True

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            if fault("set_shape"):
                return self._no(f"{name}: shape {shape} refused")
            if self._profile is None:
                return self._no("No optimization profile has been set")
            if self._engine.profiles:
                low, _, high = self._engine.profiles[self._profile][name]
                if len(shape) != len(low) or not all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True)):
                    return self._no(f"{name}: {tuple(shape)} is outside of profile {self._profile}: {low} to {high}")
            self._shapes[name] = tuple(shape)
            return True

        def infer_shapes(self) -> list[str]:
            return [name for name in self._engine.ins if name not in self._shapes]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            if name in self._engine.ins:
                return self._shapes[name]
            return self._engine.output_shapes(self._shapes)[name]  # type: ignore[no-any-return]

        def set_tensor_address(self, name: str, address: int) -> bool:
            if fault("address") or not address:
                return self._no(f"{name}: address {address} refused")
            self._addresses[name] = address
            return True

        def set_output_allocator(self, name: str, allocator: Any) -> bool:
            assert allocator.ready, "the allocator's base was not initialised"
            self._allocators[name] = allocator
            return True

        def set_device_memory(self, address: int, size: int) -> None:
            self._scratch = (address, size)

        def execute_async_v3(self, stream: int) -> bool:
            engine = self._engine
            if fault("execute"):
                return self._no("Cuda failure: unspecified launch failure")
            if stream not in gpu.streams:
                return self._no(f"stream {stream} is not there")
            address, size = self._scratch
            need = engine.get_device_memory_size_for_profile_v2(self._profile)
            if need and (size < need or address not in gpu.blocks):
                return self._no(f"device memory of {size} bytes at {address:#x}, {need} are needed")
            missing = [n for n in (*engine.ins, *engine.outs) if n not in self._addresses and n not in self._allocators]
            if missing or self.infer_shapes():
                return self._no(f"no address or shape of {missing or self.infer_shapes()}")
            shapes, addresses = dict(self._shapes), dict(self._addresses)

            def compute() -> list[Any]:
                gpu.read(address, 1)  # the scratch memory is still there
                feeds = {}
                for name, dtype in engine.ins.items():
                    count = int(np.prod(shapes[name]))
                    data = gpu.read(addresses[name], count * np.dtype(dtype).itemsize)
                    feeds[name] = np.frombuffer(data, dtype).reshape(shapes[name])
                return engine.session.run(list(engine.outs), feeds)  # type: ignore[no-any-return]

            if self._allocators:  # the data decide: the run is waited for inside
                gpu.wait(stream)
                for name, value in zip(engine.outs, compute(), strict=True):
                    if name in self._allocators:
                        at = self._allocators[name].reallocate_output(name, 0, max(1, value.nbytes), 256)
                        if not at:
                            return self._no(f"{name}: no memory for {value.nbytes} bytes")
                        self._allocators[name].notify_shape(name, value.shape)
                    else:
                        at = addresses[name]
                    gpu.write(at, value.tobytes())
                return True

            broken = fault("nan")

            def work() -> None:
                for name, value in zip(engine.outs, compute(), strict=True):
                    if value.dtype.kind == "f" and (broken or trt.useless):
                        value = np.full_like(value, np.nan if broken else 0)
                    gpu.write(addresses[name], value.tobytes())

            gpu.queue(stream, work)
            return True

    class Engine:
        def __init__(self, logger: Any, head: dict[str, Any], data: bytes) -> None:
            self.logger = logger
            self.head, self.profiles = head, head["profiles"]
            self.session = library().InferenceSession(data, providers=["CPUExecutionProvider"])
            self.ins = {i.name: _DTYPES[i.type] for i in self.session.get_inputs()}
            self.outs = {o.name: _DTYPES[o.type] for o in self.session.get_outputs()}
            self._open = {
                t.name: tuple(n if isinstance(n, int) else -1 for n in t.shape)
                for t in (*self.session.get_inputs(), *self.session.get_outputs())
            }
            self._data_dependent = {
                n.output[0] for n in onnx.load_from_string(data).graph.node if n.op_type == "NonZero"
            }
            self._known: dict[Any, dict[str, tuple[int, ...]]] = {}
            trt.alive.append(id(self))

        def __del__(self) -> None:
            trt.alive.remove(id(self))

        num_io_tensors = property(lambda self: len(self.ins) + len(self.outs))
        num_optimization_profiles = property(lambda self: max(1, len(self.profiles)))
        device_memory_size_v2 = 1 << 16

        def get_device_memory_size_for_profile_v2(self, number: int) -> int:
            return (number + 1) << 12

        def get_tensor_name(self, number: int) -> str:
            return [*self.ins, *self.outs][number]

        def get_tensor_mode(self, name: str) -> int:
            return trt.TensorIOMode.INPUT if name in self.ins else trt.TensorIOMode.OUTPUT  # type: ignore[no-any-return]

        def get_tensor_dtype(self, name: str) -> Any:
            return (self.ins | self.outs)[name]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return self._open[name]

        def get_tensor_location(self, name: str) -> int:
            return trt.TensorLocation.HOST if fault("host_tensor") else trt.TensorLocation.DEVICE  # type: ignore[no-any-return]

        def output_shapes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
            """As TensorRT infers them from the inputs' shapes; -1 where the data decide."""
            key = tuple(sorted(shapes.items()))
            if key not in self._known:
                feeds = {name: np.ones(shapes[name], dtype) for name, dtype in self.ins.items()}
                got = self.session.run(list(self.outs), feeds)
                self._known[key] = {
                    name: tuple(
                        -1 if name in self._data_dependent and axis else n for axis, n in enumerate(value.shape)
                    )
                    for name, value in zip(self.outs, got, strict=True)
                }
            return self._known[key]

        def create_execution_context(self, strategy: int) -> Context | None:
            assert strategy == trt.ExecutionContextAllocationStrategy.USER_MANAGED
            if fault("context"):
                say(self.logger, "Context could not be created: out of memory")
                return None
            return Context(self)

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
            head = unpack(plan)
            if head is None or fault("engine"):
                say(
                    self._logger,
                    "IRuntime::deserializeCudaEngine: Serialization (magic tag does not match)",
                )
                return None
            if head[0]["version"] != version or head[0]["gpu"] != gpu.name:
                say(self._logger, "The engine plan file is generated on an incompatible device or version")
                return None
            return Engine(self._logger, *head)

    trt.OnnxParser, trt.Builder, trt.Runtime = OnnxParser, Builder, Runtime
    return trt


def pack(head: dict[str, Any], data: bytes) -> bytes:
    """A plan of these parts, with a checksum as TensorRT's plans have one."""
    text = json.dumps(head).encode()
    body = struct.pack("<I", len(text)) + text + data
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def unpack(plan: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Head and ONNX file of a plan; None for anything else."""
    at = len(MAGIC) + 8
    if plan[: len(MAGIC)] != MAGIC or len(plan) < at:
        return None
    crc, size = struct.unpack("<II", plan[len(MAGIC) : at])
    if crc != zlib.crc32(plan[len(MAGIC) + 4 :]):
        return None
    head: dict[str, Any] = json.loads(plan[at : at + size])
    return head, plan[at + size :]


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim)
