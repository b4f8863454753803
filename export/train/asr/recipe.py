"""The stages from nothing to the shipped recogniser, with what each depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from appliance.packs.compile import load_pack
from appliance.speech.ctc import characters
from appliance.speech.ctc.stream import Sizes
from export.train import corpus, plots
from export.train.asr import distort, evaluate, network, recordings, shards, spelling, text, train, units
from export.train.asr.model import Acoustic, Shape
from export.train.asr.train import Schedule
from export.train.stages import Stage

HERE = Path(__file__).parent
APPLIANCE = Path(load_pack.__code__.co_filename).parent.parent
SCHEDULE = Schedule()
TIMES = {"written": 2, "question": 2, "phrase": 2, "template": 1, "drill": 1}
"""Settings in which a training line is spoken, by where it is from."""
OWN = 4
"""Versions of each recording of a user's own: as it is, and distorted."""
CONDITIONS = {"clean": distort.CLEAN, "counter": distort.COUNTER}
SMALL = {"width": 48, "layers": 3}
"""The network of --quick."""
THIN = 60
"""--quick takes one line of so many."""
SPELLING = "characters.npz"


def _code(*names: str) -> tuple[Path, ...]:
    return tuple(HERE / f"{name}.py" for name in names)


def _speech(*names: str) -> tuple[Path, ...]:
    return tuple(APPLIANCE / "speech" / f"{name}.py" for name in names)


def stages(
    pack: str,
    own: Path | None = None,
    *,
    synthesis: bool = True,
    quick: bool = False,
    epochs: int = SCHEDULE.epochs,
) -> list[Stage]:
    """All stages for `pack`; recordings in `own` are learnt from beside the synthesised speech, or instead of it.

    `quick` takes a sixtieth of the lines and a tiny network for one epoch, to see that everything works.
    """
    if own is None and not synthesis:
        raise ValueError("expected recordings where nothing is synthesised")
    place = APPLIANCE / "packs" / pack
    said = (place / "intents", place / "phrases.yaml", place / "entities.yaml", *sorted(place.glob("*.csv")))
    # How a text is read aloud; what else the voice does is not heard here.
    reading = _speech(*(f"tts/{name}" for name in ("reading", "chinese", "english", "clean", "spell")))
    data = (corpus.DATA, *said, HERE.parent / "words.yaml", HERE.parent / "values.py", HERE.parent / "expand.py")
    schedule = replace(SCHEDULE, epochs=1 if quick else epochs)
    known = {"own": recordings.digest(own) if own else "", "synthesis": synthesis, "quick": quick}

    def make_text(out: Path, _: Mapping[str, Path]) -> None:
        lines = text.load(load_pack(pack))
        if quick:
            lines = text.Lines(lines.train[::THIN], lines.dev[::THIN], lines.test[::THIN])
        mine = [one.text for one in recordings.find(own)] if own else []
        names = units.inventory(spelling.common(), (*(line.text for line in lines.train), *mine))
        text.save(lines, out)
        (out / "units.json").write_text(json.dumps(names) + "\n", "utf-8")

    def make_speech(out: Path, before: Mapping[str, Path]) -> None:
        planned = []
        for part in ("dev", "train"):
            if synthesis:
                lines = [
                    line
                    for line in text.read(before["text"], part)
                    for _ in range(TIMES[line.source] if part == "train" else 1)
                ]
                planned += shards.tasks(part, lines, out, chances=distort.USUAL, seed=SCHEDULE.seed)
        for number, path in enumerate(shards.make(planned), 1):
            print(f"{number} of at most {len(planned)} shards: {path.name}", flush=True)
        if own:
            recordings.shard(recordings.find(own), out, times=OWN, seed=SCHEDULE.seed)

    def make_tests(out: Path, before: Mapping[str, Path]) -> None:
        lines = text.read(before["text"], "test")
        for name, chances in CONDITIONS.items():
            folder = out / name
            folder.mkdir(exist_ok=True)
            planned = shards.tasks("test", lines, folder, chances=chances, seed=SCHEDULE.seed, keep=True)
            for path in shards.make(planned):
                print(f"{name}: {path.name}", flush=True)

    def make_characters(out: Path, before: Mapping[str, Path]) -> None:
        lines = text.read(before["text"], "train")
        if own:
            lines += [text.Line(one.text, "written") for one in recordings.find(own) if not _is_dev(one.text)]
        characters.save(spelling.make(lines, _names(before["text"])), out / SPELLING)

    def make_acoustic(out: Path, before: Mapping[str, Path]) -> None:
        names = _names(before["text"])
        clips, blocks = shards.read(before["speech"], "train")
        rows = {"train": train.rows_of(clips, blocks, names)}
        rows["dev"] = train.rows_of(*shards.read(before["speech"], "dev"), names)
        heard = dict.fromkeys(("synthetic", "own"), 0.0)
        for clip in clips:
            heard["own" if clip.source == "own" else "synthetic"] += (clip.end - clip.begin) / 360000
        print(f"{len(rows['train'])} clips, {sum(heard.values()):.1f} hours", flush=True)
        shape = Shape(len(names), **(SMALL if quick else {}))
        train.fit(shape, names, rows["train"], rows["dev"], out, schedule, lambda model: _greedy(model, rows["dev"]))
        log = json.loads((out / "history.json").read_text("utf-8"))["log"]
        plots.learning(out / "learning.png", log)
        (out / "heard.json").write_text(json.dumps({"clips": len(rows["train"])} | heard), "utf-8")

    def make_network(out: Path, before: Mapping[str, Path]) -> None:
        model, _ = train.load(before["acoustic"])
        checked = network.write(model, out)
        read = characters.load(before["characters"] / SPELLING)
        characters.save(read, out / SPELLING)
        sizes, tried = evaluate.tuned(out, network.sizes(model), read, *shards.read(before["speech"], "dev"))
        (out / network.BESIDE).write_text(json.dumps(asdict(sizes), indent=1) + "\n", "utf-8")
        checked |= {"dev_cer": tried}
        (out / "checked.json").write_text(json.dumps(checked, indent=1) + "\n", "utf-8")

    spoken = (*_code("speak", "distort", "shards", "recordings"), *_speech("ctc/bank", "ctc/pitch"))
    return [
        Stage("text", make_text, (), (*data, *_code("text", "units"), *reading), known),
        Stage("speech", make_speech, ("text",), spoken, {"times": TIMES, "own": OWN}),
        Stage("tests", make_tests, ("text",), spoken),
        Stage("characters", make_characters, ("text",), (*_code("spelling", "ngram"), *_speech("ctc/characters"))),
        Stage(
            "acoustic",
            make_acoustic,
            ("text", "speech"),
            (*_code("model", "train"), HERE.parent / "precision.py"),
            {"schedule": asdict(schedule)},
        ),
        Stage(
            "network",
            make_network,
            ("characters", "speech", "acoustic"),
            (
                *_code("network", "evaluate"),
                *_speech("ctc/stream", "ctc/slots", "ctc/accuracy"),
                HERE.parent.parent / "to_onnx.py",
            ),
        ),
    ]


