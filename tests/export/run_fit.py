"""Trains a tiny network through `fit`: `python run_fit.py OUT [STEP]`, which dies by SIGKILL in that step.

What became of it is OUT/weights.pt, and how many batches it took OUT/steps. Everything that could make two runs differ
is in it: dropout, versions of rows that change from epoch to epoch, batches in an order that is drawn, a learning rate
that rises and falls.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from export.train.fit import Schedule, fit
from export.train.model import Understander, Weights
from export.train.rows import Row, Variants

torch.set_num_threads(1)  # more wait for each other longer than so small a network computes

SCHEDULE = Schedule(epochs=4, batch=8, accumulate=2, rate=3e-3, patience=4)
ROWS, STEPS = 48, 6
"""Rows, and batches of an epoch."""


class Mortal(Understander):
    """A network that kills its process in the middle of a step."""

    dies_at, steps = 0, 0

    def forward(self, *arguments: Any, **named: Any) -> Any:
        self.steps += self.training
        if self.training and self.steps == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(*arguments, **named)


def network() -> Mortal:
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16,
    )  # fmt: skip
    return Mortal(BertModel(config, add_pooling_layer=False), 3, 3, 2, Weights())


def rows(count: int, seed: int) -> list[Row]:
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        intent, length = int(draw.integers(3)), int(draw.integers(3, 12))
        # The intent says which third of the pieces most of a sentence is made of.
        ids = [int(n) for n in np.where(draw.random(length) < 0.6, draw.integers(1, 13, length) + 12 * intent, 3)]
        found.append({"input_ids": ids, "intent": intent, "polarity": int(draw.integers(3)), "question": -100})
    return found


def accuracy(seen: Any) -> dict[str, float]:
    right = np.asarray(seen.predictions[0]).argmax(-1) == np.asarray(seen.label_ids[0])
    return {"dev_score": float(right.mean())}


def train(model: torch.nn.Module, out: Path, schedule: Schedule = SCHEDULE, measure: Any = accuracy) -> dict[str, Any]:
    versions = Variants(list(zip(rows(ROWS, 2), rows(ROWS, 3), strict=True)))
    return fit(model, versions, rows(30, 4), out, schedule, measure, ["intent", "polarity", "question"])


def main() -> None:
    out = Path(sys.argv[1])
    model = network()
    model.dies_at = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    train(model, out)
    torch.save(model.state_dict(), out / "weights.pt")
    (out / "steps").write_text(str(model.steps), "utf-8")


if __name__ == "__main__":
    main()
