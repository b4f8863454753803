"""What the understanding networks are trained on, whatever it was read from: the project's corpus, or a user's data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from appliance.language.clean import Cleaner
from export.train import sentences
from export.train.corpus import Corpus, Question, is_dev
from export.train.noise import Noise
from export.train.sentences import POLARITIES, DataInvalid, Sentence

UNANSWERED = ""
"""Row of a question that no row answers."""


@dataclass(frozen=True)
class Material:
    """Sentences and questions with their labels, cleaned. No test sentence is among them."""

    train: tuple[Sentence, ...]
    """Sentences to learn from."""
    dev: tuple[Sentence, ...]
    """Sentences for early stopping and thresholds."""
    questions: tuple[Question, ...] = ()
    """Ways of asking frequent questions, and questions that nothing answers."""

    @property
    def intents(self) -> tuple[str, ...]:
        """All intents, sorted."""
        return sentences.labels(self.train)

    @property
    def polarities(self) -> tuple[str, ...]:
        """All polarities, in the project's order, whether or not the data have all of them."""
        return POLARITIES

    @property
    def rows(self) -> tuple[str, ...]:
        """Ids of the frequent questions, sorted."""
        return tuple(sorted({question.row for question in self.questions} - {UNANSWERED}))

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is learnt from, each text once."""
        found = [*(s.text for s in (*self.train, *self.dev)), *(q.text for q in self.questions)]
        return tuple(dict.fromkeys(found))


def of_corpus(corpus: Corpus, extra: Iterable[Path] = ()) -> Material:
    """The pack's corpus: written and drawn sentences, the questions that are not held back, and more text."""
    return Material((*corpus.train, *corpus.drawn, *more(extra)), corpus.dev, corpus.questions)


def more(paths: Iterable[Path]) -> list[Sentence]:
    """Text without labels, a sentence a line, of which a student hears the teacher's opinion; cleaned."""
    cleaner = Cleaner()
    lines = [line for path in paths for line in path.read_text("utf-8").splitlines()]
    return [Sentence(text, spanned=False) for text in (cleaner.clean(line).text for line in lines) if text]


def of_folder(folder: Path, extra: Iterable[Path] = ()) -> Material:
    """Data of a user's own, in any format of `sentences`; without a dev part a tenth is held out."""
    cleaner = Cleaner()

    def clean(found: Iterable[Sentence]) -> list[Sentence]:
        return [s for s in (sentences.cleaned(sentence, cleaner) for sentence in found) if s.text]

    train, dev = clean(sentences.load(folder, "train")), clean(sentences.load(folder, "dev"))
    if not dev:
        dev = [s for s in train if is_dev(s.text)] or train[::10]
        held = set(dev)
        train = [s for s in train if s not in held]
    return Material((*train, *more(extra)), tuple(dev))


def as_sentiment(found: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """Sentences whose label is their polarity where they have none of their own (data that were labelled for it)."""
    return tuple(
        replace(s, polarity=s.label, label="") if not s.polarity and s.label in POLARITIES else s for s in found
    )


def need(material: Material, what: str) -> None:
    """Raise DataInvalid unless there are labels for `what`, intent or sentiment."""
    attribute = "label" if what == "intent" else "polarity"
    seen = {getattr(sentence, attribute) for sentence in material.train} - {""}
    if len(seen) < 2:
        raise DataInvalid(f"expected sentences with at least two kinds of {attribute}, found {sorted(seen)}")


def noisy(material: Material, count: int, rate: float, seed: int) -> list[Mapping[str, str]]:
    """`count` mappings from every text to a noisy version of it; the first leaves all as they are."""
    found: list[Mapping[str, str]] = [{text: text for text in material.texts}]
    for number in range(1, count):
        noise = Noise(seed + number)
        found.append({text: noise.of(Sentence(text), rate).text for text in material.texts})
    return found