def evaluated(work: Path, pack: str, own: Path | None = None) -> dict[str, Any]:
    """Figures of the recogniser in `work` on the test sentences, in each condition, and on recordings in `own`."""
    made = work / "network"
    found = json.loads((made / network.BESIDE).read_text("utf-8"))
    sizes = Sizes(**found | {"front": tuple(found["front"])})
    tests = {name: work / "tests" / name for name in CONDITIONS}
    names = _names(work / "text")
    report = evaluate.report(made, sizes, len(names), tests, load_pack(pack), own)
    report["bytes"] = sum((made / name).stat().st_size for name in (network.FILE, network.BESIDE, SPELLING))
    (work / "metrics.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return report


def _is_dev(said: str) -> bool:
    return text.chance(said, "dev") < recordings.DEV_SHARE


def _names(folder: Path) -> tuple[str, ...]:
    return tuple(json.loads((folder / "units.json").read_text("utf-8")))


@torch.inference_mode()
def _greedy(model: Acoustic, rows: list[train.Row]) -> dict[str, float]:
    """Error rate of the units themselves on dev, by the best class of every step."""
    model.eval()
    wrong = said = 0
    for row in rows:
        features = train.collate([row], model.shape.delay)[0].to(model.mean.device)
        best = model(features)[0, model.shape.delay :].argmax(1).tolist()
        units_ = [a for a, b in zip(best, [0, *best], strict=False) if a not in (0, b)]
        wrong += evaluate.edits("".join(map(chr, row.labels)), "".join(map(chr, units_)))
        said += len(row.labels)
    return {"unit_accuracy": round(1 - wrong / max(said, 1), 4)}
