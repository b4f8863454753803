"""The acoustic model as ONNX, and what has to be known beside it; checked against PyTorch in many pieces."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from appliance.speech.ctc.bank import BANDS
from appliance.speech.ctc.stream import STRIDE, Sizes
from export import to_onnx
from export.to_onnx import Interface
from export.train.asr.model import Acoustic, Streaming

FILE, BESIDE = "acoustic.onnx", "acoustic.json"
INPUTS = ("features", "mel", "half", "past")
OUTPUTS = ("logprobs", "next_mel", "next_half", "next_past")
PIECES = ((4,), (1, 1, 2, 1), (16,), (40, 3, 1), (7, 9, 11))
"""Steps of the pieces that the file is checked with, sound after sound."""
_WORST = 1e-3

Floats = npt.NDArray[np.float32]


def sizes(model: Acoustic) -> Sizes:
    """What the appliance has to know of `model`."""
    shape = model.shape
    keep = shape.front - 2
    return Sizes(shape.delay, (keep, keep), shape.width, shape.layers, shape.kernel - 1)


def write(model: Acoustic, out: Path) -> dict[str, Any]:
    """Write acoustic.onnx and acoustic.json; what was checked. Raises ValueError where ONNX Runtime says otherwise."""
    network = to_onnx.rounded(Streaming(model.eval()).eval())
    assert isinstance(network, Streaming)
    example = (torch.randn(1, 4 * STRIDE, BANDS), *network.state())
    steps = torch.export.Dim("steps", min=1, max=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            example,
            dynamo=True,
            opset_version=to_onnx.OPSET,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=({1: STRIDE * steps}, None, None, None),
            optimize=True,
            verbose=False,
        )
    if program is None:
        raise ValueError(f"{FILE}: expected the exporter to give a program")
    out.mkdir(parents=True, exist_ok=True)
    named = {name: {1: "steps"} if name == "logprobs" else {} for name in OUTPUTS}
    proto = program.model_proto
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "frames"
    to_onnx._save(proto, Interface(INPUTS, named, {}), out / FILE)
    (out / BESIDE).write_text(json.dumps(asdict(sizes(model)), indent=1) + "\n", "utf-8")
    differs = max(compare(model, network, out / FILE, pieces) for pieces in PIECES)
    count = sum(weights.numel() for weights in network.parameters())
    return {"difference": differs, "bytes": (out / FILE).stat().st_size, "pieces": PIECES, "parameters": count}


def compare(model: Acoustic, network: Streaming, path: Path, pieces: Sequence[int]) -> float:
    """The largest difference of ONNX Runtime's pieces from PyTorch's whole sound, in log-probabilities of units.

    The whole is computed by the network with its normalisation folded in; the same before folding may differ by what
    halves of the weights leave out. Raises ValueError above 1e-3.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    count = sum(pieces) * STRIDE
    draw = np.random.default_rng(count)
    mean, spread = model.mean.numpy(), 1 / model.scale.numpy()
    features = (mean + spread * draw.standard_normal((1, count, BANDS))).astype(np.float32)
    with torch.inference_mode():
        whole = network(torch.from_numpy(features), *network.state())[0].numpy()
    state: list[Floats] = [one.numpy() for one in network.state()]
    found, at = [], 0
    for piece in pieces:
        given = dict(zip(INPUTS, (features[:, at : at + piece * STRIDE], *state), strict=True))
        logprobs, *state = session.run(list(OUTPUTS), given)
        found.append(logprobs)
        at += piece * STRIDE
    worst = float(np.abs(np.concatenate(found, 1) - whole).max())
    if worst > _WORST:
        raise ValueError(f"{path.name}: expected PyTorch's outputs in pieces {pieces}, got a difference of {worst:.2e}")
    return worst
