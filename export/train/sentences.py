"""Labelled sentences and the three formats that they are read from; what is training, and what is test.

1. The project's own, as `data/store` holds it: a file for each intent, one sentence a line,
   `style TAB polarity TAB sentence` with each mention in square brackets and its type behind it in round ones.
2. JSONL, for any data of a user's own: `{"text": ..., "label": ..., "spans": [{"start": 0, "end": 3, "type": ...}],
   "polarity": "neg"}`, of which all but `text` may be missing; positions count characters. A folder holds
   `train.jsonl`, `test.jsonl` and, if wanted, `dev.jsonl`.
3. MASSIVE's JSONL (FitzGerald et al. 2022, arXiv 2204.08582): `utt`, `intent`, `annot_utt` with `[type : words]`,
   `partition` of train, dev or test; one file of a locale, or a folder with one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.language.clean import Cleaner

STYLES = ("plain", "short", "long", "rude", "polite", "dialect", "mixed", "typo", "asr", "rambling")
NOISY = ("dialect", "typo", "asr", "rambling")
"""Styles that count as noisy."""
POLARITIES = ("neg", "neu", "pos")
PARTS = ("train", "dev", "test")

_MARKED = re.compile(r"\[(?P<text>[^\[\]]+)\]\((?P<type>[a-z_]+)\)")
_MASSIVE = re.compile(r"\[\s*(?P<type>[a-z_]+)\s*:\s*(?P<text>[^\]]*?)\s*\]")
_UNLABELLED = ("sentiment", "entities")
"""Files of the project's own format whose sentences have no intent."""


class DataInvalid(ValueError):
    """A file of sentences that cannot be read; the message names file, line, what was expected and found."""


@dataclass(frozen=True, slots=True)
class Span:
    """A mention of an entity."""

    start: int
    """First character."""
    end: int
    """One past the last."""
    type: str
    """Entity type."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One labelled sentence."""

    text: str
    """The words."""
    label: str = ""
    """Intent; empty where it is not known."""
    spans: tuple[Span, ...] = ()
    """Mentions in order of position, none overlapping."""
    polarity: str = ""
    """neg, neu or pos; empty where it is not known."""
    style: str = ""
    """One of STYLES; empty where it is not known."""
    spanned: bool = True
    """False where nobody has marked the mentions, so that `spans` says nothing."""

    @property
    def noisy(self) -> bool:
        """True for dialect, typing errors, recogniser errors and rambling."""
        return self.style in NOISY


def unmarked(text: str) -> tuple[str, tuple[Span, ...]]:
    """`[洗衣液](product)在哪` as plain text and its mentions."""
    plain, spans, at = "", [], 0
    for found in _MARKED.finditer(text):
        plain += text[at : found.start()]
        spans.append(Span(len(plain), len(plain) + len(found["text"]), found["type"]))
        plain += found["text"]
        at = found.end()
    return plain + text[at:], tuple(spans)


def read_own(path: Path) -> Iterator[Sentence]:
    """Sentences of one file of the project's own format; its name is their intent."""
    label = "" if path.stem in _UNLABELLED else path.stem
    for number, line in enumerate(_lines(path), 1):
        fields = line.split("\t")
        if len(fields) != 3 or fields[0] not in STYLES or fields[1] not in POLARITIES or not fields[2].strip():
            raise DataInvalid(
                f"{path.name}:{number}: expected style, polarity and sentence with TABs between, got {line!r}"
            )
        text, spans = unmarked(fields[2])
        if "](" in text:
            raise DataInvalid(f"{path.name}:{number}: expected [mention](type), got {fields[2]!r}")
        yield Sentence(text, label, spans, fields[1], fields[0])


def read_jsonl(path: Path) -> Iterator[Sentence]:
    """Sentences of one JSONL file, this project's or MASSIVE's."""
    for _, sentence in _rows(path):
        yield sentence


def _rows(path: Path) -> Iterator[tuple[str, Sentence]]:
    """(MASSIVE's partition or nothing, sentence) of every line that is not empty."""
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TypeError(f"{type(row).__name__} is no object")
            yield str(row.get("partition") or ""), _massive(row) if "utt" in row else _plain(row)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataInvalid(
                f"{path.name}:{number}: expected an object with text, label and spans, or MASSIVE's, got {line[:80]!r} "
                f"({type(error).__name__}: {error})"
            ) from error


