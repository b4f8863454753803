"""Recordings of a user's own: a folder of WAV files with their text, to learn from or to measure with.

The words stand in `NAME.txt` beside `NAME.wav`, or in a table of the folder (any `*.tsv` whose head has the columns
`file` and `transcript` or `text`). Their licence, and whether the speakers agree, is the user's to mind.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.speech.resample import to_16k
from appliance.speech.wav import decode
from appliance.values import Audio
from export.train.asr import distort, shards, text, units
from export.train.asr.shards import Clip

_SECONDS, _BYTES = 30.0, 1 << 25
DEV_SHARE = 0.1


class RecordingsInvalid(ValueError):
    """A folder of recordings that cannot be read; the message says what was expected."""


@dataclass(frozen=True)
class Recording:
    """One recording with what is said in it."""

    path: Path
    """The WAV file."""
    text: str
    """What is said, as `text.spoken` writes it, without pauses."""


def find(folder: Path) -> list[Recording]:
    """Recordings of `folder` in Mandarin, sorted by path; those with English words are left out.

    Raises RecordingsInvalid when there is none.
    """
    found = [Recording(path, said) for path, words in sorted(_pairs(folder)) if (said := _said(words))]
    if not found:
        raise RecordingsInvalid(
            f"{folder}: expected WAV files with their text in NAME.txt or in a table with the columns file and "
            "transcript, found none in Mandarin"
        )
    return found


def audio(recording: Recording) -> Audio:
    """Its sound at 16 kHz."""
    return to_16k(decode(recording.path.read_bytes(), max_seconds=_SECONDS, max_bytes=_BYTES))


def shard(found: Sequence[Recording], folder: Path, *, times: int, seed: int) -> None:
    """Write all of `found` as shards train-own and, a tenth of them as they are, dev-own; done once."""
    parts = {
        "dev": [one for one in found if text.chance(one.text, "dev") < DEV_SHARE],
        "train": [one for one in found if text.chance(one.text, "dev") >= DEV_SHARE],
    }
    for part, chosen in parts.items():
        path = folder / f"{part}-own"
        if not chosen or path.with_suffix(".json").is_file():
            continue
        draw = np.random.default_rng(seed)
        rows: list[Clip] = []
        blocks, at = [], 0
        for one in chosen:
            clean = audio(one).samples
            for number in range(times if part == "train" else 1):
                sound = distort.distorted(clean, draw, distort.USUAL) if number else clean
                block = shards.features(sound).astype(np.float16)
                middles = shards.middles_of(clean, len(units.read(one.text)))
                rows.append(Clip(one.text, "", "own", one.path.name, 0, 0, 0, at, at + len(block), middles))
                blocks.append(block)
                at += len(block)
        shards.write(path, rows, blocks)


def _said(words: str) -> str:
    return (text.spoken(words) or "").replace("，", "")


def _pairs(folder: Path) -> Iterator[tuple[Path, str]]:
    for table in sorted(folder.glob("*.tsv")):
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                words = row.get("transcript") or row.get("text")
                path = folder / (row.get("file") or "")
                if words and path.suffix.lower() == ".wav" and path.is_file():
                    yield path, words
    for path in folder.rglob("*.wav"):
        beside = path.with_suffix(".txt")
        if beside.is_file():
            yield path, beside.read_text("utf-8-sig").strip()


def digest(folder: Path) -> str:
    """What the folder holds, for the key of a stage."""
    return json.dumps([[path.name, path.stat().st_size] for path in sorted(folder.rglob("*")) if path.is_file()])
