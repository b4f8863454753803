"""Recognisers in shape alone: SenseVoice and wav2vec2-CTC with random weights, as models that `export.all` reads.

    python -m export.asr_fixtures [FOLDER]        (default var/asr-shapes)
    python -m export.all --models var/asr-shapes --work var/asr-shapes-work

Nobody's weights are needed to see that such a graph leaves PyTorch whole, that its fp16 and QDQ files are made, gated
and agree with it, and that TensorRT takes it: what a real one has more is width. Each becomes FOLDER/<name>/ with
manifest.yaml, model.onnx and cases/, whose truth is what PyTorch said. Seeds are fixed.

SenseVoice's encoder is SAN-M (Z. Gao et al., "SAN-M: Memory Equipped Self-Attention", arXiv 2006.01713): attention with
a depthwise convolution over its values beside it.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from appliance.speech.ctc.sensevoice import INPUTS, OUTPUTS, PREFIX
from appliance.speech.ctc.shapes import LENGTHS
from export.to_onnx import Interface, export

FOLDER = Path("var/asr-shapes")
CLASSES = 64
SEED = 20261130


class Sanm(nn.Module):
    """Self-attention with memory, then a feed-forward network."""

    def __init__(self, given: int, width: int, heads: int, kernel: int) -> None:
        super().__init__()
        self.heads, self.same = heads, given == width
        self.before, self.between = nn.LayerNorm(given), nn.LayerNorm(width)
        self.project = nn.Linear(given, 3 * width)
        self.memory = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (1, T, given), mask (1, T) of ones and zeros; (1, T, width)."""
        q, k, v = self.project(self.before(x)).chunk(3, -1)
        kept = v * mask[..., None]
        memory = self.memory(kept.transpose(1, 2)).transpose(1, 2) + kept
        q, k, v = (one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in (q, k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        # A mask that a half can hold.
        weights = torch.softmax(scores + (mask[:, None, None] - 1) * 1e4, -1) * mask[:, None, None]
        heard = self.out((weights @ v).transpose(1, 2).flatten(2)) + memory * mask[..., None]
        x = x + heard if self.same else heard
        return x + self.down(torch.relu(self.up(self.between(x))))


class SenseVoice(nn.Module):
    """The graph that FunASR exports, narrow: four learnt frames, SAN-M layers, one linear layer of CTC."""

    def __init__(self, width: int = 64, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.embed = nn.Embedding(16, 560)
        given = (560, *[width] * (layers - 1))
        self.layers = nn.ModuleList(Sanm(one, width, heads, 11) for one in given)
        self.after = nn.LayerNorm(width)
        self.ctc = nn.Linear(width, CLASSES)

    def forward(
        self, speech: Tensor, speech_lengths: Tensor, language: Tensor, textnorm: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(1, T, 560) float32 and three (1,) int32; logits (1, T + 4, classes) and their number (1,) int32."""
        queries = torch.cat([language, torch.tensor([1, 2], dtype=torch.int32), textnorm])
        x = torch.cat([self.embed(queries)[None], speech], dim=1)
        lengths = speech_lengths + PREFIX
        places = torch.arange(1, x.shape[1] + 1, dtype=torch.int32)
        mask = (places[None] <= lengths[:, None]).to(x.dtype)
        x = x * math.sqrt(64.0) / 8 + positions(places.to(x.dtype), 560)[None]
        for layer in self.layers:
            x = layer(x, mask)
        return self.ctc(self.after(x)), lengths


def positions(places: Tensor, width: int) -> Tensor:
    """Sines and cosines of `places` (T,), shape (T, width)."""
    step = math.log(10_000) / (width // 2 - 1)
    angles = places[:, None] * torch.exp(torch.arange(width // 2, dtype=places.dtype) * -step)[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Wav2Vec2(nn.Module):
    """Hugging Face's Wav2Vec2ForCTC, narrow."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

        self.model = Wav2Vec2ForCTC(config(Wav2Vec2Config))

    def forward(self, input_values: Tensor) -> Tensor:
        """(1, samples) float32; logits (1, steps, classes)."""
        return self.model(input_values).logits


def config(kind: type) -> object:
    """The configuration of the narrow wav2vec2; `kind` is Wav2Vec2Config."""
    return kind(
        vocab_size=CLASSES,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        attn_implementation="eager",
        pad_token_id=0,
    )


def decisive(network: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose random weights, always the same, make the likeliest class likelier by more than a rounding."""
    torch.manual_seed(seed)
    module = network()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim > 1 and "embed" not in name:
                parameter.copy_(torch.randn(parameter.shape) * (1.4 / math.sqrt(math.prod(parameter.shape[1:]))))
    return module.eval()


@dataclass(frozen=True)
class Shape:
    """One of the models."""

    name: str
    title: str
    network: Callable[[], nn.Module]
    interface: Interface
    examples: Callable[[int, int], Mapping[str, np.ndarray]]
    """Inputs of (batch, length)."""
    lengths: tuple[int, ...]
    inputs: list[dict[str, object]]
    outputs: list[dict[str, object]]
    threshold: float
    int8: str = "qdq"
    """Recipe of its int8 file."""


def sensevoice_inputs(batch: int, frames: int) -> dict[str, np.ndarray]:
    """Features as FunASR's front end gives them, mean 0 and variance 1, and numbers that it knows."""
    rng = np.random.default_rng(frames)
    return {
        "speech": rng.standard_normal((batch, frames, 560)).astype(np.float32),
        "speech_lengths": np.full(batch, frames, np.int32),
        "language": np.full(batch, (0, 3, 4)[frames % 3], np.int32),
        "textnorm": np.full(batch, 14 + frames % 2, np.int32),
    }


def wav2vec2_inputs(batch: int, samples: int) -> dict[str, np.ndarray]:
    """A waveform of mean 0 and variance 1."""
    return {"input_values": np.random.default_rng(samples).standard_normal((batch, samples)).astype(np.float32)}


def shapes() -> tuple[Shape, ...]:
    """All of them."""
    least, _, most = LENGTHS["sensevoice"]
    frames = Interface(
        INPUTS,
        {OUTPUTS[0]: {1: "steps"}, OUTPUTS[1]: {}},
        {1: ("frames", least, most)},
        dict.fromkeys(INPUTS[1:], ()),
    )
    fewest, _, longest = LENGTHS["wav2vec2"]
    samples = Interface(("input_values",), {"logits": {1: "steps"}}, {1: ("samples", fewest, longest)})
    return (
        Shape(
            "sensevoice-shape",
            "SenseVoice",
            SenseVoice,
            frames,
            sensevoice_inputs,
            (30, 5, 88, 131, 508),
            [
                {"name": "speech", "dtype": "float32", "shape": [1, "frames", 560]},
                *({"name": name, "dtype": "int32", "shape": [1]} for name in INPUTS[1:]),
            ],
            [
                {"name": OUTPUTS[0], "dtype": "float32", "shape": [1, "steps", CLASSES]},
                {"name": OUTPUTS[1], "dtype": "int32", "shape": [1]},
            ],
            0.9,
        ),
        Shape(
            "wav2vec2-shape",
            "wav2vec2-CTC",
            Wav2Vec2,
            samples,
            wav2vec2_inputs,
            (16_000, 8_000, 31_999, 84_800),
            [{"name": "input_values", "dtype": "float32", "shape": [1, "samples"]}],
            [{"name": "logits", "dtype": "float32", "shape": [1, "steps", CLASSES]}],
            0.9,
            "qdq-products",  # its convolutions hear the bare waveform: in int8 a fifth of the classes become others
        ),
    )


def make(shape: Shape, folder: Path) -> float:
    """Write the model into `folder`/<name>; the largest difference of ONNX Runtime's outputs from PyTorch's."""
    home = folder / shape.name
    cases = home / "cases"
    cases.mkdir(parents=True, exist_ok=True)
    module = decisive(shape.network, SEED)
    difference = export(module, shape.interface, home / "model.onnx", shape.examples, [(1, n) for n in shape.lengths])
    rows = []
    for length in shape.lengths[:4]:
        given = dict(shape.examples(1, length))
        with torch.inference_mode():
            out = module(*(torch.from_numpy(given[name]) for name in shape.interface.inputs))
        logits = out[0] if isinstance(out, tuple) else out
        best = logits[0].argmax(-1).numpy()
        np.savez_compressed(cases / f"{length}.npz", best=best, **given)
        row = {"file": f"{length}.npz", "kind": "arrays", "truth": {"count": len(best)}, "licence": "Apache-2.0"}
        rows.append(row)
    (cases / "cases.json").write_text(json.dumps(rows, indent=1) + "\n")
    (home / "manifest.yaml").write_text(yaml.safe_dump(manifest(shape, home), allow_unicode=True, sort_keys=False))
    return difference


def manifest(shape: Shape, home: Path) -> dict[str, object]:
    """manifest.yaml of a model whose file lies in `home`."""
    data = (home / "model.onnx").read_bytes()
    ((axis, _, _),) = shape.interface.varying.values()
    sizes = zip(("minimum", "optimum", "maximum"), LENGTHS[shape.name.partition("-")[0]], strict=True)
    derived = [
        {"precision": "fp16", "recipe": "half", "backend": "tensorrt"},
        {"precision": "int8", "recipe": shape.int8, "backend": "tensorrt"},
    ]
    return {
        "name": shape.name,
        "title": {"zh": f"{shape.title} 的形状（随机权重）", "en": f"{shape.title} in shape (random weights)"},
        "kind": "asr",
        "install": "manual",
        "licence": "Apache-2.0",
        "attribution": "Random weights, made by export.asr_fixtures",
        "page": "export/asr_fixtures.py",
        "files": [
            {
                "path": "model.onnx",
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "sources": [{"shipped": "model.onnx"}],
            }
        ],
        "networks": {
            "model.onnx": {
                "inputs": shape.inputs,
                "outputs": shape.outputs,
                "profiles": [{name: {axis: size} for name, size in sizes}],
                "precisions": ["fp32", "fp16", "int8"],
                "derived": derived,
                "gate": {"metric": "best_path", "threshold": shape.threshold},
                "opset": 18,
            }
        },
    }


def main() -> None:
    """Write every model into the folder given."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for shape in shapes():
        difference = make(shape, folder)
        size = (folder / shape.name / "model.onnx").stat().st_size
        print(f"{shape.name}: {size} bytes, differs from PyTorch by {difference:.1e}")


if __name__ == "__main__":
    main()
