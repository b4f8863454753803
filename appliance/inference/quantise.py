"""Other precisions of a network's master file, made where it is installed, without torch: int8 and fp16.

A master may keep its weights in float16 to be half as large; they are widened first, so that nothing computes in
halves that was not meant to. `dynamic`: matrices in int8 with one scale for each output channel, large embeddings as
halves, activations smoothed and quantised while it runs (ONNX Runtime on the CPU). `half`: float16 throughout, float32
inputs and outputs. `qdq`: int8 with QuantizeLinear and DequantizeLinear, symmetric, activations calibrated on given
inputs (TensorRT).

The package onnx is imported on use only: serving needs none of this.
"""

from __future__ import annotations

import errno
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import ApplianceError, BackendFailed
from appliance.inference.onnxruntime import library
from appliance.inference.smooth import narrowing, smoothed

Feeds = Iterable[Mapping[str, npt.NDArray[Any]]]
"""Inputs by name, one mapping for each run."""

Recipe = Callable[[Path, Path, Feeds], None]

_TABLE = 100_000
"""Numbers of a table from which on it is kept as halves."""
PRECISION = "precision"
"""Key of the file's metadata under which `inference.onnxruntime` finds the precision."""


def _translated(recipe: Recipe) -> Recipe:
    """`recipe` with whatever the libraries raise as BackendFailed."""

    @wraps(recipe)
    def translating(source: Path, target: Path, feeds: Feeds = ()) -> None:
        # The tools advise every caller to pre-process, which masters have behind them.
        logging.getLogger().addFilter(_not_advice)
        try:
            recipe(source, target, feeds)
        except (ApplianceError, OSError):
            raise
        except Exception as error:
            raise BackendFailed(
                f"{source.name}: expected a network that can be quantised, got {type(error).__name__}: {error}"
            ) from error
        finally:
            logging.getLogger().removeFilter(_not_advice)

    return translating


def _not_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()


@_translated
def dynamic(source: Path, target: Path, feeds: Feeds = ()) -> None:
    """Write `source` with int8 weights to `target`. Raises BackendFailed, OSError."""
    read = _read(source)
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wide = Path(folder) / "wide.onnx"
        _save(smoothed(widened(read), feeds), wide)
        quantize_dynamic(
            wide,
            target,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": 1, "MatMulConstBOnly": True},
        )
    _halve_tables(target)
    _mark(target, "int8")


@_translated
def half(source: Path, target: Path, feeds: Feeds = ()) -> None:
    """Write `source` in float16, with float32 inputs and outputs, to `target`. Raises BackendFailed, OSError."""
    read = _read(source)
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    # ONNX Runtime 1.32 on the CPU dies of an LSTM in float16 (no error, a segmentation fault): these stay as they are.
    blocked = [*DEFAULT_OP_BLOCK_LIST, "LSTM", "GRU", "RNN"]
    narrowed = convert_float_to_float16(
        widened(read), keep_io_types=True, disable_shape_infer=False, op_block_list=blocked
    )
    _save(narrowed, target)
    _mark(target, "fp16")


@_translated
def qdq(source: Path, target: Path, feeds: Feeds) -> None:
    """Write `source` in int8 with explicit scales, calibrated on `feeds`. Raises BackendFailed, OSError."""
    read = _read(source)
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            self._left = iter(feeds)

        def get_next(self) -> Mapping[str, npt.NDArray[Any]] | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wide = Path(folder) / "wide.onnx"
        feeds = list(feeds)
        model = smoothed(widened(read), feeds, every=True)
        spared = _spared(model)
        _save(model, wide)
        quantize_static(
            wide,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=spared,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
    _mark(target, "int8")


RECIPES: Mapping[str, Recipe] = {"dynamic": dynamic, "half": half, "qdq": qdq}
"""Recipes by the name that manifests use."""


def _spared(model: Any) -> list[str]:
    """Products that stay in float: of two activations, and by weights with over twice as many rows as columns.

    Those narrow what a feed-forward part has widened: a few of its activations are far larger than the rest, and one
    scale for all loses the others: with them the gate of understand-zh refuses the file.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    found = []
    for number, node in enumerate(model.graph.node):
        if node.op_type in ("MatMul", "Gemm"):
            node.name = node.name or f"{node.op_type}_{number}"  # without a name it could not be named
            weights = [shapes[name] for name in node.input if len(shapes.get(name, ())) == 2]
            if not weights or narrowing(weights[0]):
                found.append(node.name)
    return found


def _halve_tables(path: Path) -> None:
    """Keep large tables that rows are picked from as halves: one int8 scale for a whole table loses too much."""
    onnx = _onnx()
    model = onnx.load(str(path))
    graph = model.graph
    readers: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    tables = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) == 2}
    for node in list(graph.node):
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or readers[table.name] > 1 or table.dims[0] * table.dims[1] < _TABLE:
            continue
        halves = onnx.numpy_helper.to_array(table).astype(np.float16)
        table.CopyFrom(onnx.numpy_helper.from_array(halves, table.name))
        picked = node.output[0]
        node.output[0] = f"{picked}_half"
        cast = onnx.helper.make_node("Cast", [f"{picked}_half"], [picked], to=onnx.TensorProto.FLOAT)
        graph.node.insert(list(graph.node).index(node) + 1, cast)
    _save(model, path)


def widened(model: Any) -> Any:
    """`model` with every float16 initialiser that only a Cast to float32 reads as a float32 one; the Casts are gone."""
    onnx = _onnx()
    graph = model.graph
    halves = {t.name: t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16}
    casts = {
        node.output[0]: node
        for node in graph.node
        if node.op_type == "Cast"
        and node.input[0] in halves
        and any(a.name == "to" and a.i == onnx.TensorProto.FLOAT for a in node.attribute)
    }
    if not casts:
        return model
    for name, cast in casts.items():
        values = onnx.numpy_helper.to_array(halves[cast.input[0]]).astype(np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(values, name))
        graph.node.remove(cast)
    still_read = {name for node in graph.node for name in node.input}
    for name, tensor in halves.items():
        if name not in still_read:
            graph.initializer.remove(tensor)
    return model


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError as error:
        raise BackendFailed(
            f"onnx: expected to import, got {type(error).__name__}: {error}",
            remedy=("请运行 `pip install onnx`", "Run `pip install onnx`"),
        ) from error
    return onnx


def _read(path: Path) -> Any:
    """The file at `path`, with ONNX Runtime imported in silence before its tools are."""
    onnx = _onnx()
    library()
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's errors have no common type that onnx names
        raise BackendFailed(f"{path.name}: expected an ONNX file, got {type(error).__name__}: {error}") from error
    if not model.graph.node:
        raise BackendFailed(f"{path.name}: expected an ONNX file with a network in it, got one without")
    return model


def _save(model: Any, path: Path) -> None:
    _onnx().save(model, str(path))


def _mark(path: Path, precision: str) -> None:
    """Write the precision into the file's metadata."""
    onnx = _onnx()
    model = onnx.load(str(path))
    kept = [entry for entry in model.metadata_props if entry.key != PRECISION]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=PRECISION, value=precision)
    onnx.save(model, str(path))
