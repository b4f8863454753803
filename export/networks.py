"""The language networks as ONNX files with what the appliance reads beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from export.to_onnx import Interface, export
from export.train import crf, lend
from export.train.bundle import Bundle
from export.train.model import Understander
from export.train.tagger import Emissions, Tagger

SHAPES = ((2, 16), (1, 8), (1, 32), (4, 24), (32, 64))
"""(batch, sequence) at which an encoder is checked."""
LENGTHS = ((1, 12), (1, 1), (1, 5), (1, 40), (1, 128))
"""The same for the tagger, which reads one sentence at a time."""


class Outputs(nn.Module):
    """What the ONNX file gives: logits of intents and polarities, and the sentence vector, length 1."""

    def __init__(self, model: Understander) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(batch, intents), (batch, polarities), (batch, width)."""
        model = self.model
        means, _ = model.vectors(input_ids, attention_mask)
        conditioned = (means - model.centre) / model.spread
        return model.intent(conditioned), model.sentiment(conditioned), model.unit(means)


def understander(made: Bundle, pack: str, calibration: Mapping[str, float], out: Path) -> dict[str, Any]:
    """Write model.onnx, tokenizer.json and labels.json to `out`; what was checked."""
    pieces = made.tokens.get_vocab_size()

    def examples(batch: int, sequence: int) -> dict[str, npt.NDArray[np.int64]]:
        rng = np.random.default_rng(batch * 1000 + sequence)
        mask = np.ones((batch, sequence), np.int64)
        for row in range(1, batch):  # sentences of several lengths, as they run together
            mask[row, max(1, sequence - row % sequence) :] = 0
        return {"input_ids": rng.integers(4, pieces, (batch, sequence)), "attention_mask": mask}

    interface = Interface(
        ("input_ids", "attention_mask"),
        {name: {0: "batch"} for name in ("intent", "sentiment", "vector")},
        {0: ("batch", 1, 512), 1: ("sequence", 2, made.model.encoder.config.max_position_embeddings)},
    )
    difference = export(Outputs(made.model), interface, out / "model.onnx", examples, SHAPES)
    made.tokens.save(str(out / "tokenizer.json"), pretty=False)
    labels = {
        "pack": pack,
        "intents": list(made.meaning.intents),
        "polarities": list(made.meaning.polarities),
        "longest": made.meaning.longest,
        **{name: calibration[name] for name in ("temperature", "sentiment_temperature")},
    }
    (out / "labels.json").write_text(json.dumps(labels, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return {"difference": difference, "bytes": (out / "model.onnx").stat().st_size, "shapes": SHAPES}


def tagger(
    model: Tagger,
    numbers: Mapping[str, int],
    tags: tuple[str, ...],
    out: Path,
    folder: Path | None = None,
    pack: str = "",
) -> dict[str, Any]:
    """Write tagger.onnx, tagger.json and, from `folder`, words.json where it sees words; what was checked."""
    names = ("characters", "hints", *(("words",) if model.words is not None else ()))
    interface = Interface(names, {"emissions": {1: "sequence"}}, {1: ("sequence", 1, 512)})

    def examples(batch: int, sequence: int) -> dict[str, npt.NDArray[np.int64]]:
        rng = np.random.default_rng(sequence)
        shape = (batch, sequence)
        hints = rng.integers(0, len(tags), shape) if model.hints is not None else np.zeros(shape, np.int64)
        found = {"characters": rng.integers(1, len(numbers) + 2, shape), "hints": hints}
        if model.words is not None:
            found["words"] = rng.integers(0, model.words.num_embeddings, shape)
        return found

    difference = export(Emissions(model), interface, out / "tagger.onnx", examples, LENGTHS)
    if model.words is not None and folder is not None and folder != out:
        shutil.copyfile(folder / lend.FILE, out / lend.FILE)
    crf.describe(model, numbers, tags, out, pack)
    return {"difference": difference, "bytes": (out / "tagger.onnx").stat().st_size, "shapes": LENGTHS}
