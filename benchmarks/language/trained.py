"""The project's training on public sets: `python -m benchmarks.language.trained --data DIR [--work DIR] [--check]`.

CrossWOZ: the tagger on the ten slots of `public.SLOTS`, trained on val and tested on test, mean of three seeds. xSID:
teacher and student on its Chinese intents, trained on valid and tested on test. What is trained is thrown away.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.language.clean import Cleaner
from benchmarks.language import public
from export.train import corpus, score, sentences, understand
from export.train.corpus import is_dev
from export.train.crf import no_hints
from export.train.entities.__main__ import SCHEDULE, evaluate, learn
from export.train.material import Material
from export.train.sentences import Sentence

SEEDS = (7, 8, 9)


def _cleaned(found: list[Sentence]) -> list[Sentence]:
    cleaner = Cleaner()
    return [sentences.cleaned(sentence, cleaner) for sentence in found]


def slots(folder: Path, encoder: Path, seed: int) -> float:
    """F1 on CrossWOZ's test turns of a tagger trained on its val turns."""
    train, test = _cleaned(public.crosswoz(folder, "val")), _cleaned(public.crosswoz(folder, "test"))
    with tempfile.TemporaryDirectory() as out:
        dev = [s for s in train if is_dev(s.text)]
        kept = [s for s in train if not is_dev(s.text)]
        model, numbers, tags = learn(kept, dev, Path(out), no_hints, replace(SCHEDULE, seed=seed), None, encoder)
        return float(evaluate(model, test, numbers, tags, no_hints, Path(out))["f1"])


def intents(folder: Path, encoder: Path) -> dict[str, float]:
    """Accuracy on xSID's test sentences of teacher and student trained on its valid sentences.

    The student also hears the teacher's opinion of the project's own sentences: 300 are too few to learn to read from.
    """
    train, test = _cleaned(public.xsid(folder, "valid")), _cleaned(public.xsid(folder, "test"))
    # Thirty held-out sentences would not tell one epoch from another: all 300 are learnt from, the last epoch stays.
    dev = [s for s in train if is_dev(s.text)]
    own = _cleaned(sentences.load(corpus.DATA, "train"))
    further = [Sentence(s.text, spanned=False) for s in own]
    found = {}
    with tempfile.TemporaryDirectory() as out:
        teaching = replace(understand.TEACHER, epochs=12, batch=16, best=False)
        teacher = understand.teach(encoder, Material(tuple(train), tuple(dev)), Path(out) / "teacher", teaching)
        more = Material((*train * 3, *further), tuple(dev))
        student = understand.distil(
            teacher, more, Path(out) / "student", schedule=replace(understand.STUDENT, epochs=6, best=False)
        )
        for name, made in (("teacher", teacher), ("student", student)):
            logits, _, _ = made.read([s.text for s in test])
            found[name] = score.intents(logits, made.meaning.intents, test)["accuracy"]
    return found


def measure(data: Path, work: Path) -> dict[str, Any]:
    """All of it."""
    by_seed = []
    for seed in SEEDS:
        by_seed.append(slots(data / "crosswoz", work / "encoder", seed))
        print(f"CrossWOZ, seed {seed}: F1 {by_seed[-1]:.4f}", flush=True)
    accuracy = intents(data / "xsid_zh", work / "encoder")
    return {
        "crosswoz_f1_by_seed": by_seed,
        "figures": {
            "CrossWOZ slots, F1": round(statistics.mean(by_seed), 4),
            "xSID intents, student": accuracy["student"],
            "xSID intents, teacher": accuracy["teacher"],
        },
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("var/train"))
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    from benchmarks.language.__main__ import NEED_DATA, missed

    result = measure(asked.data, asked.work)
    print(json.dumps(result, indent=1))
    lines = [line for line in missed(result["figures"]) if line.split(":")[0] in NEED_DATA] if asked.check else []
    print("\n".join(f"missed: {line}" for line in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
