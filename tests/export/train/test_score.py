"""What the networks are judged by, against values counted by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from appliance.language.lexicon import OUT_OF_SCOPE
from export.train import score
from export.train.sentences import Sentence

INTENTS = ("find", OUT_OF_SCOPE, "refund")
POLARITIES = ("neg", "neu", "pos")
Pair = tuple[Sequence[float], Sequence[float]]


@dataclass
class FakeNetwork:
    """Says what it was told to say of each text."""

    says: Mapping[str, Pair]
    meaning: Any = field(default_factory=lambda: SimpleNamespace(intents=INTENTS, polarities=POLARITIES))

    def read(self, texts: Sequence[str]) -> tuple[Any, Any, Any]:
        intents, polarities = zip(*(self.says[text] for text in texts), strict=True)
        return np.array(intents), np.array(polarities), np.zeros((len(texts), 2))


def logits(*chances: Sequence[float]) -> npt.NDArray[np.float64]:
    return np.array([[math.log(chance) for chance in row] for row in chances])


TEST = (
    Sentence("a", "find", style="plain"),
    Sentence("b", "find", style="typo"),
    Sentence("c", "refund", style="asr"),
    Sentence("d", "refund", style="plain"),
    Sentence("e", OUT_OF_SCOPE, style="plain"),
    Sentence("f", OUT_OF_SCOPE, style="dialect"),
    Sentence("g", "", style="plain"),
)
CHANCES = logits(
    (0.82, 0.1, 0.08),  # right
    (0.28, 0.1, 0.62),  # refund for find
    (0.18, 0.1, 0.72),  # right
    (0.2, 0.5, 0.3),  # thought out of scope
    (0.1, 0.63, 0.27),  # right
    (0.42, 0.33, 0.25),  # find for out of scope
    (0.9, 0.05, 0.05),  # nobody knows what it is
)


def test_accuracy_in_scope_with_its_halves_and_out_of_scope() -> None:
    found = score.intents(CHANCES, INTENTS, TEST)
    assert (found["accuracy"], found["count"]) == (0.5, 4)
    assert (found["accuracy_noisy"], found["accuracy_clean"]) == (0.5, 0.5)
    assert found["rejected"] == 0.5
    # By the most probable intent in scope: 0.82, 0.62, 0.72 and 0.3 against 0.27 and 0.42; all pairs but one.
    assert found["auroc"] == 7 / 8


def test_calibration_error_counts_whatever_has_a_known_intent() -> None:
    # Each stands alone in its fifteenth, but 0.62 and 0.63 together, one of them right; the seventh has no label.
    found = score.intents(CHANCES, INTENTS, TEST)
    wanted = ((1 - 0.82) + (1 - 0.72) + 0.5 + 0.42 + 2 * (0.625 - 0.5)) / 6
    assert found["ece"] == pytest.approx(wanted, abs=1e-4)


def test_temperature_moves_the_error_and_not_the_accuracy() -> None:
    cold, warm = (score.intents(CHANCES, INTENTS, TEST, heat) for heat in (0.5, 2.0))
    assert cold["accuracy"] == warm["accuracy"] == 0.5
    assert cold["ece"] != warm["ece"]


def test_an_intent_that_the_network_does_not_know_is_wrong_and_does_not_count_for_calibration() -> None:
    test = (Sentence("a", "find"), Sentence("b", "parking"))
    found = score.intents(logits((0.8, 0.1, 0.1), (0.8, 0.1, 0.1)), INTENTS, test)
    assert (found["accuracy"], found["count"]) == (0.5, 2)
    assert found["ece"] == pytest.approx(0.2, abs=1e-4)
    assert "auroc" not in found
    assert "rejected" not in found


def test_sentences_outside_are_refused_by_networks_without_that_intent() -> None:
    test = (Sentence("a", "find"), Sentence("b", OUT_OF_SCOPE))
    found = score.intents(logits((0.9, 0.1), (0.6, 0.4)), ("find", "refund"), test)
    assert (found["accuracy"], found["auroc"], found["rejected"]) == (1.0, 1.0, 0.0)


def test_sentiment_over_sentences_and_over_polarities() -> None:
    test = [Sentence("x", polarity=p) for p in ("neg", "neg", "neg", "pos", "")]
    found = score.sentiment(np.eye(3)[[0, 0, 1, 1, 2]], POLARITIES, test)
    # Three of neg, two right; one of pos, wrong; none of neu.
    assert found == {"accuracy": 0.5, "macro": round((2 / 3 + 0) / 2, 4), "count": 4}


def test_a_share_of_nothing_is_nothing() -> None:
    assert score.share(np.array([True, True]), np.array([False, False])) == 0.0
    assert score.share(np.array([True, False, True]), np.array([True, True, False])) == 0.5


def many(count: int, wrong: int) -> tuple[FakeNetwork, list[Sentence]]:
    """A network that is always as sure, of so many sentences of which so many are not what it says."""
    says = {str(number): ((4.0, -50.0, 0.0), (4.0, -50.0, 0.0)) for number in range(count)}
    dev = [
        Sentence(str(n), "refund" if n < wrong else "find", polarity="pos" if n < 2 * wrong else "neg")
        for n in range(count)
    ]
    return FakeNetwork(says), dev


def test_temperatures_are_fitted_for_each_head() -> None:
    network, dev = many(100, 10)
    found = score.temperatures(network, dev)
    assert found["temperature"] == pytest.approx(4 / math.log(90 / 10), abs=1e-3)
    assert found["sentiment_temperature"] == pytest.approx(4 / math.log(80 / 20), abs=1e-3)


def test_too_few_labels_leave_the_temperature_alone() -> None:
    network, dev = many(19, 2)
    assert score.temperatures(network, dev) == {"temperature": 1.0, "sentiment_temperature": 1.0}
    # What has no label, or one that the network does not know, does not count.
    network, dev = many(30, 3)
    dev = [Sentence(s.text, "parking" if number < 15 else s.label) for number, s in enumerate(dev)]
    assert score.temperatures(network, dev) == {"temperature": 1.0, "sentiment_temperature": 1.0}


def test_a_report_has_what_is_labelled() -> None:
    network, dev = many(4, 1)
    heat = {"temperature": 1.0}
    both = score.report(network, dev, heat)
    assert both["intent"]["accuracy"] == 0.75
    assert both["sentiment"]["accuracy"] == 0.5
    unlabelled = [Sentence(s.text, polarity=s.polarity) for s in dev]
    assert set(score.report(network, unlabelled, heat)) == {"sentiment"}
    neutral = [Sentence(s.text, s.label) for s in dev]
    assert set(score.report(network, neutral, heat)) == {"intent"}
    assert score.report(network, [Sentence("0")], heat) == {}


def test_a_report_draws_where_it_is_told_to(tmp_path: Path) -> None:
    network, dev = many(40, 10)
    score.report(network, dev, {"temperature": 2.0}, tmp_path)
    for name in ("confusion.png", "reliability.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
