"""Writes the trained recogniser into models/ctc-pinyin-zh: files, manifest with hashes, cases, picture and card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from appliance.app.derive import running
from appliance.artifacts.cases import load_cases
from appliance.artifacts.digest import sha256_of
from appliance.artifacts.manifest import load_manifest
from appliance.speech.ctc.accuracy import CHARACTER_ACCURACY, character_accuracy
from appliance.speech.ctc.bank import BANDS
from appliance.speech.ctc.stream import read_sizes
from appliance.values import Audio
from export.train.asr import card, evaluate, network, recipe
from export.train.asr.shards import Clip

MODEL = "ctc-pinyin-zh"
CASES = 4
"""Utterances of the model's cases in each condition."""
SLACK = 0.02
"""How much a derived file may score below the master on the cases."""
_SILENCE = 1e-2


def publish(work: Path, models: Path) -> Path:
    """Fill `models`/ctc-pinyin-zh from the stages' folders in `work`; its folder."""
    made, folder = work / "network", models / MODEL
    folder.mkdir(parents=True, exist_ok=True)
    for name in (network.FILE, network.BESIDE, recipe.SPELLING):
        shutil.copyfile(made / name, folder / name)
    shutil.copyfile(work / "acoustic" / "learning.png", folder / "learning.png")
    found = json.loads((work / "metrics.json").read_text("utf-8"))
    (folder / "metrics.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    _cases(work, folder / "cases")
    sizes = json.loads((made / network.BESIDE).read_text("utf-8"))
    units = len(json.loads((work / "text" / "units.json").read_text("utf-8")))
    said = manifest(folder, sizes, units, max(0.0, round(_score(folder, units) - SLACK, 3)))
    head = "# Written by export/train/asr/publish.py: change what trains it, not this file.\n"
    text = yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=120)
    (folder / "manifest.yaml").write_text(head + text, "utf-8")
    (folder / "card.md").write_text(card.text(work, folder), "utf-8")
    load_manifest(folder / "manifest.yaml")
    return folder


def _score(folder: Path, units: int) -> float:
    """What the file itself scores on the cases."""
    spec = evaluate.spec_of(read_sizes(folder / network.BESIDE), units)
    with running(spec, folder / network.FILE) as run:
        return character_accuracy(run, load_cases(folder / "cases"), folder)


def manifest(folder: Path, sizes: Mapping[str, Any], units: int, threshold: float) -> dict[str, Any]:
    """The manifest of the files in `folder`."""
    states = {
        "mel": [1, BANDS, sizes["front"][0]],
        "half": [1, sizes["width"], sizes["front"][1]],
        "past": [sizes["layers"], sizes["width"], sizes["past"]],
    }
    files = (network.FILE, network.BESIDE, recipe.SPELLING)
    return {
        "name": MODEL,
        "title": {
            "zh": "演示用流式普通话识别（合成语音训练）",
            "en": "Streaming Mandarin recognition for demos (synthetic)",
        },
        "kind": "asr",
        "install": "default",
        "licence": "Apache-2.0",
        "attribution": "Trained on the project's own sentences, spoken by espeak-ng; words, readings: pypinyin (MIT)",
        "page": "https://github.com/espeak-ng/espeak-ng",
        "files": [
            {
                "path": name,
                "size": (folder / name).stat().st_size,
                "sha256": sha256_of(folder / name),
                "sources": [{"shipped": name}],
            }
            for name in files
        ],
        "networks": {
            network.FILE: {
                "inputs": [
                    {"name": "features", "dtype": "float32", "shape": [1, "frames", BANDS]},
                    *({"name": name, "dtype": "float32", "shape": [*shape]} for name, shape in states.items()),
                ],
                "outputs": [
                    {"name": "logprobs", "dtype": "float32", "shape": [1, "steps", units]},
                    *(
                        {"name": f"next_{name}", "dtype": "float32", "shape": [*shape]}
                        for name, shape in states.items()
                    ),
                ],
                "profiles": [{key: {"frames": sizes["piece"]} for key in ("minimum", "optimum", "maximum")}],
                "precisions": ["fp32", "fp16", "int8"],
                "opset": 18,
                "gate": {"metric": CHARACTER_ACCURACY, "threshold": threshold},
                "derived": [
                    {"precision": "fp16", "recipe": "half", "backend": "onnxruntime-cuda"},
                    {"precision": "fp16", "recipe": "half", "backend": "tensorrt"},
                    {"precision": "int8", "recipe": "qdq", "backend": "tensorrt"},
                ],
            }
        },
    }


def _cases(work: Path, folder: Path) -> None:
    """A few test utterances of every condition, taken by number alone, not by how well they are heard."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    index = []
    for name in recipe.CONDITIONS:
        clips, sounds = evaluate.kept(work / "tests" / name)
        for number in range(0, len(clips), max(1, len(clips) // CASES)):
            path = folder / f"{name}-{number:04d}.wav"
            source = sorted((work / "tests" / name).glob("*.wav"))[number]
            shutil.copyfile(source, path)
            index.append(_case(path.name, clips[number], sounds[number]))
    (folder / "cases.json").write_text(json.dumps(index, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _case(name: str, clip: Clip, sound: Audio) -> dict[str, Any]:
    loud = np.flatnonzero(np.abs(sound.samples) > _SILENCE * np.abs(sound.samples).max())
    speech = [[round(float(loud[0]) / sound.rate, 2), round(float(loud[-1] + 1) / sound.rate, 2)]]
    truth = {"rate": sound.rate, "text": clip.text, "language": "zh", "speech": speech, "synthetic": True}
    return {"file": name, "kind": "utterance", "truth": truth, "licence": "Apache-2.0"}
