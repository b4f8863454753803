"""The model card of the recogniser: what people need to know, with the figures of the training that made it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.speech.ctc.bank import BANDS
from appliance.speech.ctc.features import MELS
from appliance.speech.ctc.pitch import TRACKS
from export.train.asr import recipe, speak

_CARD = """\
# ctc-pinyin-zh

**For bring-up, demos and tests.** {trained_zh}：供刚装好的机器演示，不能代替真正的语音识别。
{trained}. It is no recogniser for customers.
Install a real one: `appliance models import PATH` (SenseVoice-Small, a wav2vec2 or Zipformer CTC model), or `appliance
models pull vosk-small-cn`.

Streaming Mandarin recognition: {layers} causal residual convolutions ({parameters:.1f} M weights; those of the output
layer are put together from parts of syllables) over {mels} log-mel bands and {tracks} numbers of the pitch give
the probabilities of {units} classes, pinyin syllables with their tones and letters, every 40 ms, {late:.0f} ms late;
a character model (n-grams of the project's sentences and of pypinyin's words) writes them down. `acoustic.onnx`:
`features` [1, frames, {bands}] and three states in, `logprobs` [1, frames / 4, {units}] and the next states out;
opset 18, {megabytes:.1f} MB, weights kept as halves, no If and no Loop. `acoustic.json` has its sizes,
`characters.npz` ({spelling:.1f} MB) units, readings and n-grams. The network always gets {piece} frames at a time, so
that what a stream hears is exactly what a recording of it gives.

## How it was made

`python -m export.train.asr --publish` does it again: where this one was made it took {minutes:.0f} minutes on {cores}
cores, {training:.0f} of them training in {arithmetic}{longer}.
{lines} lines (the training sentences of `export/train/data/store`, frequent questions, sentences drawn from the pack's
templates, names of the pack, and words of a dictionary for every sound of Mandarin) were spoken {times} times each
(what was drawn, once), {hours:.0f} hours in all, by {voices} variants of espeak-ng at many rates and pitches, their
pitch moving up to twice as far as by themselves, as people's does in Mandarin; with rooms, coloured noise, hum, other
voices, narrow bands and mu law, from {low:.0f} to {high:.0f} dB of full scale. CTC (Graves et al. 2006), {epochs}
epochs, SpecAugment; at first the network is also told about where each syllable lies.

## Source and licence

Weights and sentences: Apache-2.0. espeak-ng (GPL-3, <https://github.com/espeak-ng/espeak-ng>) spoke the sentences as a
program of its own and is not part of it. Readings and words: pypinyin, MIT.

## Measured

Held out: {count} sentences, the project's test sentences and sentences of templates that training has nothing from,
by voices, rates, pitches and ranges that training has not heard. Sentences with English words, typing errors and
characters that Mandarin does not have are left out. CER in characters, numbers as they are spoken, no punctuation;
between: 95 % (bootstrap).

| | CER | between | whole sentences | intent right | intent of the true text | real-time factor, 1 thread |
|---|---|---|---|---|---|---|
{table}

`clean`: as spoken; `counter`: a room, noise 12 to 25 dB below, now and then other voices. By kind of sentence: {kinds}.
Real recordings: {real}.
Jetson: not yet measured on hardware.

## Limits

- {never} What it makes of real speech is the figure above; it may be useless for yours.
- Its character model knows a shop with a parcel counter; of what sounds alike it writes what was said there.
- Mandarin and single letters only: no English words, no dialects.
- Heard with a sound card's hiss added and a moment of silence before it; what is less than 65 % sure is not told. The
  figures are those with all of it.
- Confidences are the network's own, of a syllable whatever its tone, and not calibrated.
"""


def text(work: Path, folder: Path) -> str:
    """The card's text from the stages' folders in `work` and the files in `folder`."""
    metrics, checked = _read(work / "metrics.json"), _read(work / "network" / "checked.json")
    sizes, heard = _read(work / "network" / "acoustic.json"), _read(work / "acoustic" / "heard.json")
    history = _read(work / "acoustic" / "history.json")
    seconds = {path.parent.name: float(_read(path)["seconds"]) for path in work.glob("*/done.json")}
    parts: Mapping[str, Any] = metrics["parts"]
    rows = [
        f"| {name} | **{one['cer']:.2%}** | {one['cer_between'][0]:.2%} to {one['cer_between'][1]:.2%} "
        f"| {one['whole']:.1%} | {one['intents']:.1%} | {one['intents_of_text']:.1%} | {one['real_time']:.3f} |"
        for name, one in parts.items()
    ]
    kinds = "; ".join(
        f"{name}: " + ", ".join(f"{kind} {value:.2%}" for kind, value in one["cer_by_source"].items())
        for name, one in parts.items()
    )
    real = metrics.get("recordings")
    return _CARD.format(
        layers=sizes["layers"],
        parameters=checked["parameters"] / 1e6,
        mels=MELS,
        tracks=TRACKS,
        bands=BANDS,
        units=len(_read(work / "text" / "units.json")),
        late=40 * sizes["delay"] + 10 * sizes["piece"],
        megabytes=(folder / "acoustic.onnx").stat().st_size / 1e6,
        spelling=(folder / recipe.SPELLING).stat().st_size / 1e6,
        piece=sizes["piece"],
        minutes=sum(seconds.values()) / 60,
        training=seconds["acoustic"] / 60,
        lines=len((work / "text" / "train.jsonl").read_text("utf-8").splitlines()),
        times=recipe.TIMES["written"],
        hours=heard["synthetic"],
        **_trained(heard),
        voices=len(speak.RANGES["train"].voices),
        low=recipe.distort.USUAL.low,
        high=recipe.distort.USUAL.high,
        epochs=history["schedule"]["epochs"],
        arithmetic=history["arithmetic"],
        longer=" (a CPU without instructions for it takes longer)" if history["arithmetic"] == "bfloat16" else "",
        cores=os.cpu_count(),
        count=next(iter(parts.values()))["count"],
        table="\n".join(rows),
        kinds=kinds,
        real=f"CER **{real['cer']:.1%}** on {real['count']} clips of read Mandarin" if real else "not measured",
    )


def _trained(heard: Mapping[str, float]) -> dict[str, str]:
    """What it has heard, in both languages."""
    if not heard["own"]:
        return {
            "trained_zh": "只用合成语音训练，听不懂真人",
            "trained": "Trained on nothing but synthetic speech: it hears what espeak-ng says, not people",
            "never": "It has never heard a person.",
        }
    hours = f"{heard['own']:.1f} hours of recordings of its maker's own, distorted ones counted"
    beside = " and on synthetic speech (espeak-ng)" if heard["synthetic"] else ""
    return {
        "trained_zh": "用自备录音" + ("和合成语音" if beside else "") + "训练",
        "trained": f"Trained on {hours},{beside}".rstrip(","),
        "never": f"Of people it has heard {hours}.",
    }


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
