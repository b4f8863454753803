"""A trained network that understands sentences in a folder: weights, tokenizer, and what the numbers mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertConfig, BertModel

from export.train.model import Understander, Weights
from export.train.rows import padded

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Meaning:
    """What the numbers that go in and come out stand for."""

    intents: tuple[str, ...]
    """Intents in the order of the logits."""
    polarities: tuple[str, ...]
    """Polarities in the order of the logits."""
    questions: tuple[str, ...]
    """Ids of the frequent questions in the order of the prototypes."""
    prefix: str
    """What stands before every text."""
    longest: int
    """Most pieces of a text."""


@dataclass(frozen=True)
class Bundle:
    """A network with its tokenizer."""

    model: Understander
    """Weights."""
    tokens: Any
    """A `tokenizers.Tokenizer`."""
    meaning: Meaning
    """What its numbers stand for."""

    def ids(self, text: str) -> list[int]:
        """Numbers of a text's pieces, cut after `longest`."""
        ids: list[int] = self.tokens.encode(self.meaning.prefix + text).ids
        longest = self.meaning.longest
        return ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]

    @torch.inference_mode()
    def read(self, texts: Sequence[str]) -> tuple[Floats, Floats, Floats]:
        """Logits of intents (n, intents) and polarities (n, polarities), and vectors of length 1 (n, width)."""
        self.model.eval()
        rows = [{"input_ids": self.ids(text)} for text in texts]
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]["input_ids"]))
        device = next(self.model.parameters()).device
        found: list[tuple[Floats, Floats, Floats]] = [(np.empty(0, np.float32),) * 3] * len(rows)
        for at in range(0, len(order), 64):
            numbers = order[at : at + 64]
            batch = padded([rows[number] for number in numbers])
            means, _ = self.model.vectors(batch["input_ids"].to(device), batch["attention_mask"].to(device))
            intents, polarities, _ = self.model.heads(means)
            unit = self.model.unit(means)
            for place, number in enumerate(numbers):
                found[number] = tuple(x[place].float().cpu().numpy() for x in (intents, polarities, unit))  # type: ignore[assignment]
        intents_, polarities_, vectors = (np.stack(column) for column in zip(*found, strict=True))
        return intents_, polarities_, vectors


def save(bundle: Bundle, folder: Path) -> None:
    """Write model.pt, tokenizer.json and meaning.json."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle.model.cpu()
    torch.save(bundle.model.state_dict(), folder / "model.pt")
    bundle.tokens.save(str(folder / "tokenizer.json"))
    said = {
        **asdict(bundle.meaning),
        "weights": asdict(bundle.model.weights),
        "encoder": bundle.model.encoder.config.to_dict(),
    }
    (folder / "meaning.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", "utf-8")


def load(folder: Path) -> Bundle:
    """Read what `save` wrote."""
    from tokenizers import Tokenizer

    said = json.loads((folder / "meaning.json").read_text("utf-8"))
    state = torch.load(folder / "model.pt", weights_only=True)
    meaning = Meaning(
        tuple(said["intents"]),
        tuple(said["polarities"]),
        tuple(said["questions"]),
        str(said["prefix"]),
        int(said["longest"]),
    )
    encoder = BertModel(BertConfig.from_dict(said["encoder"]), add_pooling_layer=False)
    model = Understander(
        encoder,
        len(meaning.intents),
        len(meaning.polarities),
        len(meaning.questions),
        Weights(**said["weights"]),
        state.get("sound_of"),
    )
    model.load_state_dict(state)
    return Bundle(model.eval(), Tokenizer.from_file(str(folder / "tokenizer.json")), meaning)
