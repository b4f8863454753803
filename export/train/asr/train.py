"""Trains the acoustic model by CTC (Graves et al. 2006): batches of clips of like length, checkpoints, resuming.

A run that was killed goes on with its last checkpoint, and draws what it would have drawn: batches, masks and dropout
depend on the seed and the number of the epoch.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from appliance.speech.ctc.bank import BANDS, SILENCE
from appliance.speech.ctc.stream import STRIDE
from export.train import precision
from export.train.asr import distort, units
from export.train.asr.model import Acoustic, Shape
from export.train.asr.shards import Clip

CHECKPOINT = "checkpoint.pt"

Blocks = Sequence[npt.NDArray[np.float16]]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train."""

    epochs: int = 8
    """Times that every clip is heard."""
    seconds: float = 60.0
    """Most sound of a batch, padding included."""
    rate: float = 2e-3
    """Highest learning rate; it rises for `warm` of the steps and then falls to nothing as a cosine."""
    warm: float = 0.08
    """Share of the steps in which the rate rises."""
    decay: float = 1e-2
    """Weight decay."""
    flat: float = 0.2
    """Share of the steps in which the network is also told about where each unit lies, less and less.

    CTC alone begins with nothing but blanks, and takes thousands of steps to find that there is more."""
    clip: float = 5.0
    """Largest norm of a gradient."""
    every: int = 200
    """Steps between two checkpoints."""
    seed: int = 7
    """Seed of everything that is drawn."""


@dataclass(frozen=True)
class Row:
    """A clip as the network learns from it."""

    features: npt.NDArray[np.float16]
    """Frames, (frames, BANDS)."""
    labels: tuple[int, ...]
    """Units."""
    middles: tuple[int, ...] = ()
    """Frame in which about the middle of each lies; empty where nobody knows."""


def rows_of(clips: Sequence[Clip], blocks: Blocks, names: Sequence[str]) -> list[Row]:
    """Rows of clips whose every unit is known and that are long enough for their labels."""
    numbers = {name: number for number, name in enumerate(names)}
    found = []
    for clip, block in zip(clips, blocks, strict=True):
        labels = [numbers.get(unit, -1) for _, unit in units.read(clip.text)]
        repeats = sum(a == b for a, b in itertools.pairwise(labels))
        if labels and min(labels) > 0 and len(block) // STRIDE >= len(labels) + repeats:
            found.append(Row(block, tuple(labels), clip.middles if len(clip.middles) == len(labels) else ()))
    return found


def batches(rows: Sequence[Row], schedule: Schedule, epoch: int) -> list[list[int]]:
    """Numbers of rows of like length; the first epoch goes from short to long ones, later ones in any order."""
    draw = np.random.default_rng([schedule.seed, epoch])
    lengths = np.array([len(row.features) for row in rows])
    # A little noise on the lengths, so that not the same clips meet in every epoch.
    order = np.argsort(lengths * draw.uniform(0.95, 1.05, len(rows)), kind="stable")
    found: list[list[int]] = []
    batch: list[int] = []
    for number in order.tolist():
        longest = max(lengths[number], *(lengths[one] for one in batch)) if batch else lengths[number]
        if batch and longest * (len(batch) + 1) > schedule.seconds * 100:
            found.append(batch)
            batch = []
        batch.append(number)
    found.append(batch)
    if epoch:
        draw.shuffle(found)
    return found


