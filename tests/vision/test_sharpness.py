"""Sharpness falls with blur, whatever the light; light is judged by ink and paper."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from appliance.vision.image import Pixels
from appliance.vision.sharpness import Quality, measure

Write = Callable[..., Pixels]


@pytest.fixture
def page(write: Write) -> Pixels:
    return write([(20, 20 + 40 * line, "运单号 SF1392847561002 收件人") for line in range(7)])


def lit(page: Pixels, low: float, high: float) -> Pixels:
    return (low + page.astype(np.float32) / 255 * (high - low)).astype(np.uint8)


def test_the_more_blur_the_less_sharpness(page: Pixels) -> None:
    found = [
        measure(cv2.GaussianBlur(page, (0, 0), sigma) if sigma else page).sharpness for sigma in (0, 0.7, 1.5, 3, 6)
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] > 5 * found[3]


def test_light_does_not_count_as_sharpness(page: Pixels) -> None:
    bright, dim = measure(lit(page, 40, 240)), measure(lit(page, 20, 120))
    assert bright.sharpness == pytest.approx(dim.sharpness, rel=0.1)


@pytest.mark.parametrize(
    "low, high, said", [(40, 235, "good"), (5, 50, "dark"), (225, 255, "bright"), (120, 140, "flat"), (0, 255, "good")]
)
def test_light_is_judged_by_ink_and_paper(page: Pixels, low: float, high: float, said: str) -> None:
    assert measure(lit(page, low, high)).light == said


def test_good_light_goes_before_sharpness() -> None:
    assert Quality("good", 1.0).rank > Quality("bright", 9.0).rank
    assert Quality("good", 2.0).rank > Quality("good", 1.0).rank


def test_of_a_large_region_the_middle_is_measured_at_full_resolution(page: Pixels) -> None:
    large = np.full((1080, 1920, 3), 255, np.uint8)
    large[380:700, 640:1280] = page
    blurred = large.copy()
    blurred[380:700, 640:1280] = cv2.GaussianBlur(page, (0, 0), 1.5)
    assert measure(large).sharpness > 2 * measure(blurred).sharpness


def test_nothing_has_no_sharpness() -> None:
    assert measure(np.full((40, 60, 3), 128, np.uint8)) == Quality("flat", 0.0)
    assert measure(np.full((1, 1, 3), 128, np.uint8)).sharpness == 0
