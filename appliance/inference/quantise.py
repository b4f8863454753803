"""Other precisions of a network's master file, made where it is installed, without torch: int8 and fp16.

A master may keep its weights in float16 to be half as large; they are widened first, so that nothing computes in
halves that was not meant to. `dynamic`: matrices in int8 with one scale for each output channel (weights within 64, so
that every CPU adds them up exactly), large embeddings as halves, activations smoothed and quantised while it runs (ONNX
Runtime on the CPU). `half`: float16 throughout, float32 inputs and outputs (`inference.halve`). `qdq`: int8 with
QuantizeLinear and DequantizeLinear, symmetric, activations calibrated on given inputs (`inference.scale`);
`qdq-products`: the same with convolutions in float.

The package onnx is imported on use only: serving needs none of this.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from appliance.errors import ApplianceError, BackendFailed
from appliance.inference.arrive import package, read
from appliance.inference.halve import halved
from appliance.inference.onnxruntime import library
from appliance.inference.ranges import Feeds, peaks
from appliance.inference.scale import layers, scaled
from appliance.inference.smooth import narrowing, smoothed
from appliance.inference.wide import widened

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
    model = smoothed(widened(read(source)), feeds)
    library()  # in silence, before its tools import it
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wide = Path(folder) / "wide.onnx"
        _save(model, wide)
        quantize_dynamic(
            wide,
            target,
            op_types_to_quantize=["MatMul", "Gemm", "LSTM"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            # In 7 bits: an x86 without VNNI adds products in pairs at 16 bits and cuts what does not fit, so that the
            # same file would answer otherwise from machine to machine. 2 * 255 * 64 fits: sums are exact on all.
            reduce_range=True,
            extra_options={"DefaultTensorType": 1, "MatMulConstBOnly": True},
        )
    _halve_tables(target)
    _mark(target, "int8")


@_translated
def half(source: Path, target: Path, feeds: Feeds = ()) -> None:
    """Write `source` in float16, with float32 inputs and outputs, to `target`. Raises BackendFailed, OSError."""
    _save(halved(widened(read(source))), target)
    _mark(target, "fp16")


@_translated
def qdq(source: Path, target: Path, feeds: Feeds) -> None:
    """Write `source` in int8 with explicit scales, calibrated on `feeds`. Raises BackendFailed, OSError."""
    _write_scaled(source, target, feeds, "qdq")


@_translated
def qdq_products(source: Path, target: Path, feeds: Feeds) -> None:
    """The same with convolutions in float. Raises BackendFailed, OSError."""
    _write_scaled(source, target, feeds, "qdq-products")


RECIPES: Mapping[str, Recipe] = {"dynamic": dynamic, "half": half, "qdq": qdq, "qdq-products": qdq_products}
"""Recipes by the name that manifests use."""

IN_INT8: Mapping[str, tuple[str, ...]] = {
    "qdq": ("MatMul", "Gemm", "Conv", "ConvTranspose"),
    "qdq-products": ("MatMul", "Gemm"),
}
"""Operators in int8 by recipe. `python -m export.sensitivity` says which recipe a network can bear: the recogniser of
PP-OCRv6 is moved by its convolutions (its log-probabilities by a third of their size, and by a tenth without them)."""


def chosen(model: Any, recipe: str) -> list[Any]:
    """The layers of a float32 network that a recipe of `IN_INT8` quantises.

    Products that narrow what a feed-forward part has widened never are: a few of its activations are far larger than
    the rest, and one scale for all loses the others. Quantised alone, they move the outputs of understand-zh by 32 %,
    all others together by 3 %.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return [
        node
        for node in layers(model)
        if node.op_type in IN_INT8[recipe]
        and not (node.op_type in IN_INT8["qdq-products"] and narrowing(shapes[node.input[1]]))
    ]


def _write_scaled(source: Path, target: Path, feeds: Feeds, recipe: str) -> None:
    wide, feeds = widened(read(source)), list(feeds)
    if not feeds:
        raise BackendFailed(f"{source.name}: expected inputs to calibrate on, got none")
    model = smoothed(wide, feeds, every=True)
    nodes = chosen(model, recipe)
    if not nodes:
        raise BackendFailed(f"{source.name}: expected {', '.join(IN_INT8[recipe])} by weights to quantise, got none")
    largest = peaks(model, {node.input[0] for node in nodes}, feeds)
    _save(scaled(model, largest, {node.output[0] for node in nodes}), target)
    _mark(target, "int8")


def _halve_tables(path: Path) -> None:
    """Keep large tables that rows are picked from as halves: one int8 scale for a whole table loses too much."""
    onnx = package()
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


def _save(model: Any, path: Path) -> None:
    package().save(model, str(path))


def _mark(path: Path, precision: str) -> None:
    """Write the precision into the file's metadata."""
    onnx = package()
    model = onnx.load(str(path))
    kept = [entry for entry in model.metadata_props if entry.key != PRECISION]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=PRECISION, value=precision)
    onnx.save(model, str(path))
