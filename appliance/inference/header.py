"""What an ONNX file says of itself, read without its weights: names, types and shapes, metadata, operators.

A recogniser that an integrator brings may have a gigabyte; whether it is one, and which, stands in a few kilobytes
between the weights. Field numbers are those of onnx.proto (github.com/onnx/onnx, Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.artifacts.protobuf import Field, Message, message
from appliance.errors import ModelCorrupt
from appliance.inference.signature import Signature
from appliance.specs import Dim, TensorSpec

_TYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
}
"""TensorProto.DataType of the dtypes that a spec may name."""
_QUANTISED = frozenset({"DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "DynamicQuantizeMatMul"})
"""Operators of dynamic quantisation, which TensorRT does not have."""
_MOST_NODES = 1_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """What an ONNX file says of itself."""

    signature: Signature
    """Inputs and outputs; weights that are listed as inputs are left out."""
    metadata: Mapping[str, str]
    """metadata_props, as whoever exported it wrote them."""
    operators: frozenset[str]
    """Names of the operators in its graph (not of those in subgraphs)."""
    opset: int
    """Version of ONNX's own operators; 1 where it names none."""
    beside: frozenset[str]
    """Files beside it that hold weights."""

    @property
    def quantised(self) -> bool:
        """True for a network whose activations are quantised while it runs: no engine can be built of it."""
        return bool(self.operators & _QUANTISED)


@dataclass(slots=True)
class _Found:
    """What has been read so far."""

    inputs: list[TensorSpec] = field(default_factory=list)
    outputs: list[TensorSpec] = field(default_factory=list)
    weights: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    beside: set[str] = field(default_factory=set)
    graphs: int = 0


def read_header(path: Path) -> Header:
    """The header of the ONNX file at `path`. Raises ModelCorrupt for anything else, OSError."""
    found = _Found()
    metadata: dict[str, str] = {}
    opset = 1
    with path.open("rb") as file:
        top = message(path, file)
        for part in top.fields():
            if part.number == 7:
                found.graphs += 1
                _graph(top.inside(part), found)
            elif part.number == 8:
                opset = max(opset, _opset(top.inside(part)))
            elif part.number == 14:
                key, value = _pair(top.inside(part))
                metadata[key] = value
    inputs = tuple(one for one in found.inputs if one.name not in found.weights)
    if found.graphs != 1 or not found.operators or not found.outputs:
        raise ModelCorrupt(
            f"{path.name}: expected an ONNX file with one network in it, got "
            f"{found.graphs} graphs, {len(found.operators)} operators and {len(found.outputs)} outputs",
            remedy=("请提供 ONNX 文件", "Bring the ONNX file"),
        )
    return Header(
        Signature(inputs, tuple(found.outputs)), metadata, frozenset(found.operators), opset, frozenset(found.beside)
    )


def _graph(graph: Message, found: _Found) -> None:
    nodes = 0
    for part in graph.fields():
        if part.number == 1:
            nodes += 1
            if nodes > _MOST_NODES:
                raise ModelCorrupt(f"expected a network of at most {_MOST_NODES} nodes, got more")
            found.operators |= {graph.inside(part).text(one) for one in graph.inside(part).fields() if one.number == 4}
        elif part.number == 5:
            _weight(graph.inside(part), found)
        elif part.number == 11:
            found.inputs.append(_value(graph.inside(part)))
        elif part.number == 12:
            found.outputs.append(_value(graph.inside(part)))


def _weight(tensor: Message, found: _Found) -> None:
    for part in tensor.fields():
        if part.number == 8:
            found.weights.add(tensor.text(part))
        elif part.number == 13:
            key, value = _pair(tensor.inside(part))
            if key == "location":
                found.beside.add(value)


def _value(value: Message) -> TensorSpec:
    name, dtype, shape = "", "", tuple[Dim, ...]()
    for part in value.fields():
        if part.number == 1:
            name = value.text(part)
        elif part.number == 2:
            kind = value.inside(part)
            for one in kind.fields():
                if one.number == 1:
                    dtype, shape = _tensor(kind.inside(one))
    return TensorSpec(name, dtype or "no tensor", shape)


def _tensor(kind: Message) -> tuple[str, tuple[Dim, ...]]:
    dtype, shape = "unknown", list[Dim]()
    for part in kind.fields():
        if part.number == 1:
            dtype = _TYPES.get(part.value, f"type {part.value}")
        elif part.number == 2:
            dims = kind.inside(part)
            shape = [_dim(dims.inside(one), place) for place, one in enumerate(_only(dims, 1))]
    return dtype, tuple(shape)


def _only(inside: Message, number: int) -> list[Field]:
    return [part for part in inside.fields() if part.number == number]


def _dim(dim: Message, place: int) -> Dim:
    """A size, or the name of an open axis; one without a name is called by its place."""
    for part in dim.fields():
        if part.number == 1:
            return part.value
        if part.number == 2:
            return dim.text(part)
    return f"axis{place}"


def _pair(entry: Message) -> tuple[str, str]:
    found = {part.number: entry.text(part) for part in entry.fields() if part.number in (1, 2)}
    return found.get(1, ""), found.get(2, "")


def _opset(entry: Message) -> int:
    domain, version = "", 1
    for part in entry.fields():
        if part.number == 1:
            domain = entry.text(part)
        elif part.number == 2:
            version = part.value
    return version if domain in ("", "ai.onnx") else 1
