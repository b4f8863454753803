"""Trains the network that understands sentences: a teacher from a pretrained encoder, and the student it teaches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from export.train import bundle as bundles
from export.train import plots, score
from export.train.bundle import Bundle, Meaning
from export.train.encoder import tokenizer
from export.train.encoder.build import PREFIX
from export.train.fit import Schedule, fit
from export.train.material import UNANSWERED, Material, noisy
from export.train.model import IGNORED, Understander, Weights, load_encoder
from export.train.rows import LONGEST, Row, Variants, padded, row_of, row_of_question
from export.train.student import Lessons, Size, Taught, pieces, shrink, signals

TEACHER = Schedule(epochs=4, rate=1e-4, batch=32)
STUDENT = Schedule(epochs=10, rate=2e-4, batch=32, patience=10)
VERSIONS, NOISE = 3, 0.1
"""Versions of every sentence that the student sees, and the share of characters that is changed in the noisy ones."""

Reader = Callable[[str], list[int]]


def _rows(material: Material, meaning: Meaning, tokens: Any, as_: Mapping[str, str] | None = None) -> list[Row]:
    """Rows of everything that is learnt from; `as_` puts another version in place of each text."""
    intents = {name: number for number, name in enumerate(meaning.intents)}
    questions = {name: number for number, name in enumerate(meaning.questions)} | {UNANSWERED: len(meaning.questions)}
    rows = []
    for sentence in material.train:
        row = row_of(sentence, tokens, intents, prefix=meaning.prefix, longest=meaning.longest)
        row["input_ids"] = _ids(sentence.text, tokens, meaning, as_)
        rows.append(row)
    for question in material.questions:
        row = row_of_question(question, tokens, questions, prefix=meaning.prefix, longest=meaning.longest)
        row["input_ids"] = _ids(question.text, tokens, meaning, as_)
        rows.append(row)
    return rows


def _ids(text: str, tokens: Any, meaning: Meaning, as_: Mapping[str, str] | None) -> list[int]:
    ids: list[int] = tokens.encode(meaning.prefix + (as_[text] if as_ else text)).ids
    return ids if len(ids) <= meaning.longest else [*ids[: meaning.longest - 1], ids[-1]]


def _dev_rows(material: Material, meaning: Meaning, tokens: Any) -> list[Row]:
    intents = {name: number for number, name in enumerate(meaning.intents)}
    return [row_of(s, tokens, intents, prefix=meaning.prefix, longest=meaning.longest) for s in material.dev]


def _measure(seen: Any) -> dict[str, float]:
    """Accuracy of both heads on dev, and their mean weighted as the product weighs them."""
    intent_logits, sentiment_logits = (np.asarray(x) for x in seen.predictions[:2])
    labels = seen.label_ids
    found: dict[str, float] = {}
    for name, logits, truth in (("intent", intent_logits, labels[0]), ("sentiment", sentiment_logits, labels[1])):
        known = np.asarray(truth) != IGNORED
        if known.any():
            found[f"dev_{name}"] = float((logits[known].argmax(-1) == np.asarray(truth)[known]).mean())
    found["dev_score"] = found.get("dev_intent", 0.0) + 0.3 * found.get("dev_sentiment", 0.0)
    return found


def teach(encoder: Path, material: Material, out: Path, schedule: Schedule = TEACHER) -> Bundle:
    """Fine-tune the encoder in folder `encoder` on `material`; writes the bundle, its history and plots to `out`."""
    from tokenizers import Tokenizer

    torch.manual_seed(schedule.seed)
    tokens = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    meaning = Meaning(material.intents or ("none",), material.polarities, material.rows, _prefix(encoder), LONGEST)
    model = Understander(
        load_encoder(encoder), len(meaning.intents), len(meaning.polarities), len(meaning.questions), Weights()
    )
    rows = _rows(material, meaning, tokens)
    model.prepare(*_means(model, rows))
    for weights in (model.encoder.embeddings.word_embeddings.weight,):
        weights.requires_grad_(False)  # four epochs would teach the frequent pieces alone
    dev = _dev_rows(material, meaning, tokens)
    history = fit(model, rows, dev, out, schedule, _measure, ["intent", "polarity", "question"])
    taught = Bundle(model, tokens, meaning)
    _finish(taught, material, out, history)
    return taught


def _prefix(encoder: Path) -> str:
    """What the encoder expects before a text: known for the E5 family, nothing for others."""
    said = encoder / "source.json"
    return PREFIX if said.is_file() and "e5" in said.read_text("utf-8").lower() else ""


@torch.inference_mode()
def _means(model: Understander, rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Means of the token vectors of all rows as the encoder is now, and the rows' labels."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]["input_ids"]))
    found: list[Tensor] = [torch.empty(0)] * len(rows)
    for at in range(0, len(order), 64):
        numbers = order[at : at + 64]
        batch = padded([{"input_ids": rows[number]["input_ids"]} for number in numbers])
        means, _ = model.vectors(batch["input_ids"], batch["attention_mask"])
        for number, mean in zip(numbers, means, strict=True):
            found[number] = mean
    labels = (torch.tensor([row[name] for row in rows]) for name in ("intent", "polarity", "question"))
    return torch.stack(found).clone(), *labels  # type: ignore[return-value]


def distil(
    teacher: Bundle,
    material: Material,
    out: Path,
    size: Size = Size(),  # noqa: B008 - frozen
    schedule: Schedule = STUDENT,
    lessons: Lessons = Lessons(),  # noqa: B008 - frozen
    versions: int = VERSIONS,
    body: Path | None = None,
) -> Bundle:
    """Make a student of `teacher` and train it; writes the bundle, its history and plots to `out`.

    Its layers and pieces begin as those of the teacher, or as those of the encoder in folder `body`: any teacher can
    teach it then, whatever its width and tokenizer.
    """
    from tokenizers import Tokenizer

    torch.manual_seed(schedule.seed)
    texts = noisy(material, versions, NOISE, schedule.seed)
    theirs = teacher.tokens if body is None else Tokenizer.from_file(str(body / "tokenizer.json"))
    listed = pieces(theirs, (text for version in texts for text in version.values()), size.pieces)
    tokens = tokenizer.build(listed, precompiled=None)
    meaning = Meaning(
        teacher.meaning.intents, teacher.meaning.polarities, teacher.meaning.questions, "", size.positions
    )
    if body is None:
        student = shrink(teacher.model, theirs, tokens, size)
    else:
        heads = len(meaning.intents), len(meaning.polarities), len(meaning.questions)
        student = shrink(Understander(load_encoder(body), *heads, teacher.model.weights), theirs, tokens, size)
        student.prepare(*_means(student, _rows(material, meaning, tokens)))
    rows = _versions(teacher, material, meaning, tokens, texts, size, out)
    dev = _dev_rows(material, meaning, tokens)
    taught = Taught(student, lessons, teacher.model)
    history = fit(taught, rows, dev, out, schedule, _measure, ["intent", "polarity", "question"])
    student.fold_sounds()
    made = Bundle(student, tokens, meaning)
    _finish(made, material, out, history | {"size": asdict(size), "lessons": asdict(lessons)})
    return made


def _versions(
    teacher: Bundle,
    material: Material,
    meaning: Meaning,
    tokens: Any,
    texts: Sequence[Mapping[str, str]],
    size: Size,
    out: Path,
) -> Variants:
    """Every row in all its versions, each with what the teacher says of that very version."""
    kept = out / "signals.pt"
    if kept.is_file():  # a run that was killed had them already
        said = torch.load(kept, weights_only=False)
    else:
        said = [
            signals(teacher.model, _rows(material, teacher.meaning, teacher.tokens, version), size.layers)
            for version in texts
        ]
        out.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(".part")
        torch.save(said, part)
        part.replace(kept)
    columns = []
    for version, each in zip(texts, said, strict=True):
        rows = _rows(material, meaning, tokens, version)
        for row, (logits, means) in zip(rows, each, strict=True):
            row["teacher_logits"], row["teacher_means"] = logits, means
        columns.append(rows)
    return Variants(list(zip(*columns, strict=True)))


def _finish(made: Bundle, material: Material, out: Path, history: Mapping[str, Any]) -> None:
    """Save, calibrate on dev, draw."""
    bundles.save(made, out)
    (out / "signals.pt").unlink(missing_ok=True)
    temperatures = score.temperatures(made, material.dev)
    (out / "calibration.json").write_text(json.dumps(temperatures, indent=1) + "\n", "utf-8")
    (out / "training.json").write_text(json.dumps(history, indent=1, default=str) + "\n", "utf-8")
    plots.learning(out / "learning.png", history["log"])
