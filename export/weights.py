"""Takes the weights of a PyTorch module out of the ONNX file that was exported from it.

The exporter names initialisers as the module names its parameters, with three exceptions: a large one is `NAME.half`
behind a Cast, the weight of a linear layer on more than two axes is transposed into a nameless MatMul before the Add of
its bias, and the biases of an LSTM (and its weights, where they are small) are joined and put into another order. Those
are found by the graph around them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

Floats = npt.NDArray[np.float32]
Module = TypeVar("Module", bound=nn.Module)

_RECURRENT = re.compile(r".+\.(?P<part>weight|bias)_(?P<kind>ih|hh)_l(?P<layer>\d+)(?P<reverse>_reverse)?")
_GATES = (0, 2, 3, 1)
"""PyTorch's order of gates (input, forget, cell, output) in ONNX's (input, output, forget, cell)."""


class Master:
    """The weights in an ONNX file, by the names of the parameters that they were."""

    def __init__(self, path: Path) -> None:
        """Read the file at `path`."""
        self.name = path.name
        graph = onnx.load(str(path)).graph
        self.nodes = list(graph.node)
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}
        self._taken: set[str] = set()

    def holds(self, name: str) -> bool:
        """True when there is a parameter of this very name."""
        return self._source(name) is not None

    def shape(self, name: str) -> tuple[int, ...]:
        """Its shape. Raises ValueError when there is no parameter of this very name."""
        return self._array(name).shape

    def parameter(self, name: str) -> npt.NDArray[Any]:
        """A parameter's values as PyTorch has them. Raises ValueError when it is not found, or not to be told apart."""
        if self.holds(name):
            return self._array(name)
        if name.endswith(".weight") and self.holds(f"{name.removesuffix('weight')}bias"):
            return np.ascontiguousarray(self._array(self._product(name).input[1]).T)
        if found := _RECURRENT.fullmatch(name):
            return self._recurrent(name, **found.groupdict())
        raise self._lost(name)

    def left(self) -> list[str]:
        """Weights that nobody asked for; numbers all the same are the graph's own: a zero state, an epsilon."""
        floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
        return [
            name
            for name, tensor in self._stored.items()
            if name not in self._taken and tensor.data_type in floats and np.ptp(numpy_helper.to_array(tensor)) > 0
        ]

    def heads(self, name: str) -> int:
        """Heads into which the linear layer with bias `name` is cut: its outputs are reshaped to (..., heads, size).

        Raises ValueError where they are not.
        """
        added = self._reader("Add", name)
        reshape = self._reader("Reshape", added.output[0])
        maker = self._makers.get(reshape.input[1])
        if maker is None:
            return int(self._array(reshape.input[1])[-2])
        if maker.op_type != "Concat":
            raise ValueError(f"{self.name}: expected heads in the shape behind {name}, got {maker.op_type}")
        return int(self._array(maker.input[-2])[-1])

    def epsilon(self) -> float:
        """What its layer normalisations add to a variance. Raises ValueError unless all add the same."""
        named = [
            {a.name: helper.get_attribute_value(a) for a in node.attribute}
            for node in self.nodes
            if node.op_type == "LayerNormalization"
        ]
        found = {float(f"{one.get('epsilon', 1e-5):.6g}") for one in named}
        if len(found) != 1:
            raise ValueError(f"{self.name}: expected layer normalisations with one epsilon, got {sorted(found)}")
        return found.pop()

    def _product(self, weight: str) -> Any:
        """The MatMul before the Add of the bias that belongs to a weight."""
        added = self._reader("Add", f"{weight.removesuffix('weight')}bias")
        makers = [self._makers[name] for name in added.input if name in self._makers]
        products = [node for node in makers if node.op_type == "MatMul" and self.holds(node.input[1])]
        if len(products) != 1:
            raise self._lost(weight)
        return products[0]

    def _recurrent(self, name: str, part: str, kind: str, layer: str, reverse: str | None) -> Floats:
        """A parameter of an LSTM's layer: ONNX joins both directions, and both biases, with gates in another order."""
        layers = [node for node in self.nodes if node.op_type == "LSTM"]
        place = 3 if part == "bias" else 1 if kind == "ih" else 2
        if int(layer) >= len(layers) or not self.holds(layers[int(layer)].input[place]):
            raise self._lost(name)
        mine: Floats = self._array(layers[int(layer)].input[place])[1 if reverse else 0]
        if part == "bias":
            mine = mine.reshape(2, -1)[0 if kind == "ih" else 1]
        gates = mine.reshape(4, -1, *mine.shape[1:])
        return np.concatenate([gates[gate] for gate in _GATES])

    def _reader(self, kind: str, name: str) -> Any:
        found = [node for node in self.nodes if node.op_type == kind and name in node.input]
        if len(found) != 1:
            raise ValueError(f"{self.name}: expected one {kind} behind {name}, got {len(found)}")
        return found[0]

    def _source(self, name: str) -> str | None:
        """The initialiser that has a value: its own, or one behind a Cast."""
        if name in self._stored:
            return name
        maker = self._makers.get(name)
        if maker is not None and maker.op_type == "Cast" and maker.input[0] in self._stored:
            return str(maker.input[0])
        return None

    def _array(self, name: str) -> npt.NDArray[Any]:
        source = self._source(name)
        if source is None:
            raise self._lost(name)
        self._taken.add(source)
        array = numpy_helper.to_array(self._stored[source])
        return array.astype(np.float32) if array.dtype == np.float16 else array

    def _lost(self, name: str) -> ValueError:
        return ValueError(f"{self.name}: expected the parameter {name}, found none")


def recover(module: Module, master: Master, prefix: str, given: Mapping[str, Any] | None = None) -> Module:
    """`module` in eval mode with the weights of `master`, whose names begin with `prefix`; `given` are from elsewhere.

    Raises ValueError for a parameter that is lost or has another shape, and for a weight that no parameter took.
    """
    given = given or {}
    state = {}
    for name, mine in module.state_dict().items():
        values = np.asarray(given[name] if name in given else master.parameter(prefix + name))
        if values.shape != tuple(mine.shape):
            raise ValueError(f"{master.name}: expected {prefix}{name} of shape {tuple(mine.shape)}, got {values.shape}")
        state[name] = torch.from_numpy(np.array(values)).to(mine.dtype)
    if left := master.left():
        raise ValueError(f"{master.name}: expected a parameter for every weight, got none for {', '.join(left)}")
    module.load_state_dict(state)
    module.eval()
    return module
