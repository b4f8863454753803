"""Viterbi and forward-backward against every sequence that there is, and in doubles where there are too many."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from appliance.language.viterbi import Floats, Transitions, best_tags

Doubles = npt.NDArray[np.float64]


def drawn(seed: int, length: int, tags: int, spread: float = 2.0) -> tuple[Floats, Transitions]:
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Floats:
        return rng.normal(0, spread, shape).astype(np.float32)

    return some(length, tags), Transitions(some(tags), some(tags), some(tags, tags))


def every_sequence(emissions: Floats, order: Transitions) -> tuple[list[int], Doubles]:
    """The best of all sequences and the probability of each tag at each place, by trying them all."""
    length, tags = emissions.shape
    scores: dict[tuple[int, ...], float] = {}
    for path in product(range(tags), repeat=length):
        score = float(order.begin[path[0]]) + float(order.end[path[-1]])
        score += sum(float(emissions[at, tag]) for at, tag in enumerate(path))
        score += sum(float(order.between[a, b]) for a, b in zip(path, path[1:], strict=False))
        scores[path] = score
    most = max(scores.values())
    weights = {path: np.exp(score - most) for path, score in scores.items()}
    chances = np.zeros((length, tags))
    for path, weight in weights.items():
        for at, tag in enumerate(path):
            chances[at, tag] += weight
    best = max(scores, key=lambda path: scores[path])
    return list(best), chances / sum(weights.values())


def scaled(emissions: Floats, order: Transitions) -> Doubles:
    """Posterior of every tag by forward-backward over probabilities that are scaled at each step, in doubles."""
    local = np.exp(emissions.astype(np.float64) - emissions.max(1, keepdims=True))
    step = np.exp(order.between.astype(np.float64))
    ahead, behind = np.empty_like(local), np.empty_like(local)
    ahead[0] = np.exp(order.begin.astype(np.float64)) * local[0]
    behind[-1] = np.exp(order.end.astype(np.float64))
    for at in range(1, len(local)):
        ahead[at] = (ahead[at - 1] / ahead[at - 1].sum()) @ step * local[at]
    for at in range(len(local) - 2, -1, -1):
        found = step @ (local[at + 1] * behind[at + 1])
        behind[at] = found / found.sum()
    together = ahead * behind
    return np.asarray(together / together.sum(1, keepdims=True))


@pytest.mark.parametrize("length", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("tags", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_all_sequences_is_found_with_its_probabilities(seed: int, length: int, tags: int) -> None:
    emissions, order = drawn(seed, length, tags)
    path, sure = best_tags(emissions, order)
    best, chances = every_sequence(emissions, order)
    assert path.tolist() == best
    np.testing.assert_allclose(sure, chances[np.arange(length), best], atol=1e-5)


def test_no_emissions_have_no_tags() -> None:
    _, order = drawn(0, 1, 3)
    path, sure = best_tags(np.empty((0, 3), np.float32), order)
    assert (path.shape, path.dtype, sure.shape, sure.dtype) == ((0,), np.dtype(np.intp), (0,), np.dtype(np.float32))


def test_one_character_weighs_beginning_emission_and_end() -> None:
    order = Transitions(
        np.array([3, 0], np.float32), np.array([0, 2], np.float32), np.array([[9, 9], [9, 9]], np.float32)
    )
    path, sure = best_tags(np.array([[0, 2]], np.float32), order)
    assert path.tolist() == [1]  # 0 + 2 + 2 against 3 + 0 + 0
    assert sure[0] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)


def test_the_order_of_tags_overrules_what_a_place_says_by_itself() -> None:
    forbidden = np.array([[0, 0, -1e4], [0, 0, 0], [0, 0, 0]], np.float32)  # an I must not follow an O
    order = Transitions(np.array([0, 0, -1e4], np.float32), np.zeros(3, np.float32), forbidden)
    emissions = np.array([[2, 0, 9], [2, 0, 9], [2, 0, 0]], np.float32)
    assert emissions.argmax(1).tolist() == [2, 2, 0]
    assert best_tags(emissions, order)[0].tolist() == [1, 2, 0]


def test_without_an_order_each_place_stands_for_itself() -> None:
    emissions, _ = drawn(3, 40, 5)
    path, sure = best_tags(emissions, Transitions(*(np.zeros(shape, np.float32) for shape in (5, 5, (5, 5)))))
    chances = np.exp(emissions) / np.exp(emissions).sum(1, keepdims=True)
    assert path.tolist() == emissions.argmax(1).tolist()
    np.testing.assert_allclose(sure, chances.max(1), atol=1e-5)


def test_among_equals_the_first_tag_is_taken() -> None:
    path, sure = best_tags(
        np.zeros((3, 4), np.float32), Transitions(*(np.zeros(s, np.float32) for s in (4, 4, (4, 4))))
    )
    assert path.tolist() == [0, 0, 0]
    np.testing.assert_allclose(sure, 0.25, atol=1e-6)


@pytest.mark.parametrize("length", [128, 512])
def test_the_longest_sentence_keeps_its_precision(length: int) -> None:
    emissions, order = drawn(7, length, 39, spread=3.0)
    path, sure = best_tags(emissions, order)
    assert sure.dtype == np.float32
    np.testing.assert_allclose(sure, scaled(emissions, order)[np.arange(length), path], atol=2e-3)


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_great_scores_do_not_overflow(scale: float) -> None:
    emissions = np.full((6, 3), scale, np.float32)
    emissions[:, 1] += 50
    path, sure = best_tags(emissions, Transitions(*(np.zeros(shape, np.float32) for shape in (3, 3, (3, 3)))))
    assert path.tolist() == [1] * 6
    np.testing.assert_allclose(sure, 1.0, atol=1e-3)


def test_what_is_given_stays_as_it_was() -> None:
    emissions, order = drawn(1, 5, 3)
    before = [part.copy() for part in (emissions, order.begin, order.end, order.between)]
    best_tags(emissions, order)
    for part, kept in zip((emissions, order.begin, order.end, order.between), before, strict=True):
        np.testing.assert_array_equal(part, kept)
