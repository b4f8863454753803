"""The head fitted by numpy, against the optimum of the same convex problem found independently in doubles."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from appliance.errors import InvalidInput
from appliance.language.head import Floats, Head, centred, fit

Doubles = npt.NDArray[np.float64]
NAMES = ("find", "return", "track")


def clusters(seed: int, sizes: tuple[int, ...], noise: float = 0.6, width: int = 12) -> tuple[Floats, list[str]]:
    """Vectors of length 1 around a direction for each label and one that all share, as sentence vectors lie."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 1, (len(sizes), width)) + rng.normal(0, 3, width)
    rows = np.concatenate([m + rng.normal(0, noise, (size, width)) for m, size in zip(middles, sizes, strict=True)])
    labels = [NAMES[number] for number, size in enumerate(sizes) for _ in range(size)]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def optimum(vectors: Floats, labels: list[str], penalty: float) -> tuple[Doubles, Doubles, Doubles]:
    """Centre, weights and bias by Newton's method with damping, in doubles."""
    rows = vectors.astype(np.float64)
    centre = rows.mean(0)
    rows = rows - centre
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.hstack([rows, np.ones((len(rows), 1))])
    names = sorted(set(labels))
    count = Counter(labels)
    share = np.array([1 / (len(names) * count[label]) for label in labels])
    truth = np.array([[float(name == label) for name in names] for label in labels])
    ridge = np.full(rows.shape[1], penalty)
    ridge[-1] = 0
    at = np.zeros(rows.shape[1] * len(names))
    for _ in range(60):
        logits = rows @ at.reshape(rows.shape[1], -1)
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        slope = rows.T @ (share[:, None] * (chances - truth)) + ridge[:, None] * at.reshape(rows.shape[1], -1)
        bend = np.zeros((len(at), len(at)))
        for row, chance, weight in zip(rows, chances, share, strict=True):
            bend += weight * np.kron(np.outer(row, row), np.diag(chance) - np.outer(chance, chance))
        bend += np.diag(np.repeat(ridge, len(names)))
        # Biases are free up to a constant: the least-squares solution leaves it at zero.
        at = at - np.linalg.lstsq(bend, slope.ravel(), rcond=None)[0]
    found = at.reshape(rows.shape[1], -1)
    return centre, found[:-1], found[-1]


def chances_of(vectors: Floats, centre: Doubles, weights: Doubles, bias: Doubles) -> Doubles:
    moved = vectors - centre
    logits = moved / np.linalg.norm(moved, axis=1, keepdims=True) @ weights + bias
    found = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(found / found.sum(1, keepdims=True))


@pytest.mark.parametrize("sizes", [(8, 8, 8), (30, 3, 5), (1, 1, 1), (2, 40)])
@pytest.mark.parametrize("penalty", [0.02, 0.2])
def test_it_is_the_optimum_of_the_problem(sizes: tuple[int, ...], penalty: float) -> None:
    vectors, labels = clusters(3, sizes)
    head = fit(vectors, labels, penalty)
    new, _ = clusters(4, (20, 20))
    np.testing.assert_allclose(head.probabilities(new), chances_of(new, *optimum(vectors, labels, penalty)), atol=5e-3)


def test_a_few_sentences_of_each_are_enough_for_others_like_them() -> None:
    vectors, labels = clusters(5, (30, 30, 30))
    few = [number for number in range(90) if number % 30 < 5]
    head = fit(vectors[few], [labels[number] for number in few])
    assert head.labels == NAMES
    guess = [head.labels[number] for number in head.probabilities(vectors).argmax(1)]
    assert sum(g == label for g, label in zip(guess, labels, strict=True)) >= 85


def test_shapes_and_types_are_those_promised() -> None:
    vectors, labels = clusters(6, (4, 4, 4))
    head = fit(vectors, labels)
    shapes = [part.shape for part in (head.centre, head.weights, head.bias)]
    assert shapes == [(12,), (12, 3), (3,)]
    found = head.probabilities(vectors)
    assert {part.dtype for part in (head.centre, head.weights, head.bias, found)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    assert head.probabilities(vectors[:0]).shape == (0, 3)


def test_the_same_sentences_give_the_same_head() -> None:
    vectors, labels = clusters(7, (5, 9, 4))
    one, other = fit(vectors, labels), fit(vectors.copy(), list(labels))
    for mine, its in ((one.centre, other.centre), (one.weights, other.weights), (one.bias, other.bias)):
        np.testing.assert_array_equal(mine, its)


def test_the_order_of_the_sentences_does_not_matter() -> None:
    vectors, labels = clusters(8, (5, 9, 4))
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = fit(vectors[order], [labels[number] for number in order])
    assert shuffled.labels == NAMES
    np.testing.assert_allclose(shuffled.probabilities(vectors), fit(vectors, labels).probabilities(vectors), atol=2e-3)


def test_a_stronger_penalty_is_less_sure() -> None:
    vectors, labels = clusters(10, (6, 6, 6))
    sure = [float(fit(vectors, labels, penalty).probabilities(vectors).max(1).mean()) for penalty in (0.005, 0.05, 0.5)]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] - sure[-1] > 0.1


def test_each_label_counts_the_same_however_many_sentences_it_has() -> None:
    # Vectors that are all the same leave only how often a label was said, and that must not count.
    head = fit(np.ones((12, 3), np.float32), ["find"] * 10 + ["return", "track"])
    found = head.probabilities(np.ones((1, 3), np.float32))
    np.testing.assert_allclose(found, [[1 / 3, 1 / 3, 1 / 3]], atol=1e-3)


def test_centred_vectors_have_length_one_or_none() -> None:
    vectors = np.array([[1, 2], [4, 6], [1, 1]], np.float32)
    found = centred(vectors, np.array([1, 2], np.float32))
    np.testing.assert_allclose(found, np.array([[0, 0], [0.6, 0.8], [0, -1]]), atol=1e-6)


def test_great_logits_do_not_overflow() -> None:
    head = Head(
        ("a", "b"), np.zeros(2, np.float32), np.array([[5e3, -5e3], [0, 0]], np.float32), np.zeros(2, np.float32)
    )
    np.testing.assert_array_equal(head.probabilities(np.array([[1, 0], [-1, 0]], np.float32)), [[1, 0], [0, 1]])


@pytest.mark.parametrize(
    ("count", "labels", "said"),
    [
        (2, ["find", "find"], r"each of 2 vectors and at least two labels, got 2 labels, 1 of them different"),
        (3, ["find", "return"], r"each of 3 vectors and at least two labels, got 2 labels, 2 of them different"),
        (0, [], r"each of 0 vectors and at least two labels, got 0 labels, 0 of them different"),
    ],
)
def test_what_cannot_be_fitted_is_refused(count: int, labels: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^head: expected a label for {said}$"):
        fit(np.zeros((count, 4), np.float32), labels)
