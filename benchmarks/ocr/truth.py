"""The images of a folder and what is printed on them, by whoever labelled them.

Truth comes from, in this order: benchmarks/ocr/truth/*.json by the image's sha256 (transcribed by eye, see the README
there), a SROIE label file of the same name beside the image (`x1,y1,...,x4,y4,text` a line, the text may hold commas),
or a `cases.json` of this project in the folder. An image without any is measured for time, memory and turning only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRUTH = Path(__file__).parent / "truth"
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
CORNERS = 8
"""Numbers before the text in a SROIE label."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is printed on an image."""

    lines: tuple[str, ...]
    """Lines that a person reads for certain."""
    illegible: tuple[str, ...]
    """As much as can be guessed of the others."""
    origin: str
    """`eye`, `sroie` or `cases`."""
    caseless: bool = False
    """True when the labels are in capitals whatever the print is, as SROIE's are."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image to be read."""

    path: Path
    """Its file."""
    sha256: str
    """Of the file's bytes."""
    truth: Truth | None
    """None where nobody labelled it."""

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name


def images(folder: Path, only: str = "*") -> list[Image]:
    """Images directly in `folder` whose names match the pattern `only`, by name.

    Ends the program, naming the folder, when it is missing or holds none.
    """
    if not folder.is_dir():
        raise SystemExit(f"--data: expected a folder of images, got {folder}, which is none")
    found = sorted(p for p in folder.glob(only) if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise SystemExit(
            f"--data: expected images ({', '.join(SUFFIXES)}) that match {only} in {folder}, got none of them"
        )
    by_eye, cases = transcriptions(TRUTH), _cases(folder / "cases.json")
    return [_image(path, by_eye, cases) for path in found]


def transcriptions(folder: Path) -> dict[str, Truth]:
    """What people read, by sha256 of the image. Ends the program when two files speak of one image."""
    found: dict[str, Truth] = {}
    for path in sorted(folder.glob("*.json")):
        loaded = json.loads(path.read_text("utf-8"))
        if loaded["sha256"] in found:
            raise SystemExit(f"{path}: expected one transcription for each image, got a second of {loaded['file']}")
        found[loaded["sha256"]] = Truth(
            tuple(line["text"] for line in loaded["lines"] if line["legible"]),
            tuple(line["text"] for line in loaded["lines"] if not line["legible"] and line["text"]),
            "eye",
        )
    return found


def sroie(text: str) -> Truth:
    """A SROIE label file. Ends the program at a line that is none."""
    lines = []
    for number, row in enumerate(text.splitlines(), 1):
        parts = row.split(",", CORNERS)
        if not row.strip():
            continue
        if len(parts) <= CORNERS or not all(part.strip().lstrip("-").isdigit() for part in parts[:CORNERS]):
            raise SystemExit(f"SROIE label, line {number}: expected x1,y1,...,x4,y4,text, got {row!r}")
        lines.append(parts[CORNERS])
    return Truth(tuple(lines), (), "sroie", caseless=True)


def _image(path: Path, by_eye: Mapping[str, Truth], cases: Mapping[str, Truth]) -> Image:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    beside = path.with_suffix(".csv")
    if digest in by_eye:
        truth: Truth | None = by_eye[digest]
    elif beside.is_file():
        truth = sroie(beside.read_text("utf-8-sig"))
    else:
        truth = cases.get(path.name)
    return Image(path, digest, truth)


def _cases(path: Path) -> dict[str, Truth]:
    """Truth of the images that a model of this project carries as its cases."""
    if not path.is_file():
        return {}
    loaded: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return {case["file"]: Truth(_printed(case["truth"]), (), "cases") for case in loaded}


def _printed(truth: Mapping[str, Any]) -> tuple[str, ...]:
    """A case is a page with lines, or one line."""
    return tuple(line["text"] for line in truth["lines"]) if "lines" in truth else (truth["text"],)
