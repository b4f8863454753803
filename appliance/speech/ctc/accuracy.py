"""How many characters a streaming CTC recogniser gets right on a model's cases: the gate of its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from appliance.artifacts.cases import Case
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.speech.ctc.bank import Bank
from appliance.speech.ctc.stream import CtcStreaming, read_sizes
from appliance.speech.resample import to_16k
from appliance.speech.wav import decode
from appliance.values import Audio, Segment

CHARACTER_ACCURACY = "character_accuracy"


def character_accuracy(run: Run, cases: Sequence[Case], folder: Path) -> float:
    """1 less the character error rate on the `utterance` cases, not below 0: the gate of the network's files."""
    hears = CtcStreaming(run, folder, name="gate")
    wrong = said = 0
    for case in cases:
        if case.kind == "utterance":
            sound = _sound(case)
            heard = hears.transcribe(sound, (Segment(0.0, sound.seconds),)).text
            wrong, said = wrong + edits(str(case.truth["text"]), heard), said + len(str(case.truth["text"]))
    return max(0.0, 1 - wrong / said) if said else 0.0


def pieces_in(cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The `utterance` cases as the network takes them, piece by piece, each from states of zeros."""
    sizes = read_sizes(folder / "acoustic.json")
    for case in cases:
        if case.kind == "utterance":
            frames = Bank()(_sound(case).samples)
            for at in range(0, len(frames) - sizes.piece + 1, sizes.piece):
                yield {"features": np.stack(frames[at : at + sizes.piece])[None], **sizes.zeros()}


def edits(said: str, heard: str) -> int:
    """Edits of a character that make `heard` of `said` (Levenshtein 1966)."""
    row = list(range(len(heard) + 1))
    for line, mine in enumerate(said, 1):
        before, row[0] = row[0], line
        for column, theirs in enumerate(heard, 1):
            before, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, before + (mine != theirs))
    return row[-1]


def _sound(case: Case) -> Audio:
    return to_16k(decode(case.path.read_bytes(), max_seconds=60.0, max_bytes=1 << 24))


METRICS: Mapping[str, Callable[[Run, Sequence[Case], Path], float]] = {CHARACTER_ACCURACY: character_accuracy}
"""Metrics by the names that manifests use."""
FEEDS: Mapping[str, Callable[[Sequence[Case], Path], Iterator[Arrays]]] = {CHARACTER_ACCURACY: pieces_in}
"""What makes the inputs of the network that the metric is of."""
