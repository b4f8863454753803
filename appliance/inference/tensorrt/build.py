"""From an ONNX file to a serialised engine: parse, shape profiles from the spec, strongly typed build.

The precision stands in the file (float16 casts, QuantizeLinear); nothing here chooses one, unless `weak` asks a
TensorRT 10 to. The same code builds with TensorRT-RTX on a machine without a GPU, which is how CI proves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.errors import Both, EngineBuildFailed, ModelMissing, OutOfDeviceMemory
from appliance.inference.tensorrt import compat
from appliance.inference.tensorrt.log import Journal, logger, short_of_memory
from appliance.inference.tensorrt.progress import Progress, Stopped, monitor
from appliance.listener import Listener, silent
from appliance.specs import ModelSpec, TensorSpec

_NAMED = 5
"""Nodes that an error names."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How an engine is built."""

    workspace_bytes: int
    """Most device memory that a tactic may use."""
    timing_cache: bytes = b""
    """Timings of earlier builds on this device, which spare the builder measuring again."""
    weak: bool = False
    """Let the builder compute a float32 file in halves where it likes (TensorRT 10 only)."""
    targets: tuple[str, ...] = ()
    """Compute capabilities to build for instead of this device's (`SM86`; TensorRT-RTX only)."""
    level: int | None = None
    """Builder optimisation level, 0 to 5; None is the library's own."""


@dataclass(frozen=True, slots=True)
class Built:
    """An engine, not yet on any disk."""

    plan: bytes
    """The serialised engine."""
    timing_cache: bytes
    """The timing cache as it is now; empty where the library keeps none."""
    seconds: float
    """Time that it took."""


def build(
    trt: Any,
    spec: ModelSpec,
    path: Path,
    options: BuildOptions,
    listener: Listener = silent,
    *,
    stopped: Stopped = lambda: False,
) -> Built:
    """Build the engine of the network at `path`. The listener hears `engines.progress` (see `progress.Progress`).

    Raises ModelMissing (no file), EngineBuildFailed with the nodes that could not be parsed or what the builder said,
    or OutOfDeviceMemory.
    """
    if not path.is_file():
        raise ModelMissing(f"{spec.name}: expected the file {path.name}, found none")
    began = time.perf_counter()
    made, journal = logger(trt)
    start = journal.position
    builder = _held(lambda: trt.Builder(made), spec, "a builder", journal, start)
    flags = compat.network_flags(trt, weak=options.weak)
    network = _held(lambda: builder.create_network(flags), spec, "a network", journal, start)
    _parse(trt, spec, path, network, made, journal, start)
    _check(trt, spec, network)
    _narrow(spec, network)
    config = _held(builder.create_builder_config, spec, "a configuration", journal, start)
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_bytes)
    if options.level is not None:
        config.builder_optimization_level = options.level
    if options.weak:
        compat.allow_halves(trt, config)
    compat.aim(trt, config, options.targets)
    cache = config.create_timing_cache(options.timing_cache)
    if options.timing_cache and (cache is None or not config.set_timing_cache(cache, ignore_mismatch=False)):
        cache = config.create_timing_cache(b"")  # of another device or version: the builder measures anew
    if cache is not None:
        config.set_timing_cache(cache, ignore_mismatch=False)
    config.progress_monitor = watcher = monitor(trt, Progress(spec.name, listener), stopped)
    for number in range(len(spec.profiles)):
        _profile(spec, number, builder, config, journal)
    plan = builder.build_serialized_network(network, config)
    del watcher  # the binding borrows it: it had to live until here
    if plan is None:
        if stopped():
            raise EngineBuildFailed(f"{spec.name}: expected the build to go on, got asked to stop")
        raise _failed(spec, journal.since(start))
    kept = config.get_timing_cache() if cache is not None else None
    timings = kept.serialize() if kept is not None else None
    return Built(bytes(plan), bytes(timings) if timings is not None else b"", time.perf_counter() - began)


