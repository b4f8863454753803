"""The stages from nothing to the shipped language networks, with what each depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from appliance.packs.compile import load_pack
from export import networks
from export.train import bundle, corpus, crf, material, score, sentences, understand, weigh
from export.train.encoder import __main__ as encoder
from export.train.entities.__main__ import SCHEDULE as TAGGING
from export.train.entities.__main__ import TODAY, evaluate, hints_of, learn
from export.train.fit import Schedule
from export.train.material import Material
from export.train.sentences import Sentence
from export.train.stages import Stage
from export.train.student import Size

MENTORS = 3
"""Taggers of other seeds that teach the one that is shipped."""
HERE = Path(__file__).parent
PACKS = Path(load_pack.__code__.co_filename).parent


def _code(*names: str) -> tuple[Path, ...]:
    return tuple(HERE / name for name in names)


def _language(*names: str) -> tuple[Path, ...]:
    return tuple(PACKS.parent / "language" / name for name in names)


def stages(
    pack: str, source: str, extra: tuple[Path, ...], cache: Path, *, quick: bool, body: str | None = None
) -> list[Stage]:
    """All stages for `pack`; `quick` trains a tenth of the data for an epoch, to see that everything works.

    `source` names the teacher's encoder, `body` the one that student and tagger begin with, where it is another.
    """
    data = (corpus.DATA / "train", PACKS / pack)
    # What the appliance's own code makes of a text is learnt from, too.
    shared = (
        *_language("clean.py", "pinyin.py"),
        *_code(
            "corpus.py", "expand.py", "values.py", "words.yaml", "sentences.py", "noise.py", "fit.py", "precision.py",
            "rows.py",
        ),
    )  # fmt: skip
    learning = (*shared, *_code("material.py", "model.py", "bundle.py", "understand.py"))
    teaching = replace(understand.TEACHER, epochs=1) if quick else understand.TEACHER
    studying = replace(understand.STUDENT, epochs=1) if quick else understand.STUDENT
    tagging = replace(TAGGING, epochs=1) if quick else TAGGING

    def chosen() -> Material:
        found = material.of_corpus(corpus.load(load_pack(pack)), extra)
        if not quick:
            return found
        return Material(found.train[::10], found.dev[::4], found.questions[::10])

    def make_encoder(out: Path, _: Mapping[str, Path]) -> None:
        encoder.make(out, source, corpus.load(load_pack(pack)).texts, cache)

    def make_body(out: Path, _: Mapping[str, Path]) -> None:
        encoder.make(out, body or source, corpus.load(load_pack(pack)).texts, cache)

    def make_teacher(out: Path, before: Mapping[str, Path]) -> None:
        understand.teach(before["encoder"], chosen(), out, teaching)

    def make_student(out: Path, before: Mapping[str, Path]) -> None:
        start = before.get("body")
        understand.distil(bundle.load(before["teacher"]), chosen(), out, Size(), studying, body=start)

    def make_tagger(out: Path, before: Mapping[str, Path]) -> None:
        _tagger(pack, out, before.get("body", before.get("encoder", out)), tagging, quick=quick)

    def make_networks(out: Path, before: Mapping[str, Path]) -> None:
        _networks(pack, out, before["student"], before["tagger"])

    exporting = (
        *_code("weigh.py", "score.py", "calibrate.py"),
        *_language("faq.py", "bm25.py", "postings.py", "ngrams.py", "flatten.py"),
        HERE.parent / "to_onnx.py",
        HERE.parent / "networks.py",
    )
    first = Stage("encoder", make_encoder, (), (*data, HERE / "encoder"), {"source": source})
    bodies = [Stage("body", make_body, (), (*data, HERE / "encoder"), {"source": body})] if body else []
    lent = "body" if body else "encoder"
    return [
        first,
        *bodies,
        Stage("teacher", make_teacher, ("encoder",), (*data, *learning, *extra), {"schedule": asdict(teaching)}),
        Stage(
            "student",
            make_student,
            ("teacher", *(("body",) if body else ())),
            _code("student.py"),
            {"schedule": asdict(studying)},
        ),
        Stage(
            "tagger",
            make_tagger,
            (lent,),
            (
                *data,
                *shared,
                *_code("crf.py", "tagger.py", "mentors.py", "vary.py", "lend.py", "entities"),
                *_language("entities.py", "patterns.py", "gazetteer.py", "address.py", "person.py", "numbers"),
                *_language("candidates.py", "segment.py"),
            ),
            {"schedule": asdict(tagging), "mentors": _mentors(quick=quick), "further": "questions"},
        ),
        Stage("networks", make_networks, ("student", "tagger"), exporting),
    ]


def _mentors(*, quick: bool) -> int:
    return 1 if quick else MENTORS


def _tagger(pack: str, out: Path, encoder_folder: Path, schedule: Schedule, *, quick: bool) -> None:
    loaded = load_pack(pack)
    found = corpus.load(loaded)
    train = (*found.train, *found.drawn)
    hints = hints_of(loaded, TODAY)
    dev = found.dev
    if quick:
        train, dev = train[::10], dev[::4]
    # Questions speak of goods and days as well; nobody has marked them, but mentors have an opinion.
    further = () if quick else tuple(Sentence(question.text, spanned=False) for question in found.questions)
    mentors = _mentors(quick=quick)
    model, numbers, tags = learn(train, dev, out, hints, schedule, loaded, encoder_folder, mentors, further)
    crf.write_metrics(out, {"dev": evaluate(model, dev, numbers, tags, hints, out)})


def _networks(pack: str, out: Path, student: Path, tagger: Path) -> None:
    """ONNX files of student and tagger, and the weights for frequent questions."""
    read = bundle.load(student)
    calibration = json.loads((student / "calibration.json").read_text("utf-8"))
    checked = {"understand": networks.understander(read, pack, calibration, out)}
    checked["entities"] = networks.tagger(*crf.load(tagger), out, tagger, pack)
    # The large weights are halves now, those of the file: what follows is fitted to them.
    loaded = load_pack(pack)
    weighing, on_dev = weigh.weigh(loaded, corpus.load(loaded), read, calibration["temperature"])
    _write(out / "faq.json", asdict(weighing))
    _write(out / "checked.json", checked | {"faq": on_dev})


def evaluated(work: Path, pack: str) -> dict[str, Any]:
    """Metrics of teacher, student and tagger in `work` on the test sentences; writes metrics.json and plots there."""
    from appliance.language.clean import Cleaner

    cleaner = Cleaner()
    test = [s for s in (sentences.cleaned(one, cleaner) for one in sentences.load(corpus.DATA, "test")) if s.text]
    found: dict[str, Any] = {}
    for name in ("teacher", "student"):
        read = bundle.load(work / name)
        calibration = json.loads((work / name / "calibration.json").read_text("utf-8"))
        found[name] = score.report(read, test, calibration, work / name)
        _write(work / name / "metrics.json", found[name])
    model, numbers, tags = crf.load(work / "tagger")
    found["tagger"] = evaluate(model, test, numbers, tags, hints_of(load_pack(pack), TODAY), work / "tagger")
    _write(work / "tagger" / "metrics.json", found["tagger"])
    return found


def _write(path: Path, found: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
