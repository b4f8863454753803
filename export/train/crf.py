"""Rows for the tagger, its training by the Trainer, and F1 as seqeval counts it (whole mentions of the right type)."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from appliance.language.segment import Segmenter
from appliance.language.tagger import LEAST, mentions
from export.train.fit import Schedule, fit
from export.train.lend import Lexicon
from export.train.mentors import posteriors, said, unmarked
from export.train.noise import sound_numbers
from export.train.rows import Variants
from export.train.sentences import Sentence, Span
from export.train.tagger import OUTSIDE, UNKNOWN, Shape, Tagger, encoded, tag_batch, uniform
from export.train.vary import Varier

VERSIONS = 5
"""Versions of every sentence that a tagger sees where a Varier is given."""
LEASTS = tuple(round(0.3 + 0.05 * step, 2) for step in range(12))
"""Least probabilities of a mention that are tried; one of them may be chosen that has neighbours on both sides."""
SPARED = 0.01
"""F1 on dev that may be given for surer mentions: less than chance makes of so few sentences."""
LONGEST = 128
"""Characters of a sentence that the tagger reads when it runs."""

Hints = Callable[[str], Sequence[Span]]
"""What the tables and patterns find in a text."""


def no_hints(text: str) -> Sequence[Span]:
    """Where there are no tables."""
    return ()


def rows_of(
    sentences: Sequence[Sentence],
    numbers: Mapping[str, int],
    tags: Mapping[str, int],
    hints: Hints,
    longest: int = LONGEST,
    segmenter: Segmenter | None = None,
) -> list[dict[str, Any]]:
    """Numbers of characters, hints, words and tags of every sentence, cut after `longest` characters."""
    found = []
    for sentence in sentences:
        text = uniform(sentence.text)[:longest]
        found.append(
            {
                "input_ids": [numbers.get(character, UNKNOWN) for character in text],
                "hints": encoded(hints(sentence.text), len(sentence.text), tags)[:longest],
                "words": segmenter.words(sentence.text)[:longest].tolist() if segmenter else [0] * len(text),
                "tags": encoded(sentence.spans, len(sentence.text), tags)[:longest],
            }
        )
    return found


def decode(model: Tagger, rows: Sequence[dict[str, Any]], tags: Sequence[str], least: float = 0.0) -> list[list[str]]:
    """The best tags of every row, by Viterbi; a mention less probable than `least` is none, as in the appliance."""
    return [_sure(path, sure, least) for path, sure in _paths(model, rows, tags)]


def _sure(path: Sequence[str], sure: Sequence[float], least: float) -> list[str]:
    found = list(path)
    for start, end, _ in mentions(path):
        if min(sure[start:end]) < least:
            found[start:end] = [OUTSIDE] * (end - start)
    return found


def _paths(model: Tagger, rows: Sequence[dict[str, Any]], tags: Sequence[str]) -> list[tuple[list[str], list[float]]]:
    """The best tags of every row, and the posterior probability of each."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]["input_ids"]))
    found: list[tuple[list[str], list[float]]] = [([], [])] * len(rows)
    for at in range(0, len(order), 64):
        numbers = order[at : at + 64]
        batch = tag_batch([rows[number] for number in numbers])
        mask = batch["attention_mask"].bool()
        with torch.no_grad():
            emissions = model.packed(batch["input_ids"], batch["hints"], batch["words"], mask.sum(1))
            paths = model.crf.decode(emissions, mask)
        sure_of = posteriors(model, emissions, mask)
        for place, (number, path) in enumerate(zip(numbers, paths, strict=True)):
            sure = sure_of[place, torch.arange(len(path)), torch.tensor(path, dtype=torch.long)]
            found[number] = [tags[tag] for tag in path], sure.tolist()
    return found


def least_of(
    model: Tagger, rows: Sequence[dict[str, Any]], tags: Sequence[str], truth: Sequence[Sequence[str]]
) -> float:
    """The highest least probability of a mention that costs no more than SPARED of F1 on `rows`.

    A wrong mention becomes a wrong answer, a missing one a question. F1 is that of three neighbours together, for dev
    is small; where nothing differs it stays at LEAST.
    """
    paths = _paths(model, rows, tags)
    scores = [f1(truth, [_sure(path, sure, least) for path, sure in paths]) for least in LEASTS]
    smooth = {LEASTS[at]: sum(scores[at - 1 : at + 2]) / 3 for at in range(1, len(scores) - 1)}
    best = max(smooth.values())
    if best - min(smooth.values()) < 1e-6:
        return LEAST
    return max(least for least, score in smooth.items() if score >= best - SPARED)


def spans_of(tags: Sequence[str]) -> tuple[Span, ...]:
    """Mentions in BIO tags; an I- that continues nothing begins one, as seqeval takes it."""
    found: list[Span] = []
    for at, tag in enumerate(tags):
        if tag == "O":
            continue
        edge, kind = tag.split("-", 1)
        if edge == "I" and found and found[-1].end == at and found[-1].type == kind:
            found[-1] = Span(found[-1].start, at + 1, kind)
        else:
            found.append(Span(at, at + 1, kind))
    return tuple(found)


def f1(truth: Sequence[Sequence[str]], guess: Sequence[Sequence[str]]) -> float:
    """Micro-averaged F1 of whole mentions."""
    from seqeval.metrics import f1_score

    return float(f1_score([list(row) for row in truth], [list(row) for row in guess], zero_division=0))


