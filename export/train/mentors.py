"""What several taggers say together of a sentence: their mean teaches another one, which then knows what all do.

Taggers that differ in their seed alone err at different places. A tagger that learns from their mean beside the marks,
on marked and on unmarked text, keeps a part of what a vote of all would win (Hinton et al. 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.train.model import IGNORED
from export.train.tagger import Tagger, tag_batch

Halves = npt.NDArray[np.float16]


def posteriors(model: Tagger, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Probability of every tag at every place given the whole sentence, (batch, sequence, tags), 0 behind the end."""
    mask = batch["attention_mask"].bool()
    emissions = model.packed(batch["input_ids"], batch["hints"], batch["words"], mask.sum(1)).detach()
    emissions.requires_grad_(True)
    none = torch.zeros_like(batch["input_ids"])
    # The gradient of log Z is the posterior: that of any sequence's likelihood lacks only the sequence itself.
    with torch.enable_grad():
        (-model.crf(emissions, none, mask=mask, reduction="sum")).backward()  # type: ignore[no-untyped-call]
    assert emissions.grad is not None
    found = emissions.grad
    found[..., 0] += 1.0
    return found * mask.unsqueeze(-1)


def said(models: Sequence[Tagger], rows: Sequence[dict[str, Any]]) -> list[Halves]:
    """The mean of what `models` say of every row, each (length, tags) float16."""
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]["input_ids"]))
    found: list[Halves] = [np.empty((0, 0), np.float16)] * len(rows)
    for model in models:
        model.eval()
    for at in range(0, len(order), 128):
        numbers = order[at : at + 128]
        batch = tag_batch([rows[number] for number in numbers])
        mean = torch.stack([posteriors(model, batch) for model in models]).mean(0).numpy().astype(np.float16)
        for place, number in enumerate(numbers):
            found[number] = mean[place, : len(rows[number]["input_ids"])]
    return found


def unmarked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their tags: nobody has marked them, or nobody is to know."""
    return [{**row, "tags": [IGNORED] * len(row["tags"])} for row in rows]
