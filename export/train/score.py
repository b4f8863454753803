"""What the understanding networks are judged by: accuracy in and out of scope, honest confidence, sentiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from appliance.language.lexicon import OUT_OF_SCOPE
from export.train import calibrate
from export.train.sentences import Sentence

Floats = npt.NDArray[np.floating]


class Reads(Protocol):
    """A network that is judged, with the names of its outputs."""

    @property
    def meaning(self) -> Any:
        """`intents` and `polarities`."""

    def read(self, texts: Sequence[str]) -> tuple[Any, Any, Any]:
        """Logits of intents and polarities, and vectors."""


def temperatures(network: Reads, dev: Sequence[Sentence]) -> dict[str, float]:
    """Temperatures of both heads, fitted on `dev`; 1 where nothing is labelled."""
    intents, polarities, _ = network.read([sentence.text for sentence in dev])
    found = {}
    for name, logits, numbers in (
        ("temperature", intents, _numbers([s.label for s in dev], network.meaning.intents)),
        ("sentiment_temperature", polarities, _numbers([s.polarity for s in dev], network.meaning.polarities)),
    ):
        known = numbers >= 0
        found[name] = round(calibrate.temperature(logits[known], numbers[known]), 4) if known.sum() >= 20 else 1.0
    return found


def _numbers(labels: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Numbers of labels; -1 for one that is not among the names."""
    known = {name: number for number, name in enumerate(names)}
    return np.array([known.get(label, -1) for label in labels], np.int64)


def intents(logits: Floats, names: Sequence[str], test: Sequence[Sentence], temperature: float = 1.0) -> dict[str, Any]:
    """Accuracy in scope, on its noisy and clean halves; AUROC of rejecting the rest; calibration error; curve."""
    numbers = _numbers([sentence.label for sentence in test], names)
    chances = calibrate.softmax(logits, temperature)
    labelled = np.array([bool(sentence.label) for sentence in test])
    outside = labelled & np.array([sentence.label == OUT_OF_SCOPE for sentence in test])
    inside = labelled & ~outside
    right = chances.argmax(-1) == numbers
    noisy = np.array([sentence.noisy for sentence in test])
    strange = names.index(OUT_OF_SCOPE) if OUT_OF_SCOPE in names else None
    kept = [number for number in range(len(names)) if number != strange]
    scores = chances[:, kept].max(-1)
    bins = calibrate.bins(chances[labelled & (numbers >= 0)], numbers[labelled & (numbers >= 0)])
    found: dict[str, Any] = {
        "accuracy": share(right, inside),
        "accuracy_noisy": share(right, inside & noisy),
        "accuracy_clean": share(right, inside & ~noisy),
        "ece": round(calibrate.expected_error(bins), 4),
        "count": int(inside.sum()),
    }
    if outside.any():
        found["auroc"] = round(calibrate.auroc(scores[inside], scores[outside]), 4)
        found["rejected"] = share(right, outside)
    return found


def sentiment(logits: Floats, names: Sequence[str], test: Sequence[Sentence]) -> dict[str, Any]:
    """Accuracy over all sentences with a polarity, and the mean over the polarities."""
    numbers = _numbers([sentence.polarity for sentence in test], names)
    known = numbers >= 0
    right = logits.argmax(-1) == numbers
    each = [right[numbers == number].mean() for number in range(len(names)) if (numbers == number).any()]
    return {"accuracy": share(right, known), "macro": round(float(np.mean(each)), 4), "count": int(known.sum())}


def share(right: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> float:
    """Share of `right` among those that count."""
    return round(float(right[among].mean()), 4) if among.any() else 0.0


def report(
    network: Reads, test: Sequence[Sentence], calibration: Mapping[str, float], out: Path | None = None
) -> dict[str, Any]:
    """All of it for one network; with `out` also confusion.png and reliability.png there."""
    intent_logits, sentiment_logits, _ = network.read([sentence.text for sentence in test])
    names, heat = network.meaning.intents, calibration["temperature"]
    found: dict[str, Any] = {}
    if any(sentence.label in names for sentence in test):
        found["intent"] = intents(intent_logits, names, test, heat)
        if out is not None:
            _draw(out, intent_logits, names, test, heat)
    if any(sentence.polarity for sentence in test):
        found["sentiment"] = sentiment(sentiment_logits, network.meaning.polarities, test)
    return found


def _draw(out: Path, logits: Floats, names: Sequence[str], test: Sequence[Sentence], heat: float) -> None:
    from export.train import plots

    numbers = _numbers([sentence.label for sentence in test], names)
    known = numbers >= 0
    plots.confusion(out / "confusion.png", names, numbers[known], logits[known].argmax(-1))
    curves = {
        f"temperature {value:.2f}": calibrate.bins(calibrate.softmax(logits[known], value), numbers[known])
        for value in (1.0, heat)
    }
    plots.reliability(out / "reliability.png", curves)
