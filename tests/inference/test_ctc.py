from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import ModelMismatch
from appliance.inference.ctc import Decoded, greedy, rivals

Best = tuple[np.ndarray, np.ndarray]


def best(rows: np.ndarray, count: int = 5) -> Best:
    """Ids and log-probabilities of the likeliest classes of each row of probabilities, as a network gives them."""
    ids = np.argsort(-rows, axis=1, kind="stable")[:, :count].astype(np.int32)
    with np.errstate(divide="ignore"):
        return ids, np.log(np.take_along_axis(rows, ids.astype(np.int64), 1)).astype(np.float32)


def one_hot(classes: list[int], width: int = 5, sure: float = 0.9) -> Best:
    rows = np.full((len(classes), width), (1 - sure) / (width - 1), np.float32)
    rows[np.arange(len(classes)), classes] = sure
    return best(rows)


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
    assert written(greedy(*one_hot(path))) == expected


def test_another_blank() -> None:
    assert written(greedy(*one_hot([0, 4, 4, 0]), blank=4)) == [(0, 0, 1), (0, 3, 4)]


def test_a_character_is_as_sure_as_its_surest_step() -> None:
    decoded = greedy(np.array([[2], [2], [0], [3]]), np.log([[0.5], [0.9], [0.99], [0.7]]))
    assert decoded.confidences.tolist() == pytest.approx([0.9, 0.7])
    assert decoded.confidence == pytest.approx(0.8)
    assert decoded.surest.tolist() == [1, 3]


ROWS = np.array(
    [
        [0.1, 0.5, 0.1, 0.2, 0.06, 0.04],
        [0.05, 0.6, 0.15, 0.1, 0.06, 0.04],
        [0.9, 0.0, 0.0, 0.1, 0.0, 0.0],
        [0.01, 0.19, 0.3, 0.4, 0.06, 0.04],
    ]
)


def test_rivals_are_the_other_columns_of_the_surest_step_without_the_blank() -> None:
    ids, logprobs = best(ROWS)
    first, second = rivals(ids, logprobs, greedy(ids, logprobs))
    assert [index for index, _ in first] == [2, 3, 4], "of the five best the blank is one: three are left"
    assert [odds for _, odds in first] == pytest.approx([0.15, 0.1, 0.06])
    assert [index for index, _ in second] == [2, 1, 4, 5], "the blank is not among the five best: four are left"
    assert [odds for _, odds in second] == pytest.approx([0.3, 0.19, 0.06, 0.04])


def test_another_blank_is_no_rival_either() -> None:
    ids, logprobs = best(ROWS[:2])
    (first,) = rivals(ids, logprobs, greedy(ids, logprobs, blank=2), blank=2)
    assert [index for index, _ in first] == [3, 4, 0]


def test_what_has_no_probability_left_is_no_rival() -> None:
    """Halves and log(softmax) make nothing of what is rare; which classes then come next is chance."""
    ids, logprobs = best(np.array([[0.0, 0.75, 0.0, 0.25, 0.0, 0.0]]))
    assert np.isneginf(logprobs[0, 2:]).all()
    assert rivals(ids, logprobs, greedy(ids, logprobs)) == [[(3, 0.25)]]


def test_with_one_column_there_are_no_rivals() -> None:
    ids, logprobs = best(ROWS, 1)
    assert rivals(ids, logprobs, greedy(ids, logprobs)) == [[], []]


def test_nothing_read_has_no_rivals() -> None:
    ids, logprobs = one_hot([0, 0])
    assert rivals(ids, logprobs, greedy(ids, logprobs)) == []


def test_nothing_read() -> None:
    nothing = np.zeros((0, 5), np.int32), np.zeros((0, 5), np.float32)
    for decoded in (greedy(*nothing), greedy(*one_hot([0, 0]))):
        assert len(decoded) == 0
        assert decoded.confidence == 0.0
        assert decoded.confidences.dtype == np.float32
        assert decoded.indices.dtype == decoded.starts.dtype == decoded.ends.dtype == decoded.surest.dtype == np.int64
    assert rivals(*nothing, greedy(*nothing)) == []


@pytest.mark.parametrize(
    "logprobs, said",
    [
        (np.zeros((1, 2, 3), np.float32), r"two arrays of one shape \(T, k\), got \(2, 5\) and \(1, 2, 3\)"),
        (np.zeros((2, 4), np.float32), r"got \(2, 5\) and \(2, 4\)"),
        (np.full((2, 5), np.nan, np.float32), "expected finite log-probabilities, got nan"),
        (np.full((2, 5), -np.inf, np.float32), "expected finite log-probabilities, got -inf"),
    ],
)
def test_what_no_network_gives_is_refused(logprobs: np.ndarray, said: str) -> None:
    with pytest.raises(ModelMismatch, match=said):
        greedy(np.zeros((2, 5), np.int32), logprobs)


@pytest.mark.parametrize("shape", [(4,), (4, 0), (1, 4, 5)])
def test_shapes_that_are_none_of_steps_and_classes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelMismatch, match=r"expected two arrays of one shape \(T, k\)"):
        greedy(np.zeros(shape, np.int32), np.zeros(shape, np.float32))


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_agrees_with_the_definition_step_by_step(path: list[int]) -> None:
    expected, previous = [], None
    for current in path:
        if current not in (previous, 0):
            expected.append(current)
        previous = current
    decoded = greedy(*one_hot(path))
    assert decoded.indices.tolist() == expected
    assert all(set(path[s:e]) == {i} for i, s, e in written(decoded))
    assert decoded.confidences == pytest.approx(np.full(len(expected), 0.9))
