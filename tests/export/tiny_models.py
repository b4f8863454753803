"""Networks so small that they train, distil and export in seconds; needs torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from export.train.bundle import Bundle, Meaning
from export.train.encoder import tokenizer
from export.train.model import Understander, Weights
from export.train.tagger import Shape, Tagger, tags_of

torch.set_num_threads(1)  # more wait for each other longer than so small networks compute

CHARACTERS = "洗喜衣液在哪里盐多少钱四是退货请问"
PIECES = (
    *((special, 0.0) for special in tokenizer.SPECIAL),
    ("▁", -2.0),
    ("洗衣液", -3.0),
    ("在哪里", -3.5),
    *((character, -6.0 - number / 10) for number, character in enumerate(CHARACTERS)),
    *((piece, -7.0) for piece in ("▁where", "ing", "a", "b", "1", "？")),
)
"""A teacher's vocabulary: Chinese words and characters, some of which sound alike, and a little English."""
INTENTS, POLARITIES, QUESTIONS = ("find", "price", "refund"), ("neg", "neu", "pos"), ("opening", "returns")
TAGS = tags_of(("product", "date"))


def tokens(*pieces: tuple[str, float]) -> Any:
    return tokenizer.build(pieces or PIECES, precompiled=None)


def shaken(module: torch.nn.Module, seed: int) -> None:
    """Give every weight a value of its own: fresh networks have zeros and ones that hide mistakes."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)


def understander(pieces: int, layers: int = 4, questions: int = 2, positions: int = 64, **named: Any) -> Understander:
    config = BertConfig(
        vocab_size=pieces, hidden_size=24, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=positions,
    )  # fmt: skip
    torch.manual_seed(3)
    model = Understander(
        BertModel(config, add_pooling_layer=False), len(INTENTS), len(POLARITIES), questions, Weights(), **named
    )
    shaken(model, 4)
    model.centre.copy_(torch.linspace(-0.5, 0.5, 24))
    model.spread.copy_(torch.linspace(0.5, 1.5, 24))
    model.eval()
    return model


def bundle(**named: Any) -> Bundle:
    made = tokens()
    return Bundle(
        understander(made.get_vocab_size(), **named), made, Meaning(INTENTS, POLARITIES, QUESTIONS, "query: ", 64)
    )


def tagger(characters: int = 60, *, hint: int = 4, sounds: torch.Tensor | None = None) -> Tagger:
    torch.manual_seed(5)
    model = Tagger(characters, len(TAGS), Shape(embedding=20, hint=hint, hidden=16), sounds)
    shaken(model, 6)
    model.eval()
    return model


def tagger_rows(*lengths: int, seed: int = 3) -> list[dict[str, Any]]:
    """Rows of so many characters for `tagger`, drawn at random."""
    draw = np.random.default_rng(seed)
    return [
        {
            "input_ids": draw.integers(1, 60, length).tolist(),
            "hints": draw.integers(0, len(TAGS), length).tolist(),
            "words": [0] * length,
            "tags": draw.integers(0, len(TAGS), length).tolist(),
        }
        for length in lengths
    ]
