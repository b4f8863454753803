"""Trains an entity tagger: `python -m export.train.entities --data DIR --out DIR [--pack NAME] [--epochs N]`.

`--data` is a folder (or file) in one of the formats of export.train.sentences; without a dev part a tenth of the
training sentences is held out. With `--pack` the tables and patterns of that pack give hints. `--out` gets the
network (tagger.onnx, tagger.json with characters, tags and transitions), metrics.json and learning.png; a run that was
killed goes on. `--encoder` names a folder made by export.train.encoder, whose vectors of words are then begun with.
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
from appliance.language.segment import Segmenter
from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from export import networks
from export.train import crf, lend, plots, sentences
from export.train.classify import fresh
from export.train.corpus import is_dev
from export.train.fit import Schedule
from export.train.sentences import DataInvalid, Sentence, Span
from export.train.tagger import Shape, Tagger, character_numbers, encoded, tags_of
from export.train.values import inventors
from export.train.vary import Varier

SCHEDULE = Schedule(epochs=16, rate=3e-3, batch=32, patience=6, half=False)  # an LSTM of this size gains nothing
TODAY = date(2026, 1, 1)
"""What 今天 is for the hints: any day will do, but always the same."""
WIDTH = 64
"""Numbers for a word."""


def hints_of(pack: Pack, today: date) -> crf.Hints:
    """What the tables and patterns of `pack` find in a cleaned text."""
    finder = EntityFinder(pack.lexicon, Cleaner(), Syllables(), lambda: today)
    return lambda text: [Span(found.start, found.end, found.type) for found in finder.find(text)]


def evaluate(
    model: Tagger,
    found: Sequence[Sentence],
    numbers: dict[str, int],
    tags: Sequence[str],
    hints: crf.Hints,
    folder: Path,
) -> dict[str, Any]:
    """F1 over all types and for each, on sentences whose mentions are marked; `folder` is where the tagger lies."""
    from seqeval.metrics import classification_report

    marked = [sentence for sentence in found if sentence.spanned]
    tag_numbers = {tag: number for number, tag in enumerate(tags)}
    segmenter = Segmenter(folder / lend.FILE) if model.words is not None else None
    rows = crf.rows_of(marked, numbers, tag_numbers, hints, 512, segmenter)
    guess = crf.decode(model, rows, tags, model.least)
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
    mentors: int = 0,
    further: Sequence[Sentence] = (),
) -> tuple[Tagger, dict[str, int], tuple[str, ...]]:
    """Train on cleaned sentences and write everything but metrics to `out`: the tagger, its characters, its tags.

    `pack` lends its tables to vary mentions; the encoder in folder `encoder` lends its vectors of characters and words.
    So many `mentors` teach it on all sentences, on those whose mentions nobody marked and on `further` ones, too.
    """
    marked = [sentence for sentence in train if sentence.spanned]
    tags = tags_of(sentences.types(marked))
    numbers = character_numbers(marked)
    shape = Shape(hint=0 if hints is crf.no_hints else Shape.hint, word=WIDTH if encoder else 0)
    kept = [sentence for sentence in dev if sentence.spanned]
    out.mkdir(parents=True, exist_ok=True)
    varier = Varier(marked, inventors(pack) if pack else {}, schedule.seed)
    begin = lend.character_vectors(encoder, shape.embedding) if encoder else None
    words = lend.lexicon(encoder, [s.text for s in train], WIDTH, out) if encoder else None
    more = [*(s for s in train if not s.spanned), *further]
    model, log = crf.train(
        marked, kept, numbers, tags, out, shape, schedule, hints, varier, begin, words, mentors, more
    )
    model.least = _least(model, kept, numbers, tags, hints, words.segmenter if words else None)
    crf.save(model, numbers, tags, out)
    plots.learning(out / "learning.png", log)
    return model, numbers, tags


def _least(
    model: Tagger,
    dev: Sequence[Sentence],
    numbers: dict[str, int],
    tags: Sequence[str],
    hints: crf.Hints,
    segmenter: Segmenter | None,
) -> float:
    """The least probability of a mention, by the sentences of `dev` that have an intent, else by all of them.

    Sentences without one were written for their mentions: they have more of them than what customers say.
    """
    asked = [s for s in dev if s.label]
    if not any(sentence.spans for sentence in asked):
        asked = list(dev)
    if not any(sentence.spans for sentence in asked):
        return model.least
    tag_numbers = {tag: number for number, tag in enumerate(tags)}
    rows = crf.rows_of(asked, numbers, tag_numbers, hints, segmenter=segmenter)
    return crf.least_of(model, rows, tags, [[tags[tag] for tag in row["tags"]] for row in rows])


def main() -> int:
    """Train, write, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pack", help="a pack whose tables and patterns give hints")
    parser.add_argument(
        "--encoder", type=Path, help="folder of an encoder that lends its vectors (export.train.encoder)"
    )
    parser.add_argument("--epochs", type=int, default=SCHEDULE.epochs)
    parser.add_argument("--mentors", type=int, default=0, help="taggers of other seeds that teach this one")
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
        dev = [s for s in train if is_dev(s.text)] or train[::10]
        held = set(dev)
        train = [s for s in train if s not in held]
    fresh(asked.out, vars(asked), asked.data)
    hints = hints_of(load_pack(asked.pack), TODAY) if asked.pack else crf.no_hints
    schedule = Schedule(**{**SCHEDULE.__dict__, "epochs": asked.epochs, "seed": asked.seed})
    began = time.monotonic()
    pack = load_pack(asked.pack) if asked.pack else None
    model, numbers, tags = learn(train, dev, asked.out, hints, schedule, pack, asked.encoder, asked.mentors)
    metrics: dict[str, Any] = {"seconds": round(time.monotonic() - began, 1), "train": len(train)}
    metrics["dev"] = evaluate(model, dev, numbers, tags, hints, asked.out)
    try:
        test = [s for s in (sentences.cleaned(one, cleaner) for one in sentences.load(asked.data, "test")) if s.text]
        metrics["test"] = evaluate(model, test, numbers, tags, hints, asked.out)
    except DataInvalid:
        print("no test part: not evaluated")
    metrics["export"] = networks.tagger(model, numbers, tags, asked.out, None if asked.encoder is None else asked.out)
    crf.write_metrics(asked.out, metrics)
    print({name: value["f1"] for name, value in metrics.items() if name in ("dev", "test")})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
