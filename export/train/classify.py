"""Trains a classifier of intents or sentiment on anybody's data: what both commands share.

The encoder is fine-tuned on the data (teacher), a student is distilled from it, both are evaluated where there is a
test part, and the student is exported to ONNX. The teacher may be any BERT that transformers loads (`--encoder PATH`),
a large one too; the student then begins as another encoder of its own size (`--body wheel`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.language.clean import Cleaner
from export import networks
from export.train import bundle, material, score, sentences, stages, understand
from export.train.encoder import __main__ as encoder
from export.train.encoder import build
from export.train.material import Material
from export.train.sentences import DataInvalid, Sentence
from export.train.student import Size


def read(folder: Path, task: str, extra: tuple[Path, ...]) -> tuple[Material, list[Sentence]]:
    """Training material for `task` (intent or sentiment) and test sentences, none where there is no such part."""
    found = material.of_folder(folder, extra)
    cleaner = Cleaner()
    try:
        test = [sentences.cleaned(s, cleaner) for s in sentences.load(folder, "test")]
    except DataInvalid:
        test = []
    if task == "sentiment":
        found = Material(material.as_sentiment(found.train), material.as_sentiment(found.dev))
        test = list(material.as_sentiment(test))
    material.need(found, task)
    return found, test


def run(task: str, description: str) -> int:
    """The command: `--data DIR --out DIR` and the rest."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoder", default="wheel", help="wheel, hub, a folder with a BERT, or one made before")
    parser.add_argument(
        "--body", help="the encoder that the student begins as, where --encoder is another kind of BERT"
    )
    parser.add_argument("--extra", type=Path, action="append", default=[])
    parser.add_argument("--epochs", type=int, default=understand.TEACHER.epochs, help="of the teacher")
    parser.add_argument("--student-epochs", type=int, default=understand.STUDENT.epochs)
    parser.add_argument("--layers", type=int, default=Size().layers, help="of the student")
    parser.add_argument("--seed", type=int, default=understand.TEACHER.seed)
    asked = parser.parse_args()
    try:
        found, test = read(asked.data, task, tuple(asked.extra))
    except (DataInvalid, OSError) as error:
        parser.error(str(error))
    fresh(asked.out, vars(asked), asked.data)
    began = time.monotonic()
    start = _encoder(asked.encoder, asked.out / "encoder", found)
    body = _encoder(asked.body, asked.out / "body", found) if asked.body else None
    if not build.lends(body or start):
        parser.error(f"{asked.encoder}: expected an encoder that a student can begin as; add --body wheel")
    teaching = replace(understand.TEACHER, epochs=asked.epochs, seed=asked.seed)
    studying = replace(understand.STUDENT, epochs=asked.student_epochs, seed=asked.seed)
    taught = _once(asked.out / "teacher", lambda out: understand.teach(start, found, out, teaching))
    size = Size(layers=asked.layers)
    student = _once(asked.out / "student", lambda out: understand.distil(taught, found, out, size, studying, body=body))
    calibration = {
        name: json.loads((asked.out / name / "calibration.json").read_text("utf-8")) for name in ("teacher", "student")
    }
    metrics: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1), "train": len(found.train)}
    metrics["export"] = networks.understander(student, asked.data.name, calibration["student"], asked.out)
    for name, made in (("teacher", taught), ("student", student)):
        metrics[name] = {"dev": score.report(made, found.dev, calibration[name])}
        if test:
            metrics[name]["test"] = score.report(made, test, calibration[name], asked.out / name)
    (asked.out / "metrics.json").write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(metrics, ensure_ascii=False, indent=1))
    return 0


def fresh(out: Path, asked: Mapping[str, object], data: Path) -> None:
    """Make `out`, and empty it of what other data or arguments have left there: only the same run goes on."""
    state = hashlib.sha256(json.dumps({name: str(value) for name, value in sorted(asked.items())}).encode())
    for path in stages.files_of(data):
        state.update(path.name.encode() + path.read_bytes())
    key = out / "run.json"
    said = json.dumps({"key": state.hexdigest()})
    if not key.is_file() or key.read_text("utf-8") != said:
        for name in ("teacher", "student", "encoder", "body", "checkpoints"):
            shutil.rmtree(out / name, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    key.write_text(said, "utf-8")


def _encoder(source: str, out: Path, found: Material) -> Path:
    """Folder of an encoder: one made before, or made now in `out`."""
    if (Path(source) / "source.json").is_file():
        return Path(source)
    if not (out / "source.json").is_file():
        encoder.make(out, source, found.texts, out.parent / "cache")
    return out


def _once(out: Path, make: Any) -> bundle.Bundle:
    """What `make` makes in `out`, or made there before: a command that was killed goes on."""
    if (out / "training.json").is_file():
        return bundle.load(out)
    made: bundle.Bundle = make(out)
    return made
