"""PyTorch to ONNX by torch.export (dynamo), checked against PyTorch at several shapes; weights kept as halves.

The older exporter is silently wrong for encoders: it freezes the branch that the example's mask took. A master file
holds its large weights in float16 behind a Cast to float32, which halves it; whatever runs it computes in float32. The
weights are rounded to halves before the check, so that the file and the checked module hold the same numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

OPSET, IR = 18, 10
"""The newest that TensorRT 10 and ONNX Runtime 1.23 both read."""
_LARGE = 1024
"""Weights of a tensor from which on it is kept as halves."""

Arrays = Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Interface:
    """Names of what goes in and comes out, and which axes vary."""

    inputs: tuple[str, ...]
    """Inputs in the module's order."""
    outputs: Mapping[str, Mapping[int, str]]
    """Outputs in the module's order, each with the names of its axes that vary."""
    varying: Mapping[int, tuple[str, int, int]]
    """Axis of the inputs to its name, least and largest size."""
    own: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Inputs of which only these of the axes vary."""


def rounded(module: nn.Module) -> nn.Module:
    """`module` with every large weight rounded to what a float16 can hold, in place."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() >= _LARGE:
                parameter.copy_(parameter.half().float())
    return module


def export(
    module: nn.Module,
    interface: Interface,
    path: Path,
    examples: Callable[[int, int], Arrays],
    shapes: Sequence[tuple[int, int]],
) -> float:
    """Write `module` (eval mode, large weights rounded) to `path`; the largest difference over all `shapes`.

    `examples(batch, sequence)` makes inputs. Raises ValueError when ONNX Runtime and PyTorch differ by more than 1e-3.
    """
    rounded(module.eval())
    example = {name: torch.from_numpy(values) for name, values in examples(*shapes[0]).items()}
    dimensions = {
        axis: torch.export.Dim(name, min=least, max=most) for axis, (name, least, most) in interface.varying.items()
    }
    # torch 2.13 takes an LSTM apart while it exports, and remembers its own way from the second export of a process on,
    # for which it fixes the sequence to the example's (torch.export._patches leaves the operator's cache as it is).
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(example[name] for name in interface.inputs),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(interface.inputs),
            output_names=list(interface.outputs),
            dynamic_shapes=tuple(
                {axis: size for axis, size in dimensions.items() if axis in interface.own.get(name, dimensions)}
                for name in interface.inputs
            ),
            optimize=True,
            verbose=False,
        )
    if program is None:
        raise ValueError(f"{path.name}: expected the exporter to give a program")
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(program.model_proto, interface, path)
    return compare(module, interface, path, examples, shapes)


def _save(model: Any, interface: Interface, path: Path) -> None:
    import onnx

    model = _halved(model)
    model.ir_version = min(model.ir_version, IR)
    model.producer_version = ""
    # The exporter notes where in the code each node comes from: paths of the machine, and twice the size.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for values in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del values.metadata_props[:]
    found = tuple(value.name for value in model.graph.output)
    if found != tuple(interface.outputs):
        raise ValueError(f"{path.name}: expected outputs {tuple(interface.outputs)}, got {found}")
    for value in model.graph.output:  # the exporter notes the example's sizes behind an LSTM
        for axis, name in interface.outputs[value.name].items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def _halved(model: Any) -> Any:
    """Large float32 initialisers as float16 ones behind a Cast."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    casts, kept = [], []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < _LARGE:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        narrow = values.astype(np.float16)
        if not np.array_equal(narrow.astype(np.float32), values):  # put together by the exporter of small ones
            kept.append(tensor)
            continue
        half = f"{tensor.name}.half"
        kept.append(numpy_helper.from_array(narrow, half))
        casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    del graph.node[:]
    graph.node.extend(nodes)
    return onnx.shape_inference.infer_shapes(model)


def compare(
    module: nn.Module,
    interface: Interface,
    path: Path,
    examples: Callable[[int, int], Arrays],
    shapes: Sequence[tuple[int, int]],
) -> float:
    """The largest difference of ONNX Runtime's outputs from PyTorch's over `shapes`; raises ValueError above 1e-3."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for shape in shapes:
        inputs = examples(*shape)
        with torch.inference_mode():
            wanted = module(*(torch.from_numpy(inputs[name]) for name in interface.inputs))
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        got = session.run(list(interface.outputs), dict(inputs))
        for ours, theirs in zip(got, wanted, strict=True):
            if ours.shape != tuple(theirs.shape):
                raise ValueError(f"{path.name}: expected {tuple(theirs.shape)} at {shape}, got {ours.shape}")
            worst = max(worst, float(np.abs(ours - theirs.numpy()).max()))
    if worst > 1e-3:
        raise ValueError(f"{path.name}: expected PyTorch's outputs, got a difference of {worst:.2e}")
    return worst
