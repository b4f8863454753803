"""Training by the Hugging Face Trainer: one place for its arguments, resuming, early stopping and the history."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments
from transformers.trainer_utils import EvalPrediction, get_last_checkpoint

from export.train import precision
from export.train.rows import Loader, Row, padded


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    epochs: int = 6
    """Most epochs."""
    batch: int = 32
    """Rows of a step on the device."""
    accumulate: int = 1
    """Steps whose gradients are added up before the weights move."""
    rate: float = 1e-4
    """Highest learning rate; it rises for a tenth of the steps and then falls to zero in a straight line."""
    decay: float = 0.01
    """Weight decay."""
    patience: int = 3
    """Epochs without a better dev metric after which training stops."""
    seed: int = 7
    """Seed of everything that is drawn."""
    metric: str = "dev_score"
    """Metric that decides which epoch is kept; higher is better."""
    best: bool = True
    """Keep the best epoch; False keeps the last one, where data are too few to tell epochs apart by."""
    half: bool = True
    """Multiply in half precision where the device is faster with it (`precision`)."""


class _Trainer(Trainer):
    """The Trainer over rows in length-sorted batches."""

    schedule: Schedule

    def get_train_dataloader(self) -> Any:
        """Batches that depend on seed and epoch alone."""
        schedule = self.schedule
        return Loader(self.train_dataset, schedule.batch, schedule.seed, self.data_collator)  # type: ignore[arg-type]


def fit(
    model: nn.Module,
    train: Sequence[Row],
    dev: Sequence[Row],
    out: Path,
    schedule: Schedule,
    measure: Callable[[EvalPrediction], Mapping[str, float]],
    label_names: Sequence[str],
    collate: Callable[[Sequence[Row]], Mapping[str, Any]] = padded,
) -> dict[str, Any]:
    """Train `model` in place, keep its best epoch (or its last, by the schedule), and return the history.

    Checkpoints of every epoch lie in `out/checkpoints`; a run that was killed goes on with the last whole one and ends
    as it would have. `history.json` in `out` says that it came to its end.
    """
    torch.manual_seed(schedule.seed)
    np.random.seed(schedule.seed)
    checkpoints = out / "checkpoints"
    last = _last_whole(checkpoints)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    arithmetic = precision.name(device) if schedule.half else "float32"
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=_epochs(last, schedule),
        per_device_train_batch_size=schedule.batch,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=schedule.accumulate,
        learning_rate=schedule.rate,
        weight_decay=schedule.decay,
        warmup_ratio=0.1,
        lr_scheduler_type="linear",
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=2,
        load_best_model_at_end=schedule.best,
        metric_for_best_model=schedule.metric,
        greater_is_better=True,
        label_names=list(label_names),
        remove_unused_columns=False,
        seed=schedule.seed,
        data_seed=schedule.seed,
        use_cpu=not torch.cuda.is_available(),
        fp16=arithmetic == "float16",
        bf16=arithmetic == "bfloat16",
        report_to=[],
        restore_callback_states_from_checkpoint=True,  # patience goes on where it was
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=not os.isatty(2),
        log_level="warning",
    )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=train,  # type: ignore[arg-type]
        eval_dataset=list(dev),  # type: ignore[arg-type]
        data_collator=collate,  # type: ignore[arg-type]
        compute_metrics=lambda seen: dict(measure(seen)),
        callbacks=[EarlyStoppingCallback(schedule.patience)] if schedule.best else [],
    )
    trainer.schedule = schedule
    trainer.train(resume_from_checkpoint=last)
    history = {
        "schedule": asdict(schedule),
        "arithmetic": arithmetic,
        "log": trainer.state.log_history,
        "best": trainer.state.best_metric,
    }
    (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", "utf-8")
    return history


def _epochs(last: str | None, schedule: Schedule) -> int:
    """Epochs of the whole training: those of a run that patience has ended are all there will be."""
    if last is None or not schedule.best:
        return schedule.epochs
    state = json.loads((Path(last) / "trainer_state.json").read_text("utf-8"))
    waited = state["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]["early_stopping_patience_counter"]
    return round(state["epoch"]) if waited >= schedule.patience else schedule.epochs


def _last_whole(checkpoints: Path) -> str | None:
    """The last checkpoint that was written to its end; one that a kill has cut off is removed."""
    for folder in checkpoints.glob("checkpoint-*"):
        if not (folder / "trainer_state.json").is_file():  # written last
            shutil.rmtree(folder)
    found: str | None = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    return found
