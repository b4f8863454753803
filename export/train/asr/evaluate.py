"""How well the recogniser hears: character error rate, intents, real-time factor; and the weights fitted on dev."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.app.derive import running
from appliance.artifacts.manifest import load_manifest
from appliance.inference.backend import Run
from appliance.language.classify import Classifier, read_labels
from appliance.language.lexicon import OUT_OF_SCOPE
from appliance.language.parse import Minds, Parser
from appliance.language.tokenise import Tokeniser
from appliance.packs.schema import Pack
from appliance.specs import ModelSpec, ShapeProfile, TensorSpec
from appliance.speech.ctc.accuracy import edits
from appliance.speech.ctc.bank import BANDS, SILENCE
from appliance.speech.ctc.characters import Spelling, Weights, Writer
from appliance.speech.ctc.slots import Slots
from appliance.speech.ctc.stream import STRIDE, CtcStreaming, Sizes
from appliance.speech.wav import decode
from appliance.values import Audio, Segment, Turn
from export.train.asr import network, recordings, shards
from export.train.asr.shards import Clip

MODELS = Path(__file__).parent.parent.parent.parent / "models"
UNDERSTANDING = "understand-zh"
"""The model that finds intents."""
LANGUAGES = (0.2, 0.35, 0.5, 0.7, 0.9)
"""Exponents of the character model that are tried on dev."""
TONES = (0.15, 0.25, 0.4, 0.6, 0.8, 1.0)
"""Exponents of a tone's probability that are tried on dev."""
LIMITS: Mapping[str, Mapping[str, tuple[str, float]]] = {
    "clean": {"cer": ("at most", 0.08), "intents": ("at least", 0.92), "real_time": ("at most", 0.1)},
    "counter": {"cer": ("at most", 0.1), "intents": ("at least", 0.9), "real_time": ("at most", 0.1)},
}
"""What is asked of held-out sentences and settings (`clean`), and of the same in a room with noise (`counter`)."""

Pair = tuple[str, str]
"""What was said and what was heard."""


def cer(pairs: Sequence[Pair]) -> float:
    """Edits by characters that were said; 0 for nothing said."""
    said = sum(len(one) for one, _ in pairs)
    return sum(edits(one, other) for one, other in pairs) / said if said else 0.0


def interval(pairs: Sequence[Pair], draws: int = 1000) -> tuple[float, float]:
    """Where the error rate lies with 95 % probability: bootstrap over sentences (Bisani and Ney 2004)."""
    rng = random.Random(7)
    counted = [(edits(said, text), len(said)) for said, text in pairs]
    found = []
    for _ in range(draws):
        chosen = rng.choices(counted, k=len(counted))
        found.append(sum(edits for edits, _ in chosen) / max(1, sum(length for _, length in chosen)))
    found.sort()
    return found[int(0.025 * draws)], found[int(0.975 * draws)]


def spec_of(sizes: Sizes, units: int) -> ModelSpec:
    """The network's interface, as its manifest describes it."""
    states = {name: ("float32", value.shape) for name, value in sizes.zeros().items()}
    return ModelSpec(
        "ctc-pinyin-zh/acoustic",
        (
            TensorSpec("features", "float32", (1, "frames", BANDS)),
            *(TensorSpec(name, kind, shape) for name, (kind, shape) in states.items()),
        ),
        (
            TensorSpec("logprobs", "float32", (1, "steps", units)),
            *(TensorSpec(f"next_{name}", kind, shape) for name, (kind, shape) in states.items()),
        ),
        (ShapeProfile(*({"frames": sizes.piece} for _ in range(3))),),
    )


@contextmanager
def recogniser(folder: Path, sizes: Sizes, units: int) -> Iterator[CtcStreaming]:
    """The recogniser of `folder` (acoustic.onnx, acoustic.json, characters.npz) on one thread of the CPU."""
    with running(spec_of(sizes, units), folder / network.FILE) as run:
        yield CtcStreaming(run, folder, name="ctc-pinyin-zh")


def heard(hears: CtcStreaming, sounds: Sequence[Audio]) -> tuple[list[str], float]:
    """What is heard in `sounds`, and the real-time factor: CPU time by their length."""
    began = time.process_time()
    texts = [hears.transcribe(sound, (Segment(0.0, sound.seconds),)).text for sound in sounds]
    return texts, (time.process_time() - began) / max(1e-9, sum(sound.seconds for sound in sounds))


