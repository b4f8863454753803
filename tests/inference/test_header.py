"""What an ONNX file says of itself, against what the onnx package and ONNX Runtime say of the same files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.errors import ModelCorrupt
from appliance.inference.header import read_header

MODELS = Path(__file__).parent / "models"
TYPES = {"tensor(float)": "float32", "tensor(int64)": "int64", "tensor(float16)": "float16", "tensor(bool)": "bool"}


@pytest.mark.parametrize("name", ["affine", "pick", "pair", "halve", "log", "half"])
def test_as_onnxruntime_says(name: str) -> None:
    path = MODELS / f"{name}.onnx"
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    header = read_header(path)
    for ours, theirs in (
        (header.signature.inputs, session.get_inputs()),
        (header.signature.outputs, session.get_outputs()),
    ):
        assert [(one.name, one.dtype, list(one.shape)) for one in ours] == [
            (one.name, TYPES[one.type], one.shape) for one in theirs
        ]
    graph = onnx.load(str(path)).graph
    assert header.operators == {node.op_type for node in graph.node}
    assert (header.opset, header.quantised, header.beside) == (17, False, frozenset())


def model(path: Path, *, external: bool = False) -> Path:
    """x + w, where the graph lists w as an input, too; with metadata."""
    weights = numpy_helper.from_array(np.ones((500, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"]), helper.make_node("DynamicQuantizeLinear", ["x"], ["a", "b", "c"])],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 4]),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, [500, 4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weights],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("x", 99)])
    helper.set_model_props(made, {"model_type": "sense_voice_ctc", "neg_mean": "1," * 500})
    onnx.save_model(made, str(path), save_as_external_data=external, location="w.bin", size_threshold=0)
    return path


@pytest.mark.parametrize("external", [False, True])
def test_metadata_weights_and_quantisation(tmp_path: Path, external: bool) -> None:
    header = read_header(model(tmp_path / "m.onnx", external=external))
    assert [(one.name, one.shape) for one in header.signature.inputs] == [("x", ("axis0", 4))]
    assert [(one.name, one.shape) for one in header.signature.outputs] == [("y", ())]
    assert header.metadata == {"model_type": "sense_voice_ctc", "neg_mean": "1," * 500}
    assert (header.opset, header.quantised) == (13, True)
    assert header.beside == ({"w.bin"} if external else set())


def test_what_is_no_tensor(tmp_path: Path) -> None:
    (output,) = read_header(MODELS / "sequence.onnx").signature.outputs
    assert output.dtype == "no tensor"


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04zip", b"version https://git-lfs", b"\x08\x08", b"\x3a\x00", b"\x80" * 50]
)
def test_what_is_no_onnx_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(ModelCorrupt, match=r"m\.onnx"):
        read_header(tmp_path / "m.onnx")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = model(tmp_path / "m.onnx").read_bytes()
    for length in range(1, len(whole), len(whole) // 60):
        (tmp_path / "cut.onnx").write_bytes(whole[:length])
        # A cut between two fields of the model itself leaves one without a network, or without metadata.
        try:
            header = read_header(tmp_path / "cut.onnx")
        except ModelCorrupt:
            continue
        assert len(header.metadata) < 2 or header.opset == 1
