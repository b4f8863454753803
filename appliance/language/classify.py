"""What a network makes of a whole sentence: its intent, its sentiment and a vector, from one run of one encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.errors import BackendFailed, ModelCorrupt
from appliance.inference.backend import Run
from appliance.language.head import Head
from appliance.language.tokenise import Tokeniser
from appliance.values import Intent, Sentiment

Floats = npt.NDArray[np.float32]

AT_ONCE = 8
"""Sentences in one run when many are to be read: a turn may have to wait for one such run."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What the numbers of a network's outputs mean, and how far its confidence is to be believed."""

    pack: str
    """The pack whose intents it was trained on."""
    intents: tuple[str, ...]
    """Intents in the order of its logits."""
    polarities: tuple[str, ...]
    """Polarities in the order of its logits."""
    temperature: float
    """By which the intents' logits are divided."""
    sentiment_temperature: float
    """By which the polarities' logits are divided."""
    longest: int
    """Most pieces of a sentence."""


@dataclass(frozen=True, slots=True)
class Impression:
    """What the network makes of one sentence."""

    intents: tuple[Intent, ...]
    """Every intent with its calibrated probability, likeliest first."""
    sentiment: Sentiment
    """The likeliest polarity."""
    vector: Floats
    """The sentence vector, shape (width,), float32, length 1."""


def read_labels(path: Path) -> Labels:
    """Read labels.json; raises ModelCorrupt when it is not what it should be."""
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        labels = Labels(
            str(found["pack"]),
            _names(found["intents"]),
            _names(found["polarities"]),
            float(found["temperature"]),
            float(found["sentiment_temperature"]),
            int(found["longest"]),
        )
        if not (labels.temperature > 0 and labels.sentiment_temperature > 0 and labels.longest > 1):
            raise ValueError("temperatures above 0 and longest above 1 are needed")
        return labels
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ModelCorrupt(f"{path.name}: expected labels, got {type(error).__name__}: {error}") from error


def _names(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not found:
        raise TypeError(f"a list of names is needed, not {found!r:.40}")
    return tuple(map(str, found))


class Classifier:
    """Runs the encoder. Thread-safe. With a `head` it names that one's intents instead of the network's own."""

    def __init__(self, run: Run, tokeniser: Tokeniser, labels: Labels, head: Head | None = None) -> None:
        self._run, self._tokeniser, self.labels, self._head = run, tokeniser, labels, head

    @property
    def intents(self) -> tuple[str, ...]:
        """The intents that it tells apart."""
        return self._head.labels if self._head else self.labels.intents

    def with_head(self, head: Head) -> Classifier:
        """The same network naming the intents of `head`."""
        return Classifier(self._run, self._tokeniser, self.labels, head)

    def read(self, text: str, deadline: float | None = None) -> Impression:
        """What it makes of a cleaned text. Raises ApplianceError when the network fails."""
        outputs = self._run(self._tokeniser.encode(text), deadline=deadline)
        sizes = outputs["intent"].shape[-1], outputs["sentiment"].shape[-1]
        wanted = len(self.labels.intents), len(self.labels.polarities)
        if sizes != wanted or not all(np.isfinite(values).all() for values in outputs.values()):
            raise BackendFailed(f"classifier: expected {wanted} finite logits, got {sizes} or values not finite")
        vector = outputs["vector"][0]
        if self._head is None:
            chances = _softmax(outputs["intent"][0] / self.labels.temperature)
        else:
            chances = self._head.probabilities(vector[None])[0]
        order = np.argsort(-chances, kind="stable")
        intents = tuple(Intent(self.intents[index], round(float(chances[index]), 4)) for index in order)
        moods = _softmax(outputs["sentiment"][0] / self.labels.sentiment_temperature)
        best = int(moods.argmax())
        return Impression(intents, Sentiment(self.labels.polarities[best], round(float(moods[best]), 4)), vector)

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Sentence vectors of cleaned texts, shape (len(texts), width), float32; for start, not for turns."""
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        found: list[Floats] = [np.empty(0, np.float32)] * len(texts)
        for at in range(0, len(order), AT_ONCE):
            numbers = order[at : at + AT_ONCE]
            rows = self._run(self._tokeniser.batch([texts[number] for number in numbers]))["vector"]
            for number, row in zip(numbers, rows, strict=True):
                found[number] = row
        return np.stack(found) if found else np.empty((0, 0), np.float32)


def _softmax(logits: Floats) -> Floats:
    exponent = np.exp(logits - logits.max())
    found: Floats = exponent / exponent.sum()
    return found
