"""Makes the tiny ONNX files of tests/inference/models/: `python -m export.fixtures [FOLDER]`; needs onnx==1.18."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
"""ONNX Runtime 1.23.2, the last for Python 3.10, refuses IR 12; the appliance ships IR <= 10 and opset <= 18."""

FOLDER = Path(__file__).parent.parent / "tests" / "inference" / "models"
F32, F16, I64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64

Ports = list[onnx.ValueInfoProto]


def tensor(name: str, kind: int, shape: list[int | str] | None) -> onnx.ValueInfoProto:
    """Describe an input or output; `shape` None leaves even the rank open."""
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, values: object, dtype: type) -> onnx.TensorProto:
    """A weight."""
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def model(
    name: str,
    nodes: list[onnx.NodeProto],
    inputs: Ports,
    outputs: Ports,
    weights: list[onnx.TensorProto] | None = None,
    precision: str = "",
) -> onnx.ModelProto:
    """Assemble a model with fixed versions, so that the same bytes come out each time."""
    graph = helper.make_graph(nodes, name, inputs, outputs, weights or [])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("nobody", 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="export.fixtures")
    if precision:
        helper.set_model_props(made, {"precision": precision})
    return made


def models() -> dict[str, onnx.ModelProto]:
    """Every fixture by file stem."""
    node = helper.make_node
    return {
        # y = x * (1, 2, 3) + 0.5, rows independent of each other
        "affine": model(
            "affine",
            [node("Mul", ["x", "w"], ["s"]), node("Add", ["s", "b"], ["y"])],
            [tensor("x", F32, ["batch", 3])],
            [tensor("y", F32, ["batch", 3])],
            [constant("w", [1, 2, 3], np.float32), constant("b", 0.5, np.float32)],
        ),
        # value = (10, 20, 30, 40)[index]; an index beyond the table makes the run fail
        "pick": model(
            "pick",
            [node("Gather", ["table", "index"], ["value"])],
            [tensor("index", I64, ["batch"])],
            [tensor("value", F32, ["batch"])],
            [constant("table", [10, 20, 30, 40], np.float32)],
        ),
        # two inputs of two types; `total` has no batch axis, so runs cannot be joined
        "pair": model(
            "pair",
            [
                node("Cast", ["count"], ["float"], to=F32),
                node("Add", ["amount", "float"], ["sum"]),
                node("ReduceSum", ["count"], ["total"], keepdims=0),
            ],
            [tensor("amount", F32, ["batch", 2]), tensor("count", I64, ["batch", 2])],
            [tensor("sum", F32, ["batch", 2]), tensor("total", I64, [])],
        ),
        # steps = width / 2: an output axis that no input has
        "halve": model(
            "halve",
            [node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2])],
            [tensor("x", F32, ["batch", 1, "width"])],
            [tensor("y", F32, ["batch", 1, "steps"])],
        ),
        # minus infinity on zeros
        "log": model("log", [node("Log", ["x"], ["y"])], [tensor("x", F32, [1, 4])], [tensor("y", F32, [1, 4])]),
        # half precision, and says so
        "half": model(
            "half",
            [node("Neg", ["x"], ["y"])],
            [tensor("x", F16, ["batch", 2])],
            [tensor("y", F16, ["batch", 2])],
            precision="fp16",
        ),
        # an output without a shape
        "rankless": model(
            "rankless", [node("Neg", ["x"], ["y"])], [tensor("x", F32, [1, 2])], [tensor("y", F32, None)]
        ),
        # an output that is no tensor
        "sequence": model(
            "sequence",
            [node("SequenceConstruct", ["x"], ["y"])],
            [tensor("x", F32, [1, 2])],
            [helper.make_tensor_sequence_value_info("y", F32, [1, 2])],
        ),
        # an operator that nobody knows
        "foreign": model(
            "foreign",
            [node("Unknown", ["x"], ["y"], domain="nobody")],
            [tensor("x", F32, [1, 2])],
            [tensor("y", F32, [1, 2])],
        ),
    }


def main() -> None:
    """Write every fixture into the folder given, by default the tests'."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in models().items():
        if name not in ("foreign", "rankless"):  # made to break the rules
            onnx.checker.check_model(made)
        data = made.SerializeToString(deterministic=True)
        (folder / f"{name}.onnx").write_bytes(data)
        print(f"{name}.onnx {len(data)} bytes")


if __name__ == "__main__":
    main()
