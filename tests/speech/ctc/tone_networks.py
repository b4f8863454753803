"""Networks with the inputs and outputs of real recognisers that hear tones: each pitch is a token. ONNX, no weights.

What is in front of them (filter banks, low frame rate, CMVN, waveform) and behind them is the real thing.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE = 16_000
F32, I32, I64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
PITCHES = (500.0, 900.0, 1500.0, 2300.0, 3400.0)
TOKENS = ("<unk>", "<s>", "</s>", "你", "好", "▁hello", "s", "吗", "<|zh|>", "<|en|>", "<|nospeech|>", "<|NEUTRAL|>")
TOKENS = (*TOKENS, "<|Speech|>", "<|withitn|>", "<|woitn|>", "<|yue|>")
"""Tokens of the SenseVoice-shaped one; the pitches are those from 你 to 吗."""
FIRST = 3
WIDTH = len(TOKENS)


def melody(*notes: tuple[float, float], level: float = 0.3, gap: float = 0.2) -> np.ndarray:
    """Notes (number of the pitch, seconds) with a gap of silence before, between and after."""
    silence = np.zeros(round(gap * RATE))
    parts = [silence]
    for note, seconds in notes:
        at = np.arange(round(seconds * RATE)) / RATE
        parts += [level * np.sin(2 * np.pi * PITCHES[int(note)] * at), silence]
    noise = np.random.default_rng(1).standard_normal(sum(map(len, parts))) * 1e-4
    return (np.concatenate(parts) + noise).astype(np.float32)


def bins(high: float) -> list[int]:
    """The filter bank in whose middle each pitch lies, of 80 from 20 Hz to `high`."""
    mel = [1127 * np.log(1 + hertz / 700) for hertz in (20.0, high, *PITCHES)]
    step = (mel[1] - mel[0]) / 81
    return [round((one - mel[0]) / step) - 1 for one in mel[2:]]


def sensevoice(path: Path, *, sherpa: bool = False, metadata: dict[str, str] | None = None) -> Path:
    """Tags by the language and norm that are asked for; then each step's token is the loudest pitch, else the blank."""
    weights = np.zeros((560, WIDTH), np.float32)
    for token, place in enumerate(bins(8000.0), FIRST):
        weights[3 * 80 + place, token] = 1
    bias = np.full(WIDTH, -100, np.float32)
    bias[FIRST : FIRST + len(PITCHES)] = 0
    bias[0] = 17.0  # louder than this is a tone: logarithm of the energy of samples as large as 16 bit
    table = np.zeros((16, WIDTH), np.float32)
    for number, tag in {0: "zh", 3: "zh", 4: "en", 7: "yue", 13: "nospeech", 14: "withitn", 15: "woitn"}.items():
        table[number, TOKENS.index(f"<|{tag}|>")] = 50
    table[1, TOKENS.index("<|NEUTRAL|>")] = table[2, TOKENS.index("<|Speech|>")] = 50
    names = ("x", "x_length", "language", "text_norm") if sherpa else (
        "speech", "speech_lengths", "language", "textnorm",
    )  # fmt: skip
    out = "logits" if sherpa else "ctc_logits"
    nodes = [
        helper.make_node("Gather", ["table", names[2]], ["l"]),
        helper.make_node("Gather", ["table", names[3]], ["n"]),
        helper.make_node("Unsqueeze", ["l", "one"], ["l3"]),
        helper.make_node("Unsqueeze", ["n", "one"], ["n3"]),
        helper.make_node("Gather", ["table", "queries"], ["q3"]),
        helper.make_node("MatMul", [names[0], "weights"], ["m"]),
        helper.make_node("Add", ["m", "bias"], ["s"]),
        helper.make_node("Concat", ["l3", "q3", "n3", "s"], [out], axis=1),
        helper.make_node("Add", [names[1], "four"], ["lengths" if sherpa else "encoder_out_lens"]),
    ]
    held = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array([[1, 2]], np.int64), "queries"),
        numpy_helper.from_array(np.array(4, np.int32), "four"),
    ]
    inputs = [helper.make_tensor_value_info(names[0], F32, ["batch_size", "feats_length", 560])]
    inputs += [helper.make_tensor_value_info(name, I32, ["batch_size"]) for name in names[1:]]
    outputs = [helper.make_tensor_value_info(out, F32, ["batch_size", "logits_length", WIDTH])]
    if not sherpa:
        outputs.append(helper.make_tensor_value_info("encoder_out_lens", I32, ["batch_size"]))
    return _save(path, nodes, inputs, outputs, held, metadata)


def wav2vec2(path: Path, classes: int, blank: int, *, mask: bool = False) -> Path:
    """Each step of 320 samples has the class of the loudest pitch, 0 and up without `blank`, else `blank`."""
    at = np.arange(400) / RATE
    filters = np.zeros((2 * classes, 1, 400), np.float32)
    others = [number for number in range(classes) if number != blank]
    for number, pitch in zip(others, PITCHES, strict=False):
        filters[number, 0] = np.cos(2 * np.pi * pitch * at) / 200
        filters[classes + number, 0] = np.sin(2 * np.pi * pitch * at) / 200
    bias = np.zeros(classes, np.float32)
    bias[blank] = 5
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "one"], ["x3"]),
        helper.make_node("Conv", ["x3", "filters"], ["c"], kernel_shape=[400], strides=[320]),
        helper.make_node("Mul", ["c", "c"], ["p"]),
        helper.make_node("Split", ["p"], ["a", "b"], axis=1),
        helper.make_node("Add", ["a", "b"], ["e"]),
        helper.make_node("Transpose", ["e"], ["t"], perm=[0, 2, 1]),
        helper.make_node("Mul", ["t", "twenty"], ["u"]),
        helper.make_node("Add", ["u", "bias"], ["logits"]),
    ]
    held = [
        numpy_helper.from_array(filters, "filters"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array(20, np.float32), "twenty"),
    ]
    inputs = [helper.make_tensor_value_info("input_values", F32, ["batch_size", "sequence_length"])]
    if mask:
        inputs.append(helper.make_tensor_value_info("attention_mask", I64, ["batch_size", "sequence_length"]))
    outputs = [helper.make_tensor_value_info("logits", F32, ["batch_size", "steps", classes])]
    return _save(path, nodes, inputs, outputs, held)


