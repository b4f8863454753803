"""What the benchmark of the recogniser's end compares, and what it calls missed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from appliance.inference.ctc import greedy, rivals
from benchmarks.engines_ocr import SOFTMAX, Side, from_softmax, missed, timed

CLASSES = 9


def softmax(steps: int) -> np.ndarray:
    logits = np.random.default_rng(4).normal(scale=3, size=(1, steps, CLASSES))
    logits[:, ::3, 0] += 9  # the blank
    odds = np.exp(logits)
    return (odds / odds.sum(2, keepdims=True)).astype(np.float32)


def test_the_host_decodes_a_softmax_as_the_graph_does() -> None:
    probabilities = softmax(60)
    found = from_softmax({SOFTMAX: probabilities})
    order = np.argsort(-probabilities, axis=2, kind="stable")[..., :5]
    best = order.astype(np.int32)[0], np.log(np.take_along_axis(probabilities, order, 2))[0]
    one, two = greedy(found["ids"][0], found["logprobs"][0]), greedy(*best)
    assert len(one) > 20
    for name in ("indices", "starts", "ends", "surest"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_allclose(one.confidences, two.confidences, rtol=1e-6)
    # The host leaves the blank out before it takes four, the graph after: it may have one fewer.
    for four, some in zip(rivals(found["ids"][0], found["logprobs"][0], one), rivals(*best, two), strict=True):
        assert [other for other, _ in four][: len(some)] == [other for other, _ in some]
        assert (len(four), len(some)) in ((4, 4), (4, 3))


def test_both_sides_take_turns_and_their_bytes_are_counted_once() -> None:
    turns: list[str] = []

    def side(name: str, size: int) -> Side:
        def run(inputs: Any, /, *, deadline: float | None = None) -> dict[str, np.ndarray]:
            turns.append(name)
            return {"ids": np.zeros((1, 2, size), np.int32), "logprobs": np.zeros((1, 2, size), np.float32)}

        return Side(name, run, dict)

    figures = timed((side("a", 5), side("b", 1)), [{}, {}], rounds=2)
    assert turns == ["b", "a", "a", "b", "a", "b", "b", "a"]
    assert (figures["a"]["bytes"], figures["b"]["bytes"]) == (160, 32)
    assert all(row["cpu_s"] >= 0 for row in figures.values())


GOOD: dict[str, Any] = {"read_otherwise": {}, "bytes_ratio": 1871.0, "cpu_ratio": 1.1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"read_otherwise": {"a.png": ("甲", "乙")}}, "a.png: expected '甲', got '乙'"),
        ({"bytes_ratio": 500.0}, "expected outputs more than 500 times smaller, got 500"),
        ({"cpu_ratio": 1.101}, "expected at most 1.1 of the CPU time, got 1.101"),
    ],
)
def test_every_limit_that_is_missed_is_named(change: dict[str, Any], said: str) -> None:
    assert missed(GOOD) == []
    assert missed(GOOD | change) == [said]
