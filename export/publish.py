"""Writes the trained language networks into models/: files, manifests with hashes, cases, pictures and cards.

`python -m export.publish --work DIR [--models models]`, what `python -m export.train --publish` does in the end.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from appliance.app.derive import running
from appliance.app.words import ENTITIES, UNDERSTANDING
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.manifest import load_manifest
from appliance.artifacts.network import read_network
from appliance.artifacts.schema import Section
from appliance.language import gate
from appliance.packs.compile import load_pack
from export import cards
from export.train import corpus, crf
from export.train.entities.__main__ import hints_of
from export.train.sentences import Sentence

SLACK = 0.01
"""How much a derived file may score below the master on the cases."""
CASES = 400
"""Most sentences of a model's cases."""
PICTURES = ("confusion.png", "reliability.png", "learning.png")

Row = dict[str, Any]


def _network(model: str, labels: int, polarities: int, width: int, longest: int) -> Row:
    """The manifest's section of one network."""
    if model == UNDERSTANDING:
        return {
            "inputs": [
                {"name": "input_ids", "dtype": "int64", "shape": ["batch", "sequence"]},
                {"name": "attention_mask", "dtype": "int64", "shape": ["batch", "sequence"]},
            ],
            "outputs": [
                {"name": "intent", "dtype": "float32", "shape": ["batch", labels]},
                {"name": "sentiment", "dtype": "float32", "shape": ["batch", polarities]},
                {"name": "vector", "dtype": "float32", "shape": ["batch", width]},
            ],
            "profiles": [
                {
                    "minimum": {"batch": 1, "sequence": 2},
                    "optimum": {"batch": 1, "sequence": 32},
                    "maximum": {"batch": 32, "sequence": longest},
                }
            ],
        }
    return {
        "inputs": [
            {"name": "characters", "dtype": "int64", "shape": [1, "sequence"]},
            {"name": "hints", "dtype": "int64", "shape": [1, "sequence"]},
            {"name": "words", "dtype": "int64", "shape": [1, "sequence"]},
        ],
        "outputs": [{"name": "emissions", "dtype": "float32", "shape": [1, "sequence", labels]}],
        "profiles": [{"minimum": {"sequence": 1}, "optimum": {"sequence": 32}, "maximum": {"sequence": longest}}],
    }


def cases(found: Sequence[Sentence], hints: crf.Hints, folder: Path) -> Path:
    """Write dev sentences as cases/sentences.jsonl with cases.json; the JSONL file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sentences.jsonl"
    rows = [
        {
            "text": s.text,
            "label": s.label,
            "spans": [[span.start, span.end, span.type] for span in s.spans],
            "hints": [[span.start, span.end, span.type] for span in hints(s.text)],
        }
        for s in found[:: max(1, -(-len(found) // CASES))]
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    truth = {"count": len(rows)}
    index = [{"file": path.name, "kind": "sentences", "truth": truth, "licence": "Apache-2.0"}]
    (folder / "cases.json").write_text(json.dumps(index) + "\n", "utf-8")
    return path


def _manifest(model: str, folder: Path, network: Row, metric: str, sentences: Path) -> None:
    """Write manifest.yaml for the files in `folder`; the gate is what the master scores, less SLACK."""
    titles = {
        UNDERSTANDING: ("意图、情感与句向量", "Intent, sentiment and sentence vector"),
        ENTITIES: ("实体标注 BiLSTM-CRF", "Entity tagger BiLSTM-CRF"),
    }
    main = "model.onnx" if model == UNDERSTANDING else "tagger.onnx"
    files = [
        main,
        *(["tokenizer.json", "labels.json", "faq.json"] if model == UNDERSTANDING else ["tagger.json", "words.json"]),
    ]
    # An LSTM gains nothing by halves, and is slower in them where it runs at all.
    precisions = ["fp32", "fp16", "int8"] if model == UNDERSTANDING else ["fp32", "int8"]
    described = network | {"precisions": precisions, "opset": 18}
    spec = read_network(Section(described, folder / "manifest.yaml", main), f"{model}/{Path(main).stem}")
    samples = list(gate.samples(sentences))
    with running(spec, folder / main) as run:
        value = gate.METRICS[metric](run, folder, samples)
    described["gate"] = {"metric": metric, "threshold": round(value - SLACK, 3)}
    described["derived"] = [{"precision": "int8", "recipe": "dynamic", "backend": "onnxruntime-cpu"}]
    if model == UNDERSTANDING:  # an LSTM gains nothing by the others
        described["derived"] += [
            {"precision": "fp16", "recipe": "half", "backend": "onnxruntime-cuda"},
            {"precision": "fp16", "recipe": "half", "backend": "tensorrt"},
            {"precision": "int8", "recipe": "qdq", "backend": "tensorrt"},
        ]
    said = {
        "name": model,
        "title": dict(zip(("zh", "en"), titles[model], strict=True)),
        "kind": "language",
        "install": "default",
        "licence": "MIT" if model == UNDERSTANDING else "Apache-2.0",
        "attribution": cards.ATTRIBUTION[model],
        "page": cards.PAGE[model],
        "files": [
            {
                "path": name,
                "size": (folder / name).stat().st_size,
                "sha256": sha256_of(folder / name),
                "sources": [{"shipped": name}],
            }
            for name in files
        ],
        "networks": {main: described},
    }
    head = "# Written by export/publish.py: change what trains it, not this file.\n"
    text = yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=120)
    (folder / "manifest.yaml").write_text(head + text, "utf-8")
    load_manifest(folder / "manifest.yaml")


def publish(work: Path, models: Path, pack_name: str) -> None:
    """Fill `models`/understand-zh and `models`/entities-zh from the stages' folders in `work`."""
    pack = load_pack(pack_name)
    found = corpus.load(pack)
    hints = hints_of(pack, date(2026, 1, 1))
    made = work / "networks"
    labels = json.loads((made / "labels.json").read_text("utf-8"))
    tags = json.loads((made / "tagger.json").read_text("utf-8"))
    width = json.loads((work / "student" / "meaning.json").read_text("utf-8"))["encoder"]["hidden_size"]
    known = set(labels["intents"])
    plans = (
        (UNDERSTANDING, "student", ("model.onnx", "tokenizer.json", "labels.json", "faq.json")),
        (ENTITIES, "tagger", ("tagger.onnx", "tagger.json", "words.json")),
    )
    for model, stage, files in plans:
        folder = models / model
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copyfile(made / name, folder / name)
        for name in PICTURES:
            if (work / stage / name).is_file():
                shutil.copyfile(work / stage / name, folder / name)
        if model == UNDERSTANDING:
            chosen = [s for s in found.dev if s.label in known]
            network = _network(model, len(known), len(labels["polarities"]), width, labels["longest"])
            metric = gate.INTENT_ACCURACY
        else:
            chosen = [s for s in found.dev if s.spanned]
            network = _network(model, len(tags["tags"]), 0, 0, tags["longest"])
            metric = gate.MENTION_F1
        path = cases(chosen, hints, folder / "cases")
        _manifest(model, folder, network, metric, path)
        cards.write(model, folder, work)


def main() -> int:
    """Publish what was trained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("var/train"))
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--pack", default="store")
    asked = parser.parse_args()
    publish(asked.work, asked.models, asked.pack)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
