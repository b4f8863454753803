"""Confidence against values computed by hand, and ranks against all pairs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from export.train import calibrate
from export.train.calibrate import Bin


def test_probabilities_of_logits() -> None:
    assert calibrate.softmax(np.array([[0.0, math.log(3)]])) == pytest.approx(np.array([[0.25, 0.75]]))
    # A temperature of two takes the root of their ratio.
    assert calibrate.softmax(np.array([[0.0, math.log(9)]]), 2.0) == pytest.approx(np.array([[0.25, 0.75]]))


def test_large_logits_do_not_overflow() -> None:
    found = calibrate.softmax(np.array([[1e4, 0.0, -1e4]], np.float32))
    assert found.tolist() == [[1.0, 0.0, 0.0]]


def test_likelihood_is_the_mean_of_minus_log() -> None:
    logits = np.log(np.array([[0.25, 0.75], [0.5, 0.5]]))
    found = calibrate.likelihood(logits, np.array([1, 0]), 1.0)
    assert found == pytest.approx(-(math.log(0.75) + math.log(0.5)) / 2)
    assert calibrate.likelihood(np.array([[1e4, 0.0]]), np.array([1]), 1.0) == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize("right", [60, 75, 90])
def test_the_temperature_makes_confidence_what_it_is_worth(right: int) -> None:
    # A hundred logits of (4, 0), of which so many are right: the best is 4 / T = log(odds), and at most 5.
    labels = np.array([0] * right + [1] * (100 - right))
    found = calibrate.temperature(np.tile([4.0, 0.0], (100, 1)), labels)
    assert found == pytest.approx(min(5.0, 4 / math.log(right / (100 - right))), rel=1e-4)


@pytest.mark.parametrize(("label", "bound"), [(0, 0.2), (1, 5.0)])
def test_the_temperature_stays_within_bounds(label: int, bound: float) -> None:
    # All right or all wrong: the likelihood would drive it to nothing or without end.
    found = calibrate.temperature(np.tile([4.0, 0.0], (10, 1)), np.full(10, label))
    assert found == pytest.approx(bound, rel=1e-4)


def test_bins_have_mean_confidence_and_accuracy() -> None:
    # Steps of a fifteenth: 0.5 and 0.52 lie in the eighth, 0.95 and 1.0 in the last.
    chances = np.array([[0.5, 0.3, 0.2], [0.52, 0.48, 0.0], [0.95, 0.05, 0.0], [0.0, 1.0, 0.0]])
    found = calibrate.bins(chances, np.array([0, 1, 0, 1]))
    assert [(one.count, one.accuracy) for one in found] == [(2, 0.5), (2, 1.0)]
    assert [one.confidence for one in found] == pytest.approx([0.51, 0.975])


def test_the_expected_error_weighs_steps_by_their_size() -> None:
    found = [Bin(0.6, 0.5, 30), Bin(0.9, 1.0, 10)]
    assert calibrate.expected_error(found) == pytest.approx((30 * 0.1 + 10 * 0.1) / 40)
    assert calibrate.expected_error([Bin(0.7, 0.4, 3), Bin(0.9, 0.9, 1)]) == pytest.approx(0.225)
    assert calibrate.expected_error([]) == 0.0


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(3)
    for n, m in ((1, 1), (3, 7), (40, 25)):
        inside, outside = rng.integers(0, 6, n) / 5, rng.integers(0, 5, m) / 5  # many ties
        wanted = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(inside, outside)])
        assert calibrate.auroc(inside, outside) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("inside", "outside", "wanted"), [((0.9, 0.8), (0.1, 0.2), 1.0), ((0.1,), (0.9,), 0.0), ((0.5,), (0.5, 0.5), 0.5)]
)
def test_auroc_at_its_ends(inside: tuple[float, ...], outside: tuple[float, ...], wanted: float) -> None:
    assert calibrate.auroc(np.array(inside), np.array(outside)) == wanted
