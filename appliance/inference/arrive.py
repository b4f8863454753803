"""Networks that come as ONNX: checked for what reads them later, and their ends made for engines. No torch.

`topk`: a recogniser whose end is a softmax over thousands of classes gives the five best of every step instead, as ids
and log-probabilities: 40 bytes for 74,840 at 18,710 classes, and nothing else is copied to the host.

The package onnx is imported on use only: serving needs none of this.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from appliance.errors import ApplianceError, BackendFailed, ModelMismatch

OLDEST_OPSET, OPSET, IR = 11, 18, 10
"""TopK as it is written here begins with opset 11. ONNX Runtime 1.23.2, the last for JetPack 6, reads IR up to 11 and
opset up to 23; what is shipped stays at opset 18 and IR 10, which every tool on the way to an engine reads."""

K = 5
"""Classes kept of every step: the character, and up to four others that it may be. TensorRT takes at most 3,840."""

IDS, LOGPROBS = "ids", "logprobs"
"""Outputs of a recogniser made by `topk`, both of shape (batch, steps, K), the most probable class first: int32 and
float32. ONNX's TopK gives int64; every class fits into int32, which is half as much to copy, and ONNX Runtime 1.23.2
and TensorRT 10 and 11 all take the Cast (TensorRT 10 computes indices in int32 anyway)."""

Recipe = Callable[[Path, Path, int], None]
"""Makes the file at the second path of the one at the first, which has so many classes."""


def read(path: Path) -> Any:
    """The onnx.ModelProto at `path`, of a version that everything which loads it later knows.

    Raises OSError, BackendFailed (no package onnx, no ONNX file) or ModelMismatch for an opset or an IR that is newer.
    """
    onnx = package()
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's errors have no common type that onnx names
        raise BackendFailed(f"{path.name}: expected an ONNX file, got {type(error).__name__}: {error}") from error
    if not model.graph.node:
        raise BackendFailed(f"{path.name}: expected an ONNX file with a network in it, got one without")
    if model.ir_version > IR or opset(model) > OPSET:
        raise ModelMismatch(
            f"{path.name}: expected opset up to {OPSET} and IR up to {IR}, got {opset(model)} and {model.ir_version}",
            remedy=(
                f"请用 opset {OPSET} 重新导出，并以 IR {IR} 保存",
                f"Export it again with opset {OPSET}, and save it with IR {IR}",
            ),
        )
    return model


def opset(model: Any) -> int:
    """Version of ONNX's own operators that a model uses; 1 where it names none."""
    return max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1)


def topk(source: Path, target: Path, classes: int) -> None:
    """Write the recogniser at `source` to `target` with the outputs `IDS` and `LOGPROBS` in place of its softmax.

    `source` has one output, a Softmax over its last axis, of shape (batch, steps, `classes`); named axes stay open.
    Raises ModelMismatch for another network, BackendFailed where onnx cannot be had or used, OSError.
    """
    model = read(source)
    try:
        _end_in_topk(model, source.name, classes)
        package().checker.check_model(model, full_check=True)
        package().save(model, str(target))
    except (ApplianceError, OSError):
        raise
    except Exception as error:
        raise BackendFailed(
            f"{source.name}: expected a network whose end can be replaced, got {type(error).__name__}: {error}"
        ) from error


PREPARATIONS: Mapping[str, Recipe] = {"topk": topk}
"""Recipes by the name that manifests use."""


