"""The recordings of a folder, and what is said in them by whoever wrote it down.

A transcript comes from, in this order: a table with a header (`*.tsv`, `*.csv`) that names the file and what is said in
it, as SOURCE.tsv of the shared data or Common Voice's lists do; a text file beside the recording (`a.wav`, `a.txt`); a
list of `name text` lines (`text`, `*transcript*.txt`, `*.trans.txt`), as Kaldi's and AISHELL's are. Recordings without
any are left out, and counted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.language.clean import guess_language

FILES = ("file", "path", "audio", "wav", "filename")
"""Columns that name the recording."""
TEXTS = ("transcript", "sentence", "text", "transcription")
"""Columns that say what is said in it."""
LANGUAGES = ("lang", "language", "locale")
LISTS = ("text", "*transcript*.txt", "*.trans.txt")


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording to be recognised."""

    path: Path
    """A WAV file."""
    text: str
    """What is said in it."""
    language: str
    """`zh` or `en`."""

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem


def clips(folder: Path, *, language: str = "", limit: int = 0) -> tuple[list[Clip], int]:
    """Recordings in and under `folder` with transcripts, by path, and how many have none.

    Of one `language` alone where that is given, and at most `limit`, spread over all of them, where that is not 0. Ends
    the program, naming the folder, when it is missing or nothing is left.
    """
    if not folder.is_dir():
        raise SystemExit(f"--data: expected a folder of recordings, got {folder}, which is none")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".wav" and path.is_file())
    if not files:
        raise SystemExit(f"--data: expected WAV files in {folder}, got none")
    known = {**dict(_listed(folder)), **dict(_tabled(folder))}
    found = []
    for path in files:
        text, spoken = known.get(path.name) or known.get(path.stem) or (_beside(path), "")
        if text.strip():
            found.append(Clip(path, text.strip(), _language(spoken, text)))
    left = [clip for clip in found if language in ("", clip.language)]
    if not left:
        wanted = f" in {language}" if language else ""
        raise SystemExit(f"--data: expected recordings{wanted} with transcripts in {folder}, got none of {len(files)}")
    if limit and limit < len(left):
        left = [left[at * len(left) // limit] for at in range(limit)]
    return left, len(files) - len(found)


def _language(tag: str, text: str) -> str:
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return primary if primary in ("zh", "en") else guess_language(text)


def _beside(path: Path) -> str:
    text = path.with_suffix(".txt")
    return text.read_text("utf-8-sig") if text.is_file() else ""


def _tabled(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    for path in sorted((*folder.rglob("*.tsv"), *folder.rglob("*.csv"))):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            # In a TSV quotes are characters like any other.
            tabbed = path.suffix == ".tsv"
            rows = csv.DictReader(lines, dialect="excel-tab" if tabbed else "excel", quoting=3 if tabbed else 0)
            names = {name.strip().lower(): name for name in rows.fieldnames or ()}
            file, text, language = (_first(names, wanted) for wanted in (FILES, TEXTS, LANGUAGES))
            if file is None or text is None:
                continue
            for row in rows:
                said = (row[text] or "", (row[language] or "") if language else "")
                yield Path(row[file] or "").name, said


def _first(names: dict[str, str], wanted: tuple[str, ...]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _listed(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    for path in sorted({path for pattern in LISTS for path in folder.rglob(pattern) if path.is_file()}):
        if path.with_suffix(".wav").is_file():
            continue  # the transcript of one recording that is called so
        for line in path.read_text("utf-8-sig").splitlines():
            name, _, text = line.strip().replace("\t", " ").partition(" ")
            if text.strip():
                yield Path(name).stem if name.lower().endswith(".wav") else name, (text, "")
