"""Trains an entity tagger: `python -m export.train.entities --data DIR --out DIR [--pack NAME] [--epochs N]`.

`--data` is a folder (or file) in one of the formats of export.train.sentences; without a dev part a tenth of the
training sentences is held out. With `--pack` the tables and patterns of that pack give hints. `--out` gets the
weights, tagger.json (characters, tags, transitions), metrics.json and learning.png; a run that was killed goes on.
Where the data have a test part, it is evaluated after training, and its F1 stands in metrics.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from appliance.language.clean import Cleaner
from appliance.language.entities import EntityFinder
from appliance.language.pinyin import Syllables
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from export.train import crf, plots, sentences
from export.train.corpus import is_dev
from export.train.fit import Schedule
from export.train.lend import character_vectors
from export.train.sentences import DataInvalid, Sentence, Span
from export.train.tagger import Shape, Tagger, character_numbers, encoded, tags_of
from export.train.values import inventors
from export.train.vary import Varier

SCHEDULE = Schedule(epochs=14, rate=3e-3, batch=32, patience=4)


def hints_of(pack: Pack, today: date) -> crf.Hints:
    """What the tables and patterns of `pack` find in a cleaned text."""
    finder = EntityFinder(pack.lexicon, Cleaner(), Syllables(), lambda: today)
    return lambda text: [Span(found.start, found.end, found.type) for found in finder.find(text)]


def evaluate(
    model: Tagger, found: Sequence[Sentence], numbers: dict[str, int], tags: Sequence[str], hints: crf.Hints
) -> dict[str, Any]:
    """F1 over all types and for each, on sentences whose mentions are marked."""
    from seqeval.metrics import classification_report

    marked = [sentence for sentence in found if sentence.spanned]
    tag_numbers = {tag: number for number, tag in enumerate(tags)}
    rows = crf.rows_of(marked, numbers, tag_numbers, hints, longest=512)
    guess = crf.decode(model, rows, tags)
    truth = [[tags[t] for t in encoded(s.spans, len(s.text), tag_numbers)[:512]] for s in marked]
    report = classification_report(truth, guess, output_dict=True, zero_division=0)
    by_type = {name: round(float(row["f1-score"]), 4) for name, row in report.items() if " avg" not in name}
    return {"sentences": len(marked), "f1": round(crf.f1(truth, guess), 4), "by_type": by_type}


def learn(
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    out: Path,
    hints: crf.Hints = crf.no_hints,
    schedule: Schedule = SCHEDULE,
    pack: Pack | None = None,
    encoder: Path | None = None,
) -> tuple[Tagger, dict[str, int], tuple[str, ...]]:
    """Train on cleaned sentences and write everything but metrics to `out`: the tagger, its characters, its tags.

    `pack` lends its tables to vary mentions; the encoder in folder `encoder` lends its vectors of characters.
    """
    marked = [sentence for sentence in train if sentence.spanned]
    tags = tags_of(sentences.types(marked))
    numbers = character_numbers(marked)
    shape = Shape() if hints is not crf.no_hints else Shape(hint=0)
    kept = [sentence for sentence in dev if sentence.spanned]
    out.mkdir(parents=True, exist_ok=True)
    varier = Varier(marked, inventors(pack) if pack else {}, schedule.seed)
    begin = character_vectors(encoder, shape.embedding) if encoder else None
    model, log = crf.train(marked, kept, numbers, tags, out, shape, schedule, hints, varier, begin)
    crf.save(model, numbers, tags, out)
    plots.learning(out / "learning.png", log)
    return model, numbers, tags


def main() -> int:
    """Train, write, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pack", help="a pack whose tables and patterns give hints")
    parser.add_argument("--epochs", type=int, default=SCHEDULE.epochs)
    parser.add_argument("--seed", type=int, default=SCHEDULE.seed)
    asked = parser.parse_args()
    cleaner = Cleaner()
    try:
        train, dev = (
            [s for s in (sentences.cleaned(one, cleaner) for one in sentences.load(asked.data, part)) if s.text]
            for part in ("train", "dev")
        )
        if not sentences.types(train):
            raise DataInvalid(f"{asked.data}: expected sentences with marked mentions, found none marked")
    except DataInvalid as error:
        parser.error(str(error))
    if not dev:
        dev = [s for s in train if is_dev(s.text)]
        train = [s for s in train if not is_dev(s.text)]
    hints = hints_of(load_pack(asked.pack), date.today()) if asked.pack else crf.no_hints
    schedule = Schedule(**{**SCHEDULE.__dict__, "epochs": asked.epochs, "seed": asked.seed})
    began = time.monotonic()
    model, numbers, tags = learn(train, dev, asked.out, hints, schedule)
    metrics: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1), "train": len(train)}
    metrics["dev"] = evaluate(model, dev, numbers, tags, hints)
    try:
        test = [sentences.cleaned(s, cleaner) for s in sentences.load(asked.data, "test")]
        metrics["test"] = evaluate(model, test, numbers, tags, hints)
    except DataInvalid:
        print("no test part: not evaluated")
    crf.write_metrics(asked.out, metrics)
    print({name: value["f1"] for name, value in metrics.items() if isinstance(value, dict)})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
