"""A network with the interface of the streaming one that export.train.asr makes, tiny and with random weights; ONNX."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.specs import ModelSpec, TensorSpec
from appliance.speech.ctc import characters
from appliance.speech.ctc.characters import Order, Spelling
from appliance.speech.resample import RATE

F32 = TensorProto.FLOAT
BANDS, WIDTH, LAYERS, KEEP, PAST, DELAY = 83, 12, 2, 3, 2, 1
UNITS = ("<blank>", "ma1", "ma3", "ni3", "hao3", "shi4", "A")
CHARACTERS = ("<s>", "</s>", "<unk>", *"妈码马你好是事A")
READS = ((), (3, 5), (4, 5), (6,), (7,), (8, 9), (10,))
"""Numbers of the characters that are read as each unit."""


def spelling() -> Spelling:
    """Unigrams and a few pairs: 你好, 是 after 好, 马 at the end."""
    count = len(CHARACTERS)
    single = np.log(np.full(count, 1 / count, np.float32))
    pairs = {(0, 6): -0.5, (6, 7): -0.2, (7, 8): -0.4, (5, 1): -0.7, (3, 3): -1.0}
    keys = np.array([a * count + b for a, b in pairs], np.int64)
    order = keys.argsort()
    logp = np.array(list(pairs.values()), np.float32)[order]
    backoff = np.full(count, -0.75, np.float32)
    flat = [character for row in READS for character in row]
    return Spelling(
        UNITS,
        CHARACTERS,
        (
            Order(np.arange(count), np.rint(single * 12).astype(np.float32) / 12, backoff),
            Order(keys[order], np.rint(logp * 12) / np.float32(12), np.zeros(len(pairs), np.float32)),
        ),
        np.concatenate(([0], np.cumsum([len(row) for row in READS]))).astype(np.int64),
        np.array(flat, np.int64),
        np.zeros(len(flat), np.float32),
    )


def folder(path: Path, *, units: int = len(UNITS), seed: int = 2) -> Path:
    """A model's folder: acoustic.onnx, acoustic.json and characters.npz."""
    path.mkdir(parents=True, exist_ok=True)
    _network(path / "acoustic.onnx", units, np.random.default_rng(seed))
    sizes = {"delay": DELAY, "front": [KEEP, KEEP], "width": WIDTH, "layers": LAYERS, "past": PAST}
    (path / "acoustic.json").write_text(json.dumps(sizes | {"language": 0.5, "maybe": 0.2}), "utf-8")
    characters.save(spelling(), path / "characters.npz")
    return path


def backend(path: Path, units: int = len(UNITS)) -> OnnxRuntimeBackend:
    """The network of a model's folder; to be loaded and closed."""
    states = {"mel": (1, BANDS, KEEP), "half": (1, WIDTH, KEEP), "past": (LAYERS, WIDTH, PAST)}
    spec = ModelSpec(
        "tiny/acoustic",
        (
            TensorSpec("features", "float32", (1, "frames", BANDS)),
            *(TensorSpec(name, "float32", shape) for name, shape in states.items()),
        ),
        (
            TensorSpec("logprobs", "float32", (1, "steps", units)),
            *(TensorSpec(f"next_{name}", "float32", shape) for name, shape in states.items()),
        ),
    )
    return OnnxRuntimeBackend(spec, path / "acoustic.onnx", threads=1)


def _network(path: Path, units: int, draw: np.random.Generator) -> None:
    """The same operators as the real one has; so loud that the classes change from step to step."""
    node = helper.make_node
    held = [
        numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32) * np.float32(gain), name)
        for name, shape, gain in (
            ("w0", (WIDTH, BANDS, KEEP + 2), 0.08),
            ("w1", (WIDTH, WIDTH, KEEP + 2), 0.2),
            *((f"l{n}", (WIDTH, WIDTH, PAST + 1), 0.2) for n in range(LAYERS)),
            ("out", (units, WIDTH, 1), 1.5),
        )
    ]
    numbers = {"zero": [0], "one": [1], "two": [2], "end": [1 << 30], "last3": [-KEEP], "last2": [-PAST], "but1": [-1]}
    held += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in numbers.items()]
    held.append(numpy_helper.from_array(np.array(8, np.float32), "louder"))
    nodes = [
        node("Transpose", ["features"], ["f"], perm=[0, 2, 1]),
        node("Add", ["f", "louder"], ["x0"]),
        node("Concat", ["mel", "x0"], ["x1"], axis=2),
        node("Slice", ["x1", "last3", "end", "two"], ["next_mel"]),
        node("Conv", ["x1", "w0"], ["c0"], strides=[2]),
        node("Relu", ["c0"], ["r0"]),
        node("Concat", ["half", "r0"], ["x2"], axis=2),
        node("Slice", ["x2", "last3", "end", "two"], ["next_half"]),
        node("Conv", ["x2", "w1"], ["c1"], strides=[2]),
        node("Relu", ["c1"], ["y0"]),
    ]
    for n in range(LAYERS):
        begin, end = ("one", "but1") if n < DELAY else ("two", "end")
        nodes += [
            node("Slice", ["past", "zero" if n == 0 else "one", "one" if n == 0 else "end", "zero"], [f"p{n}"]),
            node("Concat", [f"p{n}", f"y{n}"], [f"z{n}"], axis=2),
            node("Slice", [f"z{n}", "last2", "end", "two"], [f"k{n}"]),
            node("Conv", [f"z{n}", f"l{n}"], [f"d{n}"]),
            node("Slice", [f"z{n}", begin, end, "two"], [f"s{n}"]),
            node("Add", [f"s{n}", f"d{n}"], [f"a{n}"]),
            node("Relu", [f"a{n}"], [f"y{n + 1}"]),
        ]
    nodes += [
        node("Concat", [f"k{n}" for n in range(LAYERS)], ["next_past"], axis=0),
        node("Conv", [f"y{LAYERS}", "out"], ["o"]),
        node("Transpose", ["o"], ["t"], perm=[0, 2, 1]),
        node("LogSoftmax", ["t"], ["logprobs"], axis=2),
    ]
    states = {"mel": [1, BANDS, KEEP], "half": [1, WIDTH, KEEP], "past": [LAYERS, WIDTH, PAST]}
    inputs = [helper.make_tensor_value_info("features", F32, [1, "frames", BANDS])]
    inputs += [helper.make_tensor_value_info(name, F32, shape) for name, shape in states.items()]
    outputs = [helper.make_tensor_value_info("logprobs", F32, [1, "steps", units])]
    outputs += [helper.make_tensor_value_info(f"next_{name}", F32, shape) for name, shape in states.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made)
    onnx.save(made, str(path))


def sound(seconds: float = 2.0, seed: int = 5) -> np.ndarray:
    """Noise whose colour changes every 60 ms."""
    draw = np.random.default_rng(seed)
    parts, left = [], round(seconds * RATE)
    while left > 0:
        count = min(left, 960)
        at = np.arange(count) / RATE
        tones = sum(np.sin(2 * np.pi * pitch * at) for pitch in draw.uniform(100, 7000, 4))
        parts.append(0.1 * draw.random() * tones + 0.003 * draw.standard_normal(count))
        left -= count
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
