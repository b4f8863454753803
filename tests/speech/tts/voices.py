"""A voice folder that sherpa-onnx reads: a VITS network that says every token as a short tone of its own pitch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 16_000
PER_TOKEN = 800
"""Samples for one token at normal speed."""
SYLLABLES = {"你": "n i3", "好": "h ao3", "一": "y i1", "二": "er4", "银": "y in2", "行": "h ang2"}


def vits_folder(path: Path, *, speakers: int = 1) -> Path:
    """Write model.onnx, tokens.txt and lexicon.txt to `path`."""
    path.mkdir(parents=True)
    tokens = sorted({token for said in SYLLABLES.values() for token in said.split()} | {"sil", "eos", "sp"})
    marks = ["，", "。", "！", "？", ",", ".", "!", "?"]
    lines = [f"{token} {number}" for number, token in enumerate([*tokens, *marks])]
    (path / "tokens.txt").write_text("\n".join(lines) + "\n")
    (path / "lexicon.txt").write_text("".join(f"{word} {said}\n" for word, said in SYLLABLES.items()))
    onnx.save(_network(speakers), path / "model.onnx")
    return path


def _network(speakers: int) -> onnx.ModelProto:
    """x [1, N] -> y [1, 1, N * PER_TOKEN]: 0.3 * sin(time * (x + 2) / 20), with the inputs of every VITS."""
    time = np.arange(PER_TOKEN, dtype=np.float32)[np.newaxis, np.newaxis]
    constants = {
        "time": time,
        "two": np.float32([2]),
        "twenty": np.float32([20]),
        "loud": np.float32([0.3]),
        "shape": np.int64([1, 1, -1]),
        "last": np.int64([2]),
    }
    nodes = [
        helper.make_node("Cast", ["x"], ["tokens"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["tokens", "two"], ["pitched"]),
        helper.make_node("Div", ["pitched", "twenty"], ["pitches"]),
        helper.make_node("Unsqueeze", ["pitches", "last"], ["each"]),
        helper.make_node("Mul", ["each", "time"], ["angle"]),
        helper.make_node("Sin", ["angle"], ["wave"]),
        helper.make_node("Mul", ["wave", "loud"], ["quiet"]),
        helper.make_node("Reshape", ["quiet", "shape"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.INT64, [1, "N"]),
        helper.make_tensor_value_info("x_length", TensorProto.INT64, [1]),
        *(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
            for name in ("noise_scale", "length_scale", "noise_scale_w")
        ),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "S"])
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tones", inputs, [output], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    facts = {
        "model_type": "vits",
        "comment": "tones",
        "language": "Chinese",
        "frontend": "lexicon",
        "punctuation": "， 。 ！ ？ , . ! ?",
        "sample_rate": str(RATE),
        "n_speakers": str(speakers),
        "add_blank": "0",
    }
    for name, value in facts.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, value
    return model