def _end_in_topk(model: Any, name: str, classes: int) -> None:
    """Replace the final Softmax of `model`.

    LogSoftmax and then TopK: both are stable for any logits, in both libraries. ReduceLogSumExp, which says the same in
    one node less, is not: TensorRT's parser makes Exp, Sum and Log of it, and e^12 is beyond float16; ONNX Runtime sums
    in order on the CPU (3e-4 off at 18,710 classes, where this is 1e-7 off) and takes 1.2 times the time of the whole.
    """
    onnx = package()
    helper, types = onnx.helper, onnx.TensorProto
    graph = model.graph
    ended = _softmax(model, name, classes)
    probabilities = graph.output[0].type.tensor_type.shape.dim
    free = _free_names(graph)
    logarithms, count, wide = next(free), next(free), next(free)
    for node in ended:
        graph.node.remove(node)
    gone = {one for node in ended for one in node.output}
    described = [one for one in graph.value_info if one.name not in gone]
    del graph.output[:], graph.value_info[:]
    graph.value_info.extend(described)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([K], np.int64), count))
    graph.node.extend(
        [
            # -1 names the last axis to every opset, and before 13 the others are flattened, which leaves it the last.
            helper.make_node("LogSoftmax", [ended[0].input[0]], [logarithms], axis=-1),
            helper.make_node("TopK", [logarithms, count], [LOGPROBS, wide], axis=-1, largest=1, sorted=1),
            helper.make_node("Cast", [wide], [IDS], to=types.INT32),
        ]
    )
    for output, kind in ((IDS, types.INT32), (LOGPROBS, types.FLOAT)):
        made = helper.make_tensor_value_info(output, kind, None)
        made.type.tensor_type.shape.dim.extend(list(probabilities)[:2])
        made.type.tensor_type.shape.dim.add(dim_value=K)
        graph.output.append(made)


def _softmax(model: Any, name: str, classes: int) -> list[Any]:
    """The Softmax in which the graph ends and the Identity nodes behind it, all of which nothing else reads."""
    onnx, graph = package(), model.graph
    if opset(model) < OLDEST_OPSET:
        raise ModelMismatch(f"{name}: expected opset {OLDEST_OPSET} to {OPSET}, got {opset(model)}")
    if len(graph.output) != 1:
        raise ModelMismatch(f"{name}: expected one output, got {', '.join(one.name for one in graph.output)}")
    output = graph.output[0]
    dims = output.type.tensor_type.shape.dim
    got = [dim.dim_param or dim.dim_value or "?" for dim in dims]
    if len(dims) != 3 or dims[2].dim_value != classes or classes < K:
        raise ModelMismatch(f"{name}: expected an output of (batch, steps, {classes}), at least {K}, got {got}")
    if output.type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise ModelMismatch(f"{name}: expected float32 probabilities, got type {output.type.tensor_type.elem_type}")
    makers = {one: node for node in graph.node for one in node.output}
    found: list[Any] = []
    wanted = output.name
    while not found or found[0].op_type == "Identity":
        node = makers.get(wanted)
        if node is None or node.op_type not in ("Identity", "Softmax"):
            raise ModelMismatch(f"{name}: expected a Softmax at the end, got {node.op_type if node else wanted}")
        found.insert(0, node)
        wanted = node.input[0]
    axis = next((a.i for a in found[0].attribute if a.name == "axis"), 1 if opset(model) < 13 else -1)
    if axis not in (-1, 2):
        raise ModelMismatch(f"{name}: expected a Softmax over the last axis of {got}, got axis {axis}")
    gone = {one for node in found for one in node.output}
    readers = [node.op_type for node in graph.node if node not in found and gone & set(node.input)]
    if readers:
        raise ModelMismatch(f"{name}: expected nothing else to read the probabilities, got {', '.join(readers)}")
    return found


def _free_names(graph: Any) -> Iterator[str]:
    """Names that no value of the graph has. Raises ModelMismatch when one of the new outputs' names is taken."""
    taken = {one for node in graph.node for one in (*node.input, *node.output)}
    taken |= {one.name for one in (*graph.input, *graph.initializer)}
    if clash := taken & {IDS, LOGPROBS}:
        raise ModelMismatch(f"{graph.name}: expected no values named {IDS} or {LOGPROBS}, got {', '.join(clash)}")
    return (name for number in range(len(taken) + 3) if (name := f"topk_{number}") not in taken)


def package() -> Any:
    """The package onnx, imported on use: serving needs none of it. Raises BackendFailed."""
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError as error:
        raise BackendFailed(
            f"onnx: expected to import, got {type(error).__name__}: {error}",
            remedy=("请运行 `pip install onnx`", "Run `pip install onnx`"),
        ) from error
    return onnx