def train(
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    numbers: Mapping[str, int],
    tags: Sequence[str],
    out: Path,
    shape: Shape,
    schedule: Schedule,
    hints: Hints = no_hints,
    varier: Varier | None = None,
    begin: Mapping[str, npt.NDArray[np.float32]] | None = None,
    lexicon: Lexicon | None = None,
    mentors: int = 0,
    further: Sequence[Sentence] = (),
) -> tuple[Tagger, list[dict[str, Any]]]:
    """Train a tagger; the best epoch by F1 on `dev` stays. Gives it and the trainer's log.

    With `varier` every epoch after the first sees variants of the sentences, VERSIONS in all. `begin` has vectors of
    characters to begin with, shape (shape.embedding,), `lexicon` words with vectors (words, shape.word). With `mentors`
    so many taggers of other seeds are trained before in `out`; their mean teaches this one, on `further` sentences
    that nobody has marked, too.
    """
    segmenter = lexicon.segmenter if lexicon else None
    tag_numbers = {tag: number for number, tag in enumerate(tags)}

    def rows(found: Sequence[Sentence]) -> list[dict[str, Any]]:
        return rows_of(found, numbers, tag_numbers, hints, segmenter=segmenter)

    def versions(found: Sequence[Sentence]) -> list[list[dict[str, Any]]]:
        again = VERSIONS - 1 if varier is not None else 0
        return [rows(found), *(rows([varier.of(s) for s in found]) for _ in range(again))]  # type: ignore[union-attr]

    marked = versions(train)
    dev_rows = rows(dev)

    def fitted(seen: list[list[dict[str, Any]]], folder: Path, seed: int) -> tuple[Tagger, list[dict[str, Any]]]:
        torch.manual_seed(seed)
        sounds = torch.tensor(sound_numbers(["", "", *numbers]))
        model = Tagger(len(numbers) + 2, len(tags), shape, sounds, len(lexicon.vectors) if lexicon else 0)
        if lexicon is not None and model.words is not None:
            model.words.weight.data.copy_(torch.from_numpy(lexicon.vectors))
        for character, vector in (begin or {}).items():
            if character in numbers:
                model.characters.weight.data[numbers[character]] = torch.from_numpy(vector)
        told = Variants(list(zip(*seen, strict=True)))
        named = replace(schedule, seed=seed)
        history = fit(model, told, dev_rows, folder, named, _measure(model, tags), ["tags"], collate=tag_batch)
        model.cpu().fold_sounds()
        return model, history["log"]

    if not mentors:
        return fitted(marked, out, schedule.seed)
    taught = [fitted(marked, out / f"mentor-{n}", schedule.seed * 100 + n)[0] for n in range(1, mentors + 1)]
    further = [sentence for sentence in further if sentence.text]
    seen = [one + unmarked(more) for one, more in zip(marked, versions(further), strict=True)]
    for version in seen:
        for row, opinion in zip(version, said(taught, version), strict=True):
            row["said"] = opinion
    return fitted(seen, out, schedule.seed)


def _measure(model: Tagger, tags: Sequence[str]) -> Callable[[Any], dict[str, float]]:
    def measure(seen: Any) -> dict[str, float]:
        emissions = np.asarray(seen.predictions)
        labels = np.asarray(seen.label_ids)
        known = torch.from_numpy(labels >= 0)
        paths = copy.deepcopy(model.crf).cpu().decode(torch.from_numpy(emissions), known)
        guess = [[tags[tag] for tag in path] for path in paths]
        truth = [[tags[tag] for tag in row[row >= 0]] for row in labels]
        return {"dev_score": f1(truth, guess)}

    return measure


def save(model: Tagger, numbers: Mapping[str, int], tags: Sequence[str], folder: Path) -> None:
    """Write weights (tagger.pt), and characters, tags and transitions (tagger.json, as the appliance reads it)."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), folder / "tagger.pt")
    describe(model, numbers, tags, folder)


def describe(model: Tagger, numbers: Mapping[str, int], tags: Sequence[str], folder: Path, pack: str = "") -> None:
    """Write tagger.json; `pack` is the one whose tables gave hints."""
    described = {
        "pack": pack,
        "shape": asdict(model.shape),
        "words": model.words.num_embeddings if model.words is not None else 0,
        "longest": LONGEST,
        "least": model.least,
        "characters": "".join(numbers),
        "tags": list(tags),
        "begin": _rounded(model.crf.start_transitions),
        "end": _rounded(model.crf.end_transitions),
        "transitions": _rounded(model.crf.transitions),
    }
    (folder / "tagger.json").write_text(json.dumps(described, ensure_ascii=False) + "\n", "utf-8")


def _rounded(values: torch.Tensor) -> list[Any]:
    found: list[Any] = np.round(values.detach().numpy().astype(np.float64), 5).tolist()
    return found


def load(folder: Path) -> tuple[Tagger, dict[str, int], tuple[str, ...]]:
    """What `save` wrote: the tagger, its characters, its tags."""
    described = json.loads((folder / "tagger.json").read_text("utf-8"))
    numbers = {character: number for number, character in enumerate(described["characters"], 2)}
    tags = tuple(described["tags"])
    model = Tagger(len(numbers) + 2, len(tags), Shape(**described["shape"]), words=described["words"])
    model.load_state_dict(torch.load(folder / "tagger.pt", weights_only=True))
    model.least = float(described.get("least", LEAST))
    return model.eval(), numbers, tags


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write metrics.json."""
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", "utf-8")
