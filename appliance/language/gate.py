"""Task metrics of the language networks on a model's cases: what a file must reach before it may serve."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from appliance.errors import BackendFailed, ManifestInvalid
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.language.candidates import Candidate
from appliance.language.classify import Classifier, read_labels
from appliance.language.segment import Segmenter
from appliance.language.tagger import Tagger, read_alphabet
from appliance.language.tokenise import Tokeniser

INTENT_ACCURACY, MENTION_F1 = "intent_accuracy", "mention_f1"


@dataclass(frozen=True, slots=True)
class Sample:
    """A cleaned sentence of a model's cases with its truth."""

    text: str
    """The sentence."""
    label: str
    """Its intent."""
    spans: tuple[tuple[int, int, str], ...]
    """(start, end, type) of its mentions."""
    hints: tuple[tuple[int, int, str], ...]
    """What the pack's tables and patterns find in it."""


def samples(path: Path) -> Iterator[Sample]:
    """Samples of a JSONL file of text, label, spans and hints; raises ManifestInvalid."""
    try:
        lines = path.read_text("utf-8").split("\n")  # JSON may hold the other characters that end a line
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{path.name}: expected sentences as JSONL, got {type(error).__name__}") from error
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, 1):
        try:
            row = json.loads(line)
            spans, hints = (tuple((int(a), int(b), str(t)) for a, b, t in row[name]) for name in ("spans", "hints"))
            yield Sample(str(row["text"]), str(row["label"]), spans, hints)
        except (ValueError, KeyError, TypeError) as error:
            raise ManifestInvalid(
                f"{path.name}:{number}: expected text, label, spans and hints, got {type(error).__name__}: {error}"
            ) from error


def intent_accuracy(run: Run, folder: Path, cases: Sequence[Sample]) -> float:
    """Share of the sentences whose intent is right; tokenizer and labels lie in `folder`."""
    labels = read_labels(folder / "labels.json")
    classifier = Classifier(run, Tokeniser(folder / "tokenizer.json", labels.longest), labels)
    right = sum(classifier.read(case.text).intents[0].name == case.label for case in cases)
    return right / len(cases) if cases else 0.0


def mention_f1(run: Run, folder: Path, cases: Sequence[Sample]) -> float:
    """F1 of whole mentions with the right type; the alphabet lies in `folder`."""
    tagger = _tagger(run, folder)
    both = found = meant = 0
    for case in cases:
        hints = [Candidate(kind, start, end, case.text[start:end], 1.0) for start, end, kind in case.hints]
        guess = {(c.start, c.end, c.type) for c in tagger.find(case.text, hints)}
        both, found, meant = both + len(guess & set(case.spans)), found + len(guess), meant + len(case.spans)
    return 2 * both / (found + meant) if found + meant else 0.0


def sentences_in(folder: Path, cases: Sequence[Sample]) -> Iterator[Arrays]:
    """The cases as an encoder takes them, one by one."""
    tokeniser = Tokeniser(folder / "tokenizer.json", read_labels(folder / "labels.json").longest)
    for case in cases:
        yield tokeniser.encode(case.text)


def characters_in(folder: Path, cases: Sequence[Sample]) -> Iterator[Arrays]:
    """The cases as the tagger takes them, one by one."""
    longest = read_alphabet(folder / "tagger.json").longest
    tagger = _tagger(_none, folder)
    for case in cases:
        if case.text:
            hints = [Candidate(kind, start, end, case.text[start:end], 1.0) for start, end, kind in case.hints]
            yield tagger.inputs(case.text[:longest], hints)


def _tagger(run: Run, folder: Path) -> Tagger:
    """The tagger whose files lie in `folder`, for all its types."""
    alphabet = read_alphabet(folder / "tagger.json")
    types = {tag.partition("-")[2] for tag in alphabet.tags}
    words = folder / "words.json"
    return Tagger(run, alphabet, types, Segmenter(words) if words.is_file() else None)


def _none(inputs: Arrays, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
    raise BackendFailed("gate: expected inputs to be made, got a network to be run")


METRICS: Mapping[str, Callable[[Run, Path, Sequence[Sample]], float]] = {
    INTENT_ACCURACY: intent_accuracy,
    MENTION_F1: mention_f1,
}
"""Metrics by the names that manifests use."""
FEEDS: Mapping[str, Callable[[Path, Sequence[Sample]], Iterator[Arrays]]] = {
    INTENT_ACCURACY: sentences_in,
    MENTION_F1: characters_in,
}
"""What makes the inputs of the networks that these metrics are of; static quantisation is calibrated on them."""
