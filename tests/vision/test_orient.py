from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pictures import Networks, picture

from appliance.artifacts.cases import Case
from appliance.vision.image import Pixels
from appliance.vision.orient import SAMPLE, Way, probability, tensor, ways

UPRIGHT, TURNED, EITHER = Way.UPRIGHT, Way.TURNED, Way.EITHER


class FakeClassifier:
    """Takes the brightness of a strip's middle for the probability that it is upside down; counts its questions."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[np.generic]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        self.asked += 1
        down = (float(inputs["x"][0, 0, 24, 4]) + 1) / 2
        return {"softmax": np.array([[1 - down, down]], np.float32)}


def strips(*values: tuple[int, float]) -> list[Pixels]:
    """Strips of the given widths whose fake probability is given."""
    return [np.full((48, width, 3), round(255 * value), np.uint8) for width, value in values]


def test_an_upright_page_costs_a_sample_only() -> None:
    fake = FakeClassifier()
    assert ways(fake, strips(*[(200 + n, 0.0) for n in range(40)])) == [UPRIGHT] * 40
    assert fake.asked == SAMPLE


def test_the_sample_is_the_longest_strips() -> None:
    fake = FakeClassifier()
    short_and_wrong = strips(*[(40, 1.0)] * 5, *[(300, 0.0)] * SAMPLE)
    assert set(ways(fake, short_and_wrong)) == {UPRIGHT}


def test_an_upside_down_page_takes_its_doubtful_strips_along() -> None:
    page = strips(*[(300 + n, 1.0) for n in range(SAMPLE)], (60, 0.5), (50, 0.0), (40, 0.2))
    answers = ways(FakeClassifier(), page)
    assert answers[:SAMPLE] == [TURNED] * SAMPLE
    assert answers[SAMPLE:] == [TURNED, EITHER, TURNED]  # only of the one that surely stands upright is there doubt


def test_a_strip_that_stands_against_the_others_is_read_both_ways() -> None:
    page = strips((300, 1.0), *[(200, 0.0)] * 5, (60, 0.5), (50, 1.0))
    assert ways(FakeClassifier(), page) == [EITHER, *[UPRIGHT] * 6, EITHER]


def test_no_strips_need_no_question() -> None:
    fake = FakeClassifier()
    assert ways(fake, []) == []
    assert fake.asked == 0


@pytest.mark.parametrize("width", [1, 100, 192, 500, 3000])
def test_tensor_has_one_shape(width: int) -> None:
    made = tensor(np.full((48, width, 3), 255, np.uint8))
    assert made.shape == (1, 3, 48, 192)
    assert made[0, 0, 0, 0] == 1
    assert made[0, 0, 0, -1] == (1 if width >= 192 else 0)


def lines(cases: Sequence[Case]) -> list[tuple[Pixels, bool]]:
    found = []
    for case in cases:
        if case.kind == "line":
            image = picture(case.path)
            width = round(image.shape[1] * 48 / image.shape[0])
            found.append((cv2.resize(image, (width, 48)).astype(np.uint8), bool(case.truth["turned"])))
    return found


def test_the_network_tells_turned_lines(networks: Networks, cases: tuple[Case, ...]) -> None:
    truth = lines(cases)
    assert {answer for _, answer in truth} == {False, True}
    right = sum((probability(networks.orient, image) > 0.5) is answer for image, answer in truth)
    assert right >= 0.95 * len(truth)


def test_a_line_forty_times_as_wide_as_high_is_still_seen(networks: Networks, write: Callable[..., Pixels]) -> None:
    page = write([(4, 4, "收件人地址浙江省杭州市西湖区文三路九十号东部软件园" * 3)], width=2200, height=48)
    assert probability(networks.orient, page) < 0.5
    assert probability(networks.orient, page[::-1, ::-1]) > 0.9