def _lines(path: Path) -> list[str]:
    """Lines of a text file; only a line feed ends one: JSON may hold the other characters that `splitlines` cuts at."""
    try:
        lines = path.read_text("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise DataInvalid(f"{path.name}: expected UTF-8, got {error}") from error
    return lines[:-1] if lines and not lines[-1] else lines


def _plain(row: dict[str, object]) -> Sentence:
    text = row["text"]
    if not isinstance(text, str) or not text:
        raise ValueError("text is empty")
    spans = []
    for span in row.get("spans") or ():  # type: ignore[attr-defined]
        found = Span(int(span["start"]), int(span["end"]), str(span["type"]))
        if not 0 <= found.start < found.end <= len(text):
            raise ValueError(f"a span of {found.start} to {found.end} in {len(text)} characters")
        spans.append(found)
    spans.sort(key=lambda span: span.start)
    if any(a.end > b.start for a, b in itertools.pairwise(spans)):
        raise ValueError("spans overlap")
    polarity = str(row.get("polarity") or "")
    if polarity and polarity not in POLARITIES:
        raise ValueError(f"polarity {polarity!r}")
    return Sentence(
        text,
        str(row.get("label") or ""),
        tuple(spans),
        polarity,
        str(row.get("style") or ""),
        row.get("spans") is not None,
    )


def _massive(row: dict[str, object]) -> Sentence:
    marked = str(row["annot_utt"])
    plain, spans, at = "", [], 0
    for found in _MASSIVE.finditer(marked):
        plain += marked[at : found.start()]
        spans.append(Span(len(plain), len(plain) + len(found["text"]), found["type"]))
        plain += found["text"]
        at = found.end()
    return Sentence(plain + marked[at:], str(row["intent"]), tuple(spans))


def _partition(path: Path, part: str) -> Iterator[Sentence]:
    """The part of a MASSIVE file, all locales of which stand in one file with their partition."""
    return (sentence for partition, sentence in _rows(path) if partition == part)


def load(folder: Path, part: str) -> list[Sentence]:
    """Sentences of `part` (train, dev or test) in `folder` or a MASSIVE file; raises DataInvalid when there are none.

    Training steps ask for `train` and `dev` alone; only evaluations ask for `test`.
    """
    if part not in PARTS:
        raise DataInvalid(f"part: expected one of {', '.join(PARTS)}, got {part!r}")
    found: list[Sentence] = []
    if folder.is_file():
        found = list(_partition(folder, part))
    elif (folder / part).is_dir():
        for path in sorted((folder / part).glob("*.txt")):
            found += read_own(path)
    elif (folder / f"{part}.jsonl").is_file():
        found = list(read_jsonl(folder / f"{part}.jsonl"))
    else:
        for path in sorted(folder.glob("*.jsonl")):
            found += _partition(path, part)
    if not found and part != "dev":
        raise DataInvalid(
            f"{folder}: expected {part}/*.txt, {part}.jsonl or MASSIVE's *.jsonl with that partition, found no sentence"
        )
    return found


def cleaned(sentence: Sentence, cleaner: Cleaner) -> Sentence:
    """The sentence as the running appliance sees it: uniform widths, simplified, lower case; spans moved along."""
    found = cleaner.clean(sentence.text)
    spans = []
    for span in sentence.spans:
        moved = found.cleaned_span(span.start, span.end)
        if moved is not None and (not spans or spans[-1].end <= moved[0]):
            spans.append(Span(moved[0], moved[1], span.type))
    return replace(sentence, text=found.text, spans=tuple(spans))


def labels(sentences: Iterable[Sentence]) -> tuple[str, ...]:
    """All intents, sorted."""
    return tuple(sorted({sentence.label for sentence in sentences if sentence.label}))


def types(sentences: Iterable[Sentence]) -> tuple[str, ...]:
    """All entity types, sorted."""
    return tuple(sorted({span.type for sentence in sentences for span in sentence.spans}))
