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


def posteriors(model: Tagger, emissions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Probability of every tag at every place given the whole sentence, as `emissions`, 0 where `mask` is False."""
    scores = emissions.detach().clone().requires_grad_(True)
    none = torch.zeros(mask.shape, dtype=torch.long, device=mask.device)
    # The gradient of log Z is the posterior: that of any sequence's likelihood lacks only the sequence itself.
    with torch.enable_grad():
        cost = -model.crf(scores, none, mask=mask, reduction="sum")
    (found,) = torch.autograd.grad(cost, scores)
    found = found.clone()
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
        mask = batch["attention_mask"].bool()
        with torch.no_grad():
            each = [model.packed(batch["input_ids"], batch["hints"], batch["words"], mask.sum(1)) for model in models]
        opinions = [posteriors(model, emissions, mask) for model, emissions in zip(models, each, strict=True)]
        mean = torch.stack(opinions).mean(0).numpy().astype(np.float16)
        for place, number in enumerate(numbers):
            found[number] = mean[place, : len(rows[number]["input_ids"])]
    return found


def unmarked(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their tags: nobody has marked them, or nobody is to know."""
    return [{**row, "tags": [IGNORED] * len(row["tags"])} for row in rows]
