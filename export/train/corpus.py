"""What the pack's models learn from: hand-written sentences, template expansions, questions with their variants."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.language.clean import Cleaner
from appliance.packs.schema import Pack
from export.train import expand, sentences
from export.train.sentences import Sentence

DATA = Path(__file__).parent / "data" / "store"
"""The project's own data for pack `store`."""
DEV_SHARE = 0.1


@dataclass(frozen=True)
class Question:
    """A frequent question, one way of asking it."""

    row: str
    """Its row in the CSV; empty for a question that no row answers."""
    text: str
    """The words."""
    style: str = ""
    """As in sentences.STYLES; empty where it is not known."""


@dataclass(frozen=True)
class Corpus:
    """Training material of one pack, cleaned as the running appliance cleans. No test file has been read for it."""

    train: tuple[Sentence, ...]
    """Hand-written sentences, but for those of `dev`."""
    dev: tuple[Sentence, ...]
    """A tenth of the hand-written sentences of every intent: for early stopping and thresholds."""
    drawn: tuple[Sentence, ...]
    """Expansions of the pack's templates, and its example sentences."""
    questions: tuple[Question, ...]
    """Ways of asking the frequent questions that the CSV lists, and questions that none answers; less a tenth."""
    dev_questions: tuple[Question, ...] = ()
    """That tenth: for the weights by which the appliance judges how probable a row is."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything, as plain text, each once."""
        found = [s.text for s in (*self.train, *self.dev, *self.drawn)]
        found += [q.text for q in (*self.questions, *self.dev_questions)]
        return tuple(dict.fromkeys(found))


def is_dev(text: str, share: float = DEV_SHARE) -> bool:
    """True for about `share` of all texts, always the same ones."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) < share * 0x100000000


def questions_of(pack: Pack) -> list[Question]:
    """All ways of asking the pack's frequent questions."""
    return [Question(row.id, way) for row in pack.faq for way in row.ways]


def unanswered(folder: Path) -> list[Question]:
    """Questions near the pack's that no row answers, from `train/unanswered.csv`."""
    with (folder / "train" / "unanswered.csv").open(newline="", encoding="utf-8") as file:
        return [Question("", row["question"]) for row in csv.DictReader(file)]


def read_test_questions(path: Path) -> list[Question]:
    """Test questions: id (empty: nothing answers it), question, style."""
    with path.open(newline="", encoding="utf-8") as file:
        return [Question(row["id"], row["question"], row["style"]) for row in csv.DictReader(file)]


def load(pack: Pack, folder: Path = DATA, each: int = 40, seed: int = 7) -> Corpus:
    """The corpus of `pack` from `folder`, with `each` expansions of every intent."""
    cleaner = Cleaner()

    def clean(found: Iterable[Sentence]) -> tuple[Sentence, ...]:
        return tuple(s for s in (sentences.cleaned(sentence, cleaner) for sentence in found) if s.text)

    written = sentences.load(folder, "train")
    questions = [replace(q, text=cleaner.clean(q.text).text) for q in [*questions_of(pack), *unanswered(folder)]]
    return Corpus(
        clean(sentence for sentence in written if not is_dev(sentence.text)),
        clean(sentence for sentence in written if is_dev(sentence.text)),
        clean(expand.expansions(pack, each, seed)),
        tuple(question for question in questions if not is_dev(question.text)),
        tuple(question for question in questions if is_dev(question.text)),
    )
