"""Sound as the network learns from it: frames (`bank.Bank`) of spoken, distorted lines, in files of a thousand or so.

A shard is two files: `NAME.npy`, features of all its clips behind each other (frames, BANDS) float16, and
`NAME.json`, a row for each clip. It is written once and whole, so that a run that was killed goes on with the next.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from appliance.speech.ctc.bank import BANDS, Bank
from export.train.asr import distort, speak, units
from export.train.asr.distort import Chances
from export.train.asr.speak import Setting
from export.train.asr.text import Line

SIZE = 512
"""Lines of a shard."""
_KEPT = 48
"""Clips of a shard that may be heard behind others."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken line."""

    text: str
    """What was said, without pauses."""
    label: str
    """Intent; empty where it is not known."""
    source: str
    """Where the line is from (`text.Line.source`)."""
    voice: str
    """espeak-ng's variant, or the speaker's file."""
    rate: int
    """As in `speak.Setting`."""
    pitch: int
    """As in `speak.Setting`."""
    melody: int
    """As in `speak.Setting`; of a recording rate, pitch and this are 0."""
    begin: int
    """First frame in the shard."""
    end: int
    """One past its last frame."""
    middles: tuple[int, ...] = ()
    """Frame in the clip in which about the middle of each unit lies (`middles_of`)."""


@dataclass(frozen=True)
class Task:
    """A shard to be made."""

    path: Path
    """Where to, without a suffix."""
    lines: tuple[Line, ...]
    """What is said."""
    settings: tuple[Setting, ...]
    """How each is said."""
    chances: Chances
    """How they are distorted."""
    seed: int
    """Of everything that is drawn."""
    keep: bool = False
    """Write the sound of every clip, too, as NAME-NNNN.wav: for measuring."""


def features(samples: distort.Samples) -> npt.NDArray[np.float32]:
    """Frames of a whole sound at 16 kHz, shape (frames, BANDS): those of the stream, in one piece."""
    found = Bank()(samples)
    return np.stack(found) if found else np.zeros((0, BANDS), np.float32)


def middles_of(clean: distort.Samples, count: int) -> tuple[int, ...]:
    """Frames in which about the middles of `count` units lie that are said in a sound without noise.

    As if all were equally long and nothing but pauses lay between them: what a training begins with (a flat start).
    """
    hop = distort.RATE // 100
    blocks = clean[: len(clean) // hop * hop].reshape(-1, hop)
    power = np.convolve((blocks**2).mean(1), np.ones(5) / 5, "same")
    loud = np.flatnonzero(power > power.max(initial=0.0) * 1e-3)
    if not len(loud) or not count:
        return ()
    found = loud[((np.arange(count) + 0.5) / count * len(loud)).astype(np.int64)]
    return tuple(found.tolist())


def tasks(
    part: str, lines: Sequence[Line], folder: Path, *, chances: Chances, seed: int, keep: bool = False
) -> list[Task]:
    """Shards in which every line is said in a setting of the part, in any order; one that is there twice, twice."""
    said = list(lines)
    random.Random(f"{part}-{seed}").shuffle(said)
    settings = speak.settings(part, len(said), seed)
    return [
        Task(
            folder / f"{part}-{at // SIZE:04d}",
            tuple(said[at : at + SIZE]),
            tuple(settings[at : at + SIZE]),
            chances,
            seed + at,
            keep,
        )
        for at in range(0, len(said), SIZE)
    ]


def make(planned: Sequence[Task], workers: int | None = None) -> Iterator[Path]:
    """Make the shards that are not there yet, several at a time; each path as it is done."""
    missing = [task for task in planned if not task.path.with_suffix(".json").is_file()]
    count = min(len(missing), workers or os.cpu_count() or 1)
    if count < 2:
        yield from map(_made, missing)
        return
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        yield from pool.imap_unordered(_made, missing)


def _made(task: Task) -> Path:
    draw = np.random.default_rng(task.seed)
    others: list[distort.Samples] = []
    rows, blocks, at = [], [], 0
    for number, (line, setting) in enumerate(zip(task.lines, task.settings, strict=True)):
        spoken, said = speak.spoken(line.text, setting)
        clean = distort.placed(spoken, draw, task.chances)
        sound = distort.distorted(clean, draw, task.chances, others)
        if len(others) < _KEPT:
            others.append(clean)
        else:
            others[int(draw.integers(_KEPT))] = clean
        block = features(sound).astype(np.float16)
        how = (said.voice, said.rate, said.pitch, said.melody)
        middles = middles_of(clean, len(units.read(line.text)))
        rows.append(Clip(line.bare, line.label, line.source, *how, at, at + len(block), middles))
        blocks.append(block)
        at += len(block)
        if task.keep:
            _write_wav(task.path.parent / f"{task.path.name}-{number:04d}.wav", sound)
    write(task.path, rows, blocks)
    return task.path


def write(path: Path, clips: Sequence[Clip], blocks: Sequence[npt.NDArray[np.float16]]) -> None:
    """Write a shard; the JSON last: it says that the shard is whole."""
    np.save(path.with_suffix(".npy"), np.concatenate(blocks))
    part = path.with_suffix(".part")
    part.write_text(json.dumps([asdict(clip) for clip in clips], ensure_ascii=False), "utf-8")
    part.replace(path.with_suffix(".json"))


def read(folder: Path, part: str) -> tuple[list[Clip], list[npt.NDArray[np.float16]]]:
    """All clips of a part, and the features of each, mapped from disk."""
    clips: list[Clip] = []
    blocks: list[npt.NDArray[np.float16]] = []
    for path in sorted(folder.glob(f"{part}-*.json")):
        mapped: Any = np.load(path.with_suffix(".npy"), mmap_mode="r")
        for clip in rows(path):
            clips.append(clip)
            blocks.append(mapped[clip.begin : clip.end])
    return clips, blocks


def rows(path: Path) -> list[Clip]:
    """The clips of one shard, from its JSON."""
    return [Clip(**row | {"middles": tuple(row["middles"])}) for row in json.loads(path.read_text("utf-8"))]


def _write_wav(path: Path, sound: distort.Samples) -> None:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(distort.RATE)
        file.writeframes(np.rint(sound * 32767).astype("<i2").tobytes())