def collate(rows: Sequence[Row], delay: int, mask: Callable[[npt.NDArray[np.float32]], None] | None = None) -> Any:
    """Features (batch, 4 n, BANDS), lengths in steps, labels behind each other, their counts, and where they lie.

    The last is (which row, at which step, which unit), each (k,), of labels whose middle is known. Behind each clip
    stands digital silence for the steps by which the network is late, as a stream ends, too.
    """
    steps = [-(-len(row.features) // STRIDE) + delay for row in rows]
    features = np.broadcast_to(SILENCE, (len(rows), max(steps) * STRIDE, BANDS)).copy()
    for number, row in enumerate(rows):
        sound = features[number, : len(row.features)]
        sound[:] = row.features
        if mask is not None:
            mask(sound)
    labels = torch.tensor([label for row in rows for label in row.labels])
    counts = torch.tensor([len(row.labels) for row in rows])
    known = [
        (number, middle // STRIDE + delay, label)
        for number, row in enumerate(rows)
        for middle, label in zip(row.middles, row.labels, strict=bool(row.middles))
    ]
    places = torch.tensor(known, dtype=torch.int64).reshape(-1, 3)
    return torch.from_numpy(features), torch.tensor(steps), labels, counts, places


def statistics(rows: Sequence[Row], most: int = 2000) -> tuple[Tensor, Tensor]:
    """Mean and one over the standard deviation of every band, over about `most` rows."""
    picked = [np.asarray(row.features, np.float32) for row in rows[:: max(1, len(rows) // most)]]
    joined = np.concatenate(picked)
    return torch.from_numpy(joined.mean(0)), torch.from_numpy(1 / np.maximum(joined.std(0), 0.1))


def loss_of(model: Acoustic, batch: Any, device: torch.device, flat: float = 0.0) -> Tensor:
    """Mean CTC loss a unit, and `flat` times the cross entropy of the units at their supposed middles.

    In half precision where the device is faster with it.
    """
    features, steps, labels, counts, places = batch
    with precision.fastest(device):
        logits = model(features.to(device))
    skipped = logits[:, model.shape.delay :]  # what comes before the first frame has come through says nothing
    scores = skipped.float().log_softmax(2).transpose(0, 1)
    each = nn.functional.ctc_loss(
        scores, labels.to(device), steps - model.shape.delay, counts, reduction="none", zero_infinity=True
    )
    loss = each.sum() / counts.sum()
    if flat and len(places):
        row, step, unit = places.to(device).T
        loss = loss + flat * nn.functional.cross_entropy(logits[row, step].float(), unit)
    return loss


def fit(
    shape: Shape,
    names: Sequence[str],
    train: Sequence[Row],
    dev: Sequence[Row],
    out: Path,
    schedule: Schedule,
    measure: Callable[[Acoustic], dict[str, float]],
) -> Acoustic:
    """Train a network, write it to `out`/acoustic.pt with history.json, and return it.

    `measure` is called after each epoch; what it says stands in the history.
    """
    torch.manual_seed(schedule.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Acoustic(shape, torch.from_numpy(units.parts(names))).to(device)
    mean, scale = statistics(train)
    model.mean.copy_(mean)
    model.scale.copy_(scale)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.rate, weight_decay=schedule.decay, betas=(0.9, 0.98))
    counts = [len(batches(train, schedule, epoch)) for epoch in range(schedule.epochs)]
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, schedule.rate, total_steps=sum(counts) + 1, pct_start=schedule.warm, cycle_momentum=False
    )
    scaler = torch.amp.GradScaler("cuda", enabled=device.type == "cuda")
    state = _resumed(out / CHECKPOINT, model, optimiser, plan, scaler)
    epoch, begun, log = state["epoch"], state["step"], state["log"]
    while epoch < schedule.epochs:
        model.train()
        before = sum(counts[:epoch])
        began, total, seen = time.monotonic(), state["total"], state["seen"]
        for step, batch in _steps(train, schedule, epoch, begun, shape.delay, mean.numpy()):
            optimiser.zero_grad(set_to_none=True)
            flat = max(0.0, 1 - (before + step) / max(1.0, schedule.flat * sum(counts)))
            loss = loss_of(model, batch, device, flat)
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            scaler.step(optimiser)
            scaler.update()
            plan.step()
            total, seen = total + float(loss.detach()), seen + 1
            _bar(epoch, schedule.epochs, step + 1, counts[epoch], total / seen, began, step + 1 - begun)
            if (step + 1) % schedule.every == 0:
                here = {"epoch": epoch, "step": step + 1, "log": log, "total": total, "seen": seen}
                _save(out / CHECKPOINT, model, optimiser, plan, scaler, here)
        log.append(
            {"epoch": epoch + 1, "loss": total / max(seen, 1)}
            | {"eval_loss": dev_loss(model, dev, schedule, device)}
            | {f"eval_dev_{name}": value for name, value in measure(model).items()}
        )
        print(json.dumps(log[-1]), flush=True)
        epoch, begun = epoch + 1, 0
        state = {"epoch": epoch, "step": 0, "log": log, "total": 0.0, "seen": 0}
        _save(out / CHECKPOINT, model, optimiser, plan, scaler, state)
    model.cpu().eval()
    save(model, names, out)
    history = {"schedule": asdict(schedule), "arithmetic": precision.name(device), "log": log}
    (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", "utf-8")
    return model


def _steps(
    train: Sequence[Row], schedule: Schedule, epoch: int, begun: int, delay: int, fill: npt.NDArray[np.float32]
) -> Iterator[tuple[int, Any]]:
    """Batches of an epoch from step `begun` on, masked."""
    for step, numbers in enumerate(batches(train, schedule, epoch)):
        if step >= begun:
            draw = np.random.default_rng([schedule.seed, epoch, step])
            torch.manual_seed(int(draw.integers(1 << 31)))
            rows = [train[number] for number in numbers]
            yield step, collate(rows, delay, lambda sound, draw=draw: distort.masked(sound, draw, fill))  # type: ignore[misc]


@torch.inference_mode()
def dev_loss(model: Acoustic, dev: Sequence[Row], schedule: Schedule, device: torch.device) -> float:
    """Mean CTC loss a unit over `dev`."""
    model.eval()
    losses = [
        float(loss_of(model, collate([dev[number] for number in numbers], model.shape.delay), device))
        for numbers in batches(dev, schedule, 0)
    ]
    return sum(losses) / len(losses) if losses else 0.0


def save(model: Acoustic, names: Sequence[str], out: Path) -> None:
    """Write acoustic.pt: weights, sizes and units."""
    found = {"state": model.state_dict(), "shape": asdict(model.shape), "units": list(names)}
    part = out / "acoustic.part"
    torch.save(found, part)
    part.replace(out / "acoustic.pt")


def load(folder: Path) -> tuple[Acoustic, tuple[str, ...]]:
    """The network that `save` wrote, and its units."""
    found = torch.load(folder / "acoustic.pt", weights_only=True)
    model = Acoustic(Shape(**found["shape"]), found["state"]["parts"])
    model.load_state_dict(found["state"])
    return model.eval(), tuple(found["units"])


def _save(path: Path, model: nn.Module, optimiser: Any, plan: Any, scaler: Any, state: dict[str, Any]) -> None:
    found = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "plan": plan.state_dict()}
    part = path.with_suffix(".part")
    torch.save(found | {"scaler": scaler.state_dict(), "state": state}, part)
    part.replace(path)


def _resumed(path: Path, model: nn.Module, optimiser: Any, plan: Any, scaler: Any) -> dict[str, Any]:
    """Where an earlier run had come to; its state is put in place."""
    if not path.is_file():
        return {"epoch": 0, "step": 0, "log": [], "total": 0.0, "seen": 0}
    found = torch.load(path, weights_only=False)
    model.load_state_dict(found["model"])
    optimiser.load_state_dict(found["optimiser"])
    plan.load_state_dict(found["plan"])
    scaler.load_state_dict(found["scaler"])
    state: dict[str, Any] = found["state"]
    return state


def _bar(epoch: int, epochs: int, step: int, steps: int, loss: float, began: float, done: int) -> None:
    """How far it has come: a line that changes on a terminal, one in a hundred steps elsewhere."""
    live = os.isatty(1)
    if not live and step % 100 and step != steps:
        return
    left = (time.monotonic() - began) / max(done, 1) * (steps - step)
    filled = "#" * (24 * step // steps)
    print(
        f"{chr(13) if live else ''}epoch {epoch + 1}/{epochs} [{filled:<24}] {step}/{steps} loss {loss:.3f} "
        f"{left / 60:.1f} min left",
        end="" if live and step < steps else "\n",
        flush=True,
    )
