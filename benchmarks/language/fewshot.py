"""Fifty labels: `python -m benchmarks.language.fewshot [--draws N] [--check]`.

Ten intents of the pack with five training sentences each are drawn N times; accuracy is that on all test sentences of
these intents. Four ways: the head that a running appliance fits (numpy) on the shipped student's int8 vectors, the same
head on the teacher's vectors, and prompt tuning (Lester et al. 2021, by PEFT) of the encoder beneath, for both. Teacher
and student have been trained on the pack's intents: what the student reaches on intents that it does not know is
measured beside, on xSID's intents of which there are enough sentences, where --data names the folder.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from appliance.app.words import UNDERSTANDING
from appliance.artifacts.manifest import load_manifest
from appliance.language.clean import Cleaner
from appliance.language.head import fit
from appliance.language.lexicon import OUT_OF_SCOPE
from benchmarks.language import public
from benchmarks.language.variants import Onnx, int8_of
from benchmarks.machine import describe
from export.train import bundle, corpus, precision, sentences
from export.train.rows import padded
from export.train.sentences import Sentence

MODELS = Path(__file__).parent.parent.parent / "models"
CLASSES, EACH, DRAWS, SEED = 10, 5, 20, 7
MEAN, WORST = 0.85, 0.80
"""Limits of the head that a running appliance fits."""
VIRTUAL, STEPS, RATE = 8, 40, 0.02
"""Prompt tuning: pieces of the prompt, steps on all fifty sentences, learning rate."""

Floats = npt.NDArray[np.float32]


def drawn(train: Sequence[Sentence], names: Sequence[str], seed: int) -> tuple[list[str], list[Sentence]]:
    """CLASSES intents, and EACH sentences of every one."""
    rng = random.Random(seed)
    chosen = sorted(rng.sample(list(names), CLASSES))
    found = [s for name in chosen for s in rng.sample([t for t in train if t.label == name], EACH)]
    return chosen, found


def by_head(vectors: dict[str, Floats], shots: Sequence[Sentence], test: Sequence[Sentence]) -> float:
    """Accuracy of the appliance's own head; `vectors` has those of all texts."""
    head = fit(np.stack([vectors[s.text] for s in shots]), [s.label for s in shots])
    guess = head.probabilities(np.stack([vectors[s.text] for s in test])).argmax(1)
    return float(np.mean([head.labels[g] == s.label for g, s in zip(guess, test, strict=True)]))