def _parse(trt: Any, spec: ModelSpec, path: Path, network: Any, made: Any, journal: Journal, start: int) -> None:
    parser = _held(lambda: trt.OnnxParser(network, made), spec, "a parser", journal, start)
    # From the path, so that weights in files beside it are found.
    if parser.parse_from_file(str(path)):
        return
    errors = [parser.get_error(number) for number in range(parser.num_errors)]
    said = [f"node {e.node_name() or '?'} ({e.node_operator() or '?'}): {' '.join(e.desc().split())}" for e in errors]
    operators = ", ".join(sorted({e.node_operator() for e in errors if e.node_operator()}))
    more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    remedy: Both | None = None
    if operators:
        remedy = (
            f"请在导出时改写算子 {operators}（见 docs/engines.md）；目前由 ONNX Runtime 计算",
            f"Export the network without {operators} (see docs/engines.md); ONNX Runtime serves meanwhile",
        )
    raise EngineBuildFailed(
        f"{spec.name}: expected {path.name} to be parsed by TensorRT {compat.version(trt)}, got "
        f"{'; '.join(said[:_NAMED]) or journal.since(start)}{more}",
        remedy=remedy,
    )


def _check(trt: Any, spec: ModelSpec, network: Any) -> None:
    """Refuse a file whose inputs or outputs have other names or ranks than the spec: its profiles would not fit."""
    for kind, wanted, found in (
        ("inputs", spec.inputs, [network.get_input(n) for n in range(network.num_inputs)]),
        ("outputs", spec.outputs, [network.get_output(n) for n in range(network.num_outputs)]),
    ):
        got = {tensor.name: len(tuple(tensor.shape)) for tensor in found}
        if got != {tensor.name: len(tensor.shape) for tensor in wanted}:
            raise EngineBuildFailed(
                f"{spec.name}: expected {kind} {', '.join(f'{t.name}{list(t.shape)}' for t in wanted)}, the file has "
                f"{', '.join(f'{t.name}{list(t.shape)}' for t in found)}"
            )


def _narrow(spec: ModelSpec, network: Any) -> None:
    """Fix what the spec fixes: some files name all axes alike (`?`), which ties height to width for the builder."""
    wanted = {tensor.name: tuple(dim if isinstance(dim, int) else -1 for dim in tensor.shape) for tensor in spec.inputs}
    for number in range(network.num_inputs):
        tensor = network.get_input(number)
        if tuple(tensor.shape) != wanted[tensor.name]:
            tensor.shape = wanted[tensor.name]


def _profile(spec: ModelSpec, number: int, builder: Any, config: Any, journal: Journal) -> None:
    start = journal.position
    sizes = spec.profiles[number]
    profile = builder.create_optimization_profile()
    for tensor in spec.inputs:
        shapes = [_shape(tensor, part) for part in (sizes.minimum, sizes.optimum, sizes.maximum)]
        try:
            profile.set_shape(tensor.name, *shapes)
        except (RuntimeError, ValueError, TypeError) as error:
            raise EngineBuildFailed(
                f"{spec.name}: expected a profile {shapes} of {tensor.name}, got {error}"
            ) from error
    if config.add_optimization_profile(profile) < 0:
        raise EngineBuildFailed(f"{spec.name}: expected profile {number} to be valid, got {journal.since(start)}")


def _shape(tensor: TensorSpec, sizes: Any) -> tuple[int, ...]:
    return tuple(dim if isinstance(dim, int) else int(sizes[dim]) for dim in tensor.shape)


def _held(make: Callable[[], Any], spec: ModelSpec, what: str, journal: Journal, start: int) -> Any:
    """What `make` gives, unless that is None or pybind11 refuses to make an object of nothing."""
    try:
        made = make()
    except (TypeError, RuntimeError) as error:
        raise _failed(spec, f"{what} was refused: {journal.since(start)}; {error}") from error
    if made is None:
        raise _failed(spec, f"{what} was refused: {journal.since(start)}")
    return made


def _failed(spec: ModelSpec, said: str) -> EngineBuildFailed | OutOfDeviceMemory:
    if short_of_memory(said):
        return OutOfDeviceMemory(f"{spec.name}: expected enough device memory to build an engine, got {said}")
    return EngineBuildFailed(f"{spec.name}: expected an engine, got none: {said}")