def zipformer(path: Path, classes: int, *, threshold: float = -3.0, extra: int = 0) -> Path:
    """Every fourth filter bank: class 1 and up is the loudest pitch, 0 (the blank) none. `extra` inputs: states."""
    weights = np.zeros((80, classes), np.float32)
    for token, place in enumerate(bins(7600.0)[: classes - 1], 1):
        weights[place, token] = 1
    bias = np.full(classes, -100, np.float32)
    bias[1 : 1 + len(PITCHES)] = 0
    bias[0] = threshold
    nodes = [
        helper.make_node("Slice", ["x", "from", "to", "one", "four"], ["s"]),
        helper.make_node("MatMul", ["s", "weights"], ["m"]),
        helper.make_node("Add", ["m", "bias"], ["a"]),
        helper.make_node("LogSoftmax", ["a"], ["log_probs"], axis=-1),
        helper.make_node("Add", ["x_lens", "three"], ["l3"]),
        helper.make_node("Div", ["l3", "four0"], ["log_probs_len"]),
    ]
    held = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.array([0], np.int64), "from"),
        numpy_helper.from_array(np.array([1 << 30], np.int64), "to"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array([4], np.int64), "four"),
        numpy_helper.from_array(np.array(4, np.int64), "four0"),
        numpy_helper.from_array(np.array(3, np.int64), "three"),
    ]
    inputs = [
        helper.make_tensor_value_info("x", F32, ["N", "T", 80]),
        helper.make_tensor_value_info("x_lens", I64, ["N"]),
    ]
    inputs += [helper.make_tensor_value_info(f"cached_key_{n}", F32, [2, "N", 4]) for n in range(extra)]
    outputs = [
        helper.make_tensor_value_info("log_probs", F32, ["N", "steps", classes]),
        helper.make_tensor_value_info("log_probs_len", I64, ["N"]),
    ]
    return _save(path, nodes, inputs, outputs, held)


def quantised(path: Path) -> Path:
    """Add what dynamic quantisation leaves in a graph to the network at `path`."""
    model = onnx.load(str(path))
    name = model.graph.input[0].name
    node = helper.make_node("DynamicQuantizeLinear", [name], ["q", "q_scale", "q_zero"])
    model.graph.node.insert(0, node)
    onnx.save(model, str(path))
    return path


def mvn(path: Path, width: int = 560) -> Path:
    """An am.mvn that changes nothing."""
    zeros, ones = " ".join(["0"] * width), " ".join(["1"] * width)
    path.write_text(
        f"<Nnet>\n<Splice> {width} {width}\n[ 0 ]\n<AddShift> {width} {width}\n<LearnRateCoef> 0 [ {zeros} ]\n"
        f"<Rescale> {width} {width}\n<LearnRateCoef> 0 [ {ones} ]\n</Nnet>\n"
    )
    return path


def sensevoice_folder(folder: Path) -> Path:
    """As FunASR exports it."""
    folder.mkdir(parents=True, exist_ok=True)
    sensevoice(folder / "model.onnx")
    mvn(folder / "am.mvn")
    (folder / "tokens.json").write_text(json.dumps(TOKENS, ensure_ascii=False))
    (folder / "config.yaml").write_text("frontend_conf: {}\n")
    return folder


def sherpa_folder(folder: Path) -> Path:
    """As sherpa-onnx publishes it: the normalisation in the metadata, a quantised file beside."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {
        "neg_mean": ",".join(["0"] * 560),
        "inv_stddev": ",".join(["1"] * 560),
        "normalize_samples": "0",
        "model_author": "iic",
        "url": "https://huggingface.co/FunAudioLLM/SenseVoiceSmall",
    }
    sensevoice(folder / "model.onnx", sherpa=True, metadata=metadata)
    quantised(sensevoice(folder / "model.int8.onnx", sherpa=True, metadata=metadata))
    (folder / "tokens.txt").write_text("".join(f"{token} {n}\n" for n, token in enumerate(TOKENS)))
    (folder / "LICENSE").write_text("MODEL_LICENSE 1.1\n")
    return folder


def zipformer_folder(folder: Path) -> Path:
    """As icefall exports an offline CTC network."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ("<blk>", "▁TURN", "▁ON", "ING", "▁A", "S")
    zipformer(folder / "model.onnx", len(tokens))
    (folder / "tokens.txt").write_text("".join(f"{token} {n}\n" for n, token in enumerate(tokens)))
    return folder


def wav2vec2_folder(folder: Path, *, mask: bool = False) -> Path:
    """As optimum exports Wav2Vec2ForCTC."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"|": 0, "H": 1, "I": 2, "O": 3, "E": 4, "<pad>": 5, "<unk>": 6}
    wav2vec2(folder / "model.onnx", len(vocabulary), 5, mask=mask)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 5, "conv_stride": [5, 2, 2, 2, 2, 2, 2]}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16000}))
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\ntags:\n- audio\n---\n# A model\n")
    return folder


def _save(
    path: Path, nodes: list, inputs: list, outputs: list, held: list, metadata: dict[str, str] | None = None
) -> Path:
    graph = helper.make_graph(nodes, "tones", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata:
        helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
