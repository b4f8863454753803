"""F1 of whole mentions on the test sentences: tables and patterns alone, the network alone, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from appliance.language.entities import EntityFinder
from appliance.language.tagger import Tagger
from export.train.sentences import Sentence

Find = Callable[[str], Iterable[Any]]


def tagged(spans: Iterable[Any], length: int) -> list[str]:
    """BIO tags of mentions that do not overlap."""
    found = ["O"] * length
    for span in spans:
        found[span.start] = f"B-{span.type}"
        found[span.start + 1 : span.end] = [f"I-{span.type}"] * (span.end - span.start - 1)
    return found


def score(find: Find, test: Sequence[Sentence], types: Iterable[str]) -> dict[str, Any]:
    """F1 as seqeval counts it over `types`, and for each of them."""
    from seqeval.metrics import classification_report, f1_score

    kept = frozenset(types)
    truth = [tagged((s for s in sentence.spans if s.type in kept), len(sentence.text)) for sentence in test]
    guess = [tagged((s for s in find(s_.text) if s.type in kept), len(s_.text)) for s_ in test]
    report = classification_report(truth, guess, output_dict=True, zero_division=0)
    return {
        "f1": round(float(f1_score(truth, guess)), 4),
        "by_type": {name: round(float(row["f1-score"]), 4) for name, row in report.items() if " avg" not in name},
        "sentences": len(test),
    }


def compare(finder: EntityFinder, tagger: Tagger, test: Sequence[Sentence], types: Iterable[str]) -> dict[str, Any]:
    """All three on cleaned sentences whose mentions are marked."""
    types = tuple(types)

    def joined(text: str) -> Iterable[Any]:
        found = finder.find(text)
        return finder.joined(text, found, tagger.find(text, found), tagger.judges, tagger.longest) if text else found

    return {
        "rules": score(finder.find, test, types),
        "network": score(lambda text: tagger.find(text, finder.find(text)), test, types),
        "joined": score(joined, test, types),
    }