def by_prompt(made: bundle.Bundle, shots: Sequence[Sentence], test: Sequence[Sentence], seed: int) -> float:
    """Accuracy of prompt tuning: the encoder stays as it is, a prompt before the text and a linear head are learnt."""
    from peft import PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model

    torch.manual_seed(seed)
    names = sorted({s.label for s in shots})
    encoder = copy.deepcopy(made.model.encoder)
    config = PromptTuningConfig(
        task_type=TaskType.FEATURE_EXTRACTION,
        num_virtual_tokens=VIRTUAL,
        prompt_tuning_init=PromptTuningInit.RANDOM,
        token_dim=encoder.config.hidden_size,
        num_layers=encoder.config.num_hidden_layers,
        num_attention_heads=encoder.config.num_attention_heads,
    )
    tuned = get_peft_model(encoder, config)
    head = torch.nn.Linear(encoder.config.hidden_size, len(names))
    longest = min(made.meaning.longest, encoder.config.max_position_embeddings - VIRTUAL)

    def vectors(part: Sequence[Sentence]) -> torch.Tensor:
        batch = padded([{"input_ids": made.ids(s.text)[:longest]} for s in part])
        with precision.fastest(torch.device("cpu")):
            hidden = tuned(**batch).last_hidden_state[:, VIRTUAL:].float()
        mask = batch["attention_mask"].unsqueeze(-1)
        means = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize((means - made.model.centre) / made.model.spread, dim=-1) * 8

    weights = [p for p in tuned.parameters() if p.requires_grad] + list(head.parameters())
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    truth = torch.tensor([names.index(s.label) for s in shots])
    tuned.train()
    for _ in range(STEPS):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(head(vectors(shots)), truth).backward()
        optimiser.step()
    tuned.eval()
    right = 0
    with torch.inference_mode():
        for at in range(0, len(test), 64):
            part = test[at : at + 64]
            guess = head(vectors(part)).argmax(1).tolist()
            right += sum(names[g] == s.label for g, s in zip(guess, part, strict=True))
    return right / len(test)


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean and worst."""
    return {"mean": round(float(np.mean(values)), 4), "worst": round(min(values), 4), "draws": len(values)}


def main() -> int:
    """Measure, print, check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("var/train"))
    parser.add_argument("--data", type=Path, help="folder with xsid_zh/")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--prompt-draws", type=int, help="draws of prompt tuning (default: --draws)")
    parser.add_argument("--head-only", action="store_true", help="only what needs no `make models` before")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    cleaner = Cleaner()
    train, test = (
        [sentences.cleaned(s, cleaner) for s in sentences.load(corpus.DATA, part)] for part in ("train", "test")
    )
    train, test = ([s for s in part if s.label and s.label != OUT_OF_SCOPE] for part in (train, test))
    spec = load_manifest(MODELS / UNDERSTANDING / "manifest.yaml").networks["model.onnx"]
    with tempfile.TemporaryDirectory() as folder:
        student = Onnx(spec, int8_of(MODELS / UNDERSTANDING / "model.onnx", Path(folder)), MODELS / UNDERSTANDING)
        result = {"student int8 + head": heads(student, train, test, asked.draws)}
        if not asked.head_only:
            result |= beside(asked.work, train, test, asked.draws, asked.prompt_draws or asked.draws)
        if asked.data:
            parts = (public.xsid(asked.data / "xsid_zh", part) for part in ("valid", "test"))
            unseen = [[sentences.cleaned(s, cleaner) for s in part] for part in parts]
            result["student int8 + head, xSID (unseen intents)"] = heads(student, *unseen, asked.draws)
    result["machine"] = describe()
    print(json.dumps(result, indent=1, ensure_ascii=False))
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    own = result["student int8 + head"]
    lines = [f"{name}: expected at least {limit}, got {own[name]}" for name, limit in (("mean", MEAN), ("worst", WORST))
             if own[name] < limit] if asked.check else []  # fmt: skip
    for line in lines:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if lines else 0


def heads(network: Any, train: Sequence[Sentence], test: Sequence[Sentence], draws: int) -> dict[str, Any]:
    """The appliance's head on a network's vectors over all draws."""
    enough = [n for n in sentences.labels(train) if sum(s.label == n for s in train) >= EACH]
    names = [n for n in enough if any(s.label == n for s in test)]
    texts = list(dict.fromkeys(s.text for s in (*train, *test)))
    vectors = dict(zip(texts, network.read(texts)[2], strict=True))
    values = []
    for seed in range(draws):
        chosen, shots = drawn(train, names, SEED + seed)
        values.append(by_head(vectors, shots, [s for s in test if s.label in chosen]))
    return summary(values)


def beside(work: Path, train: Sequence[Sentence], test: Sequence[Sentence], draws: int, prompts: int) -> dict[str, Any]:
    """The head on the teacher's vectors, and prompt tuning of teacher and student."""
    names = sentences.labels(test)
    result: dict[str, Any] = {}
    for name in ("teacher", "student"):
        made = bundle.load(work / name)
        if name == "teacher":
            result["teacher + head"] = heads(made, train, test, draws)
        values = []
        for seed in range(prompts):
            chosen, shots = drawn(train, names, SEED + seed)
            values.append(by_prompt(made, shots, [s for s in test if s.label in chosen], seed))
            print(f"{name} + prompt tuning, draw {seed + 1} of {prompts}: {values[-1]:.4f}", flush=True)
        result[f"{name} + prompt tuning"] = summary(values)
    return result


if __name__ == "__main__":
    raise SystemExit(main())