def emissions(run: Run, sizes: Sizes, block: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Log-probabilities of one clip's features, its delay taken off, shape (steps, units)."""
    behind = sizes.delay * STRIDE + sizes.piece
    count = -(-(len(block) + behind) // sizes.piece) * sizes.piece
    padded = np.broadcast_to(SILENCE, (count, BANDS)).copy()
    padded[: len(block)] = block
    state: dict[str, npt.NDArray[Any]] = dict(sizes.zeros())
    found = []
    for at in range(0, len(padded), sizes.piece):
        out = run({"features": padded[None, at : at + sizes.piece], **state})
        state = {name: out[f"next_{name}"] for name in state}
        found.append(out["logprobs"][0])
    return np.concatenate(found)[sizes.delay :]


def written(rows: npt.NDArray[np.float32], spelling: Spelling, sizes: Sizes) -> str:
    """What the character step makes of emissions."""
    slots = Slots(spelling.units, sizes.maybe, sizes.tone)
    writer = Writer(spelling, Weights(sizes.language, sizes.beam))
    ended = slots.push(rows)
    last = slots.open()
    for slot in [*ended, *([last] if last else [])]:
        writer.push(slot.units, slot.logprobs, slot.nothing)
    return writer.text(ended=True)


def tuned(
    folder: Path, sizes: Sizes, spelling: Spelling, clips: Sequence[Clip], blocks: Sequence[Any]
) -> tuple[Sizes, dict[str, float]]:
    """`sizes` with the weights of tones and characters that make the fewest errors on dev, and all that were tried."""
    with running(spec_of(sizes, len(spelling.units)), folder / network.FILE) as run:
        rows = [emissions(run, sizes, block) for block in blocks]
    found: dict[tuple[float, float], float] = {}

    def wrong(tone: float, language: float) -> float:
        if (tone, language) not in found:
            trial = replace(sizes, tone=tone, language=language)
            pairs = [(clip.text, written(row, spelling, trial)) for clip, row in zip(clips, rows, strict=True)]
            found[tone, language] = cer(pairs)
        return found[tone, language]

    language = LANGUAGES[len(LANGUAGES) // 2]
    for _ in range(2):  # one after the other, twice: the best of one depends on the other, but not by much
        tone = min(TONES, key=lambda one: wrong(one, language))
        language = min(LANGUAGES, key=lambda one: wrong(tone, one))
    tried = {f"tone {tone}, language {language}": round(value, 4) for (tone, language), value in found.items()}
    return replace(sizes, tone=tone, language=language), tried


@contextmanager
def understanding(pack: Pack) -> Iterator[Callable[[str], str]]:
    """The intent that the appliance finds in a text: the shipped student and the pack's templates."""
    folder = MODELS / UNDERSTANDING
    spec = load_manifest(folder / "manifest.yaml").networks["model.onnx"]
    labels = read_labels(folder / "labels.json")
    with running(spec, folder / "model.onnx") as run:
        minds = Minds(Classifier(run, Tokeniser(folder / "tokenizer.json", labels.longest), labels))
        parser = Parser(pack.lexicon, minds=minds)
        yield lambda text: parser.parse(Turn(text, source="audio")).intent.name if text else OUT_OF_SCOPE


def report(
    folder: Path, sizes: Sizes, units: int, tests: Mapping[str, Path], pack: Pack, own: Path | None = None
) -> dict[str, Any]:
    """Figures on the test shards of `tests` (name to folder, sounds kept), by part, and on recordings in `own`."""
    found: dict[str, Any] = {"parts": {}}
    with recogniser(folder, sizes, units) as hears, understanding(pack) as meant:
        for name, place in tests.items():
            clips, sounds = kept(place)
            texts, real_time = heard(hears, sounds)
            pairs = [(clip.text, text) for clip, text in zip(clips, texts, strict=True)]
            found["parts"][name] = _figures(clips, pairs, meant) | {"real_time": round(real_time, 4)}
        if own is not None:
            known = recordings.find(own)
            texts, _ = heard(hears, [recordings.audio(one) for one in known])
            pairs = [(one.text, text) for one, text in zip(known, texts, strict=True)]
            found["recordings"] = {"count": len(pairs), "cer": round(cer(pairs), 4)}
    return found


def missed(found: Mapping[str, Any]) -> list[str]:
    """What of LIMITS a report does not reach."""
    return [
        f"{part}: {name}: expected {way} {limit}, got {found['parts'][part][name]}"
        for part, limits in LIMITS.items()
        for name, (way, limit) in limits.items()
        if (found["parts"][part][name] > limit if way == "at most" else found["parts"][part][name] < limit)
    ]


def _figures(clips: Sequence[Clip], pairs: Sequence[Pair], meant: Callable[[str], str]) -> dict[str, Any]:
    labelled = [(clip, said, text) for clip, (said, text) in zip(clips, pairs, strict=True) if clip.label]
    served = [row for row in labelled if row[0].label != OUT_OF_SCOPE]
    low, high = interval(pairs)
    by_source = {
        source: round(cer([pair for clip, pair in zip(clips, pairs, strict=True) if clip.source == source]), 4)
        for source in sorted({clip.source for clip in clips})
    }
    return {
        "count": len(pairs),
        "cer": round(cer(pairs), 4),
        "cer_between": [round(low, 4), round(high, 4)],
        "cer_by_source": by_source,
        "whole": round(sum(said == text for said, text in pairs) / len(pairs), 4),
        "intents": round(sum(meant(text) == clip.label for clip, _, text in served) / max(1, len(served)), 4),
        "intents_of_text": round(sum(meant(said) == clip.label for clip, said, _ in served) / max(1, len(served)), 4),
        "intents_all": round(sum(meant(text) == clip.label for clip, _, text in labelled) / max(1, len(labelled)), 4),
    }


def kept(folder: Path) -> tuple[list[Clip], list[Audio]]:
    """Test clips of a folder and their sounds, from the WAV files that were kept."""
    clips: list[Clip] = []
    sounds: list[Audio] = []
    for path in sorted(folder.glob("*.json")):
        if path.name in ("begun.json", "done.json"):
            continue
        for number, clip in enumerate(shards.rows(path)):
            clips.append(clip)
            wav = path.parent / f"{path.stem}-{number:04d}.wav"
            sounds.append(decode(wav.read_bytes(), max_seconds=60.0, max_bytes=1 << 24))
    return clips, sounds
