"""Fails when a training sentence is nearly a test sentence: `python -m export.train.duplicates [--data DIR]`.

Looked at without punctuation and spaces: equal texts, and texts of LEAST characters or more whose edit similarity is
NEAR or more. Sentences drawn from the pack's templates are counted beside, for nobody wrote them: how many test
sentences a template says word for word is printed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.packs.compile import load_pack
from appliance.packs.schema import Pack
from export.train import corpus, sentences

NEAR, LEAST = 86.0, 6
_SILENT = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Pair:
    """A training text and a test text that are too near."""

    train: str
    """As it stands in the training data."""
    test: str
    """As it stands in the test data."""
    likeness: float
    """0 to 100."""


def bare(text: str) -> str:
    """Letters and digits alone, lower case."""
    return _SILENT.sub("", text).lower()


def pairs(train: Sequence[str], test: Sequence[str]) -> list[Pair]:
    """For every training text that is too near a test text, the nearest one."""
    from rapidfuzz import fuzz, process

    ours, theirs = [bare(text) for text in train], [bare(text) for text in test]
    found: list[Pair] = []
    if not theirs:
        return found
    for begin in range(0, len(ours), 512):
        likeness = process.cdist(
            ours[begin : begin + 512], theirs, scorer=fuzz.ratio, score_cutoff=NEAR, dtype=np.float32
        )
        for row, column in enumerate(likeness.argmax(1)):
            value, text = float(likeness[row, column]), ours[begin + row]
            if value >= NEAR and (value == 100.0 or min(len(text), len(theirs[column])) >= LEAST):
                found.append(Pair(train[begin + row], test[column], round(value, 1)))
    return found


def found_in(folder: Path, pack: Pack) -> tuple[list[Pair], list[Pair], int]:
    """(Pairs of sentences, pairs of questions, test sentences that a template says) in the project's data."""
    test = [sentence.text for sentence in sentences.load(folder, "test")]
    train = [sentence.text for sentence in sentences.load(folder, "train")]
    asked = [question.text for question in corpus.read_test_questions(folder / "test" / "faq.csv")]
    ways = [question.text for question in [*corpus.questions_of(pack), *corpus.unanswered(folder)]]
    drawn = {bare(sentence.text) for sentence in corpus.load(pack, folder).drawn}
    return pairs(train, test), pairs(ways, asked), sum(bare(text) in drawn for text in test)


def main() -> int:
    """Print what is too near; 1 when there is any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=corpus.DATA)
    parser.add_argument("--pack", default="store")
    asked = parser.parse_args()
    written, questions, drawn = found_in(asked.data, load_pack(asked.pack))
    for pair in (*written, *questions):
        print(f"{pair.likeness:5.1f}  {pair.train!r} is nearly {pair.test!r}", file=sys.stderr)
    print(f"{len(written)} sentences and {len(questions)} questions too near a test one; templates say {drawn} of them")
    return 1 if written or questions else 0


if __name__ == "__main__":
    raise SystemExit(main())
