from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ModelMismatch
from appliance.inference.ctc import Decoded, collapse, greedy, rivals


def one_hot(classes: list[int], width: int = 5, sure: float = 0.9) -> np.ndarray:
    rows = np.full((len(classes), width), (1 - sure) / (width - 1), np.float32)
    rows[np.arange(len(classes)), classes] = sure
    return rows


def written(decoded: Decoded) -> list[tuple[int, int, int]]:
    return list(zip(decoded.indices.tolist(), decoded.starts.tolist(), decoded.ends.tolist(), strict=True))


@pytest.mark.parametrize(
    "path, expected",
    [
        ([0, 1, 1, 0, 1, 2, 2, 0], [(1, 1, 3), (1, 4, 5), (2, 5, 7)]),
        ([1], [(1, 0, 1)]),
        ([3, 3, 3], [(3, 0, 3)]),
        ([1, 2, 1], [(1, 0, 1), (2, 1, 2), (1, 2, 3)]),
        ([0, 0, 0], []),
        ([0], []),
    ],
)
def test_repeats_merge_and_blanks_part(path: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert written(greedy(one_hot(path))) == expected


def test_another_blank() -> None:
    assert written(greedy(one_hot([0, 4, 4, 0]), blank=4)) == [(0, 0, 1), (0, 3, 4)]


def test_a_character_is_as_sure_as_its_surest_step() -> None:
    decoded = collapse(np.array([2, 2, 0, 3]), np.array([0.5, 0.9, 0.99, 0.7], np.float32))
    assert decoded.confidences.tolist() == pytest.approx([0.9, 0.7])
    assert decoded.confidence == pytest.approx(0.8)
    assert decoded.surest.tolist() == [1, 3]


def test_rivals_are_the_next_best_classes_at_the_surest_step() -> None:
    rows = np.array([[0.1, 0.6, 0.1, 0.2], [0.05, 0.7, 0.15, 0.1], [0.9, 0.0, 0.0, 0.1], [0.1, 0.2, 0.3, 0.4]])
    found = rivals(rows, greedy(rows))
    assert found == [[(2, 0.15), (3, 0.1)], [(2, 0.3), (1, 0.2)]]
    assert [[index for index, _ in best] for best in rivals(rows, greedy(rows), 1)] == [[2], [2]]
    assert rivals(rows, greedy(rows), 0) == [[], []]


def test_nothing_read_has_no_rivals() -> None:
    rows = one_hot([0, 0])
    assert rivals(rows, greedy(rows)) == []


def test_nothing_read() -> None:
    for decoded in (greedy(np.zeros((0, 5), np.float32)), greedy(one_hot([0, 0]))):
        assert len(decoded) == 0
        assert decoded.confidence == 0.0
        assert decoded.confidences.dtype == np.float32
        assert decoded.indices.dtype == decoded.starts.dtype == decoded.ends.dtype == decoded.surest.dtype == np.int64


@pytest.mark.parametrize(
    "bad, said",
    [
        (np.zeros((1, 2, 3), np.float32), r"expected probabilities of shape \(T, C\), got \(1, 2, 3\)"),
        (np.array([[0.1, 0.9], [np.nan, 0.2]], np.float32), "expected finite probabilities, got nan"),
        (np.array([[0.1, np.inf]], np.float32), "expected finite probabilities, got inf"),
    ],
)
def test_what_is_no_matrix_of_probabilities_is_refused(bad: np.ndarray, said: str) -> None:
    with pytest.raises(ModelMismatch, match=said):
        greedy(bad)


def test_classes_and_confidences_must_match() -> None:
    with pytest.raises(ModelMismatch, match=r"got \(3,\) and \(2,\)"):
        collapse(np.zeros(3, np.int64), np.zeros(2, np.float32))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_agrees_with_the_definition_step_by_step(path: list[int]) -> None:
    expected, previous = [], None
    for current in path:
        if current not in (previous, 0):
            expected.append(current)
        previous = current
    decoded = greedy(one_hot(path))
    assert decoded.indices.tolist() == expected
    assert all(set(path[s:e]) == {i} for i, s, e in written(decoded))
    assert decoded.confidences == pytest.approx(np.full(len(expected), 0.9))
