"""Makes the networks that the project trains anew from their shipped files: proof that code and file are the same.

The PyTorch module is rebuilt with the weights of the ONNX file, exported again, compared with PyTorch at several sizes
and with the shipped file on the model's cases. Sizes come from the weights and from the files beside, none from here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from appliance.app.derive import running
from appliance.artifacts.digest import sha256_of
from appliance.inference.arrive import opset
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec
from export import networks
from export.train.bundle import Bundle, Meaning
from export.train.model import Understander, Weights
from export.train.tagger import Shape, Tagger
from export.weights import Master, recover

APART = 1e-4
"""Most by which the outputs of the two files may differ on the model's cases."""
SIZE = 0.01
"""Most by which their sizes may differ, as a share."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the comparisons of a network that was made anew gave."""

    torch: float
    """Largest difference of the new file's outputs to PyTorch's."""
    shapes: int
    """Sizes at which that was compared."""
    shipped: float
    """Largest difference of the new file's outputs to the shipped file's on the cases."""
    identical: bool
    """True when the two files are the same byte for byte."""


def understander(folder: Path) -> Bundle:
    """The network of model.onnx in `folder`, with labels.json and tokenizer.json. Raises ValueError as `recover`."""
    master = Master(folder / "model.onnx")
    embeddings, layer = "model.encoder.embeddings", "model.encoder.encoder.layer"
    pieces, width = master.shape(f"{embeddings}.word_embeddings.weight")
    layers = 0
    while master.holds(f"{layer}.{layers}.output.dense.bias"):
        layers += 1
    if not layers:
        raise ValueError(f"{master.name}: expected the parameter {layer}.0.output.dense.bias, found none")
    config = BertConfig(
        vocab_size=pieces,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=master.heads(f"{layer}.0.attention.self.query.bias"),
        intermediate_size=master.shape(f"{layer}.0.intermediate.dense.bias")[0],
        max_position_embeddings=master.shape(f"{embeddings}.position_embeddings.weight")[0],
        type_vocab_size=master.shape(f"{embeddings}.token_type_embeddings.weight")[0],
        layer_norm_eps=master.epsilon(),
    )
    labels = json.loads((folder / "labels.json").read_text("utf-8"))
    intents, polarities = tuple(labels["intents"]), tuple(labels["polarities"])
    made = Understander(BertModel(config, add_pooling_layer=False), len(intents), len(polarities), 0, Weights())
    recover(made, master, "model.")
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Bundle(made, tokens, Meaning(intents, polarities, (), "", int(labels["longest"])))


def tagger(folder: Path) -> tuple[Tagger, dict[str, int], tuple[str, ...]]:
    """The network of tagger.onnx in `folder`, its characters and tags, as tagger.json has them. Raises ValueError."""
    described = json.loads((folder / "tagger.json").read_text("utf-8"))
    numbers = {character: number for number, character in enumerate(described["characters"], 2)}
    tags = tuple(described["tags"])
    made = Tagger(len(numbers) + 2, len(tags), Shape(**described["shape"]), words=described["words"])
    made.least = described["least"]
    search = {"start_transitions": "begin", "end_transitions": "end", "transitions": "transitions"}
    given = {f"crf.{name}": np.array(described[key], np.float32) for name, key in search.items()}
    return recover(made, Master(folder / "tagger.onnx"), "tagger.", given), numbers, tags


def understander_again(folder: Path, out: Path) -> Mapping[str, object]:
    """Export the network of `folder` anew to `out`; what was checked. Raises ValueError."""
    labels = json.loads((folder / "labels.json").read_text("utf-8"))
    return networks.understander(understander(folder), labels["pack"], labels, out)


def tagger_again(folder: Path, out: Path) -> Mapping[str, object]:
    """The same for the tagger."""
    pack = json.loads((folder / "tagger.json").read_text("utf-8"))["pack"]
    return networks.tagger(*tagger(folder), out, folder, pack)


Remake = Callable[[Path, Path], Mapping[str, object]]
TRAINED: Mapping[str, Remake] = {
    "understand-zh/model.onnx": understander_again,
    "entities-zh/tagger.onnx": tagger_again,
}
"""The networks that the project trains, and what makes each anew."""


def rebuild(remake: Remake, folder: Path, out: Path, file: str, spec: ModelSpec, feeds: Iterable[Arrays]) -> Rebuilt:
    """Make the network in `folder`/`file` anew in `out` and compare the two, on `feeds` too.

    Raises ValueError when anything that was written is not what was shipped, ModelMismatch when it is not of `spec`.
    """
    out.mkdir(parents=True, exist_ok=True)
    checked = remake(folder, out)
    ours, theirs = out / file, folder / file
    for path in sorted(out.iterdir()):
        if path.name != file and path.read_bytes() != (folder / path.name).read_bytes():
            raise ValueError(f"{file}: expected {path.name} as it was shipped, got another")
    size, shipped_size = ours.stat().st_size, theirs.stat().st_size
    if abs(size - shipped_size) > SIZE * shipped_size:
        raise ValueError(f"{file}: expected {shipped_size} bytes as it was shipped, got {size}")
    if _versions(ours) != _versions(theirs):
        raise ValueError(f"{file}: expected opset and IR {_versions(theirs)} as it was shipped, got {_versions(ours)}")
    with running(spec, ours) as mine, running(spec, theirs) as shipped:
        apart = distance(mine, shipped, feeds)
    if not apart <= APART:
        raise ValueError(f"{file}: expected the shipped outputs on its cases, got a difference of {apart:.2e}")
    shapes: Any = checked["shapes"]
    return Rebuilt(
        torch=float(str(checked["difference"])),
        shapes=len(shapes),
        shipped=apart,
        identical=sha256_of(ours) == sha256_of(theirs),
    )


def distance(ours: Run, theirs: Run, feeds: Iterable[Arrays]) -> float:
    """The largest difference between any outputs of two networks; nan when a nan is in them or there are no feeds."""
    worst = [float(np.abs(ours(feed)[name] - values).max()) for feed in feeds for name, values in theirs(feed).items()]
    return float(np.max(worst)) if worst else float("nan")


def _versions(path: Path) -> tuple[int, int]:
    model = onnx.load(str(path), load_external_data=False)
    return opset(model), model.ir_version
