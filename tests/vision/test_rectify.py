from __future__ import annotations

import cv2
import numpy as np
import pytest

from appliance.vision.rectify import strip


def corners(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def marked(width: int, height: int) -> np.ndarray:
    """Left third red, middle green, right third blue (BGR: 2, 1, 0)."""
    image = np.zeros((height, width, 3), np.uint8)
    for third, channel in enumerate((2, 1, 0)):
        image[:, third * width // 3 : (third + 1) * width // 3, channel] = 255
    return image


def colours(image: np.ndarray) -> list[int]:
    """Strongest channel in the left, middle and right of a strip."""
    width = image.shape[1]
    return [int(image[:, width * n // 6].mean(axis=0).argmax()) for n in (1, 3, 5)]


def test_a_lying_box_keeps_its_direction_and_proportions() -> None:
    made = strip(marked(300, 60), corners(0, 0, 299, 59))
    assert made.shape == (48, 244, 3)
    assert made.dtype == np.uint8
    assert colours(made) == [2, 1, 0]


def test_the_top_of_an_upright_box_comes_left() -> None:
    standing = cv2.rotate(marked(300, 60), cv2.ROTATE_90_CLOCKWISE)  # left is now at the top
    made = strip(standing, corners(0, 0, 59, 299))
    assert made.shape[1] > 200
    assert colours(made) == [2, 1, 0]


@pytest.mark.parametrize("height, turned", [(149, False), (152, True)])
def test_turning_begins_at_half_again_as_high(height: int, turned: bool) -> None:
    made = strip(np.zeros((400, 400, 3), np.uint8), corners(10, 10, 110, 10 + height))
    assert (made.shape[1] > 48) is turned


def test_a_slanted_box_comes_straight() -> None:
    page = np.full((300, 500, 3), 255, np.uint8)
    slanted = np.array([[60, 200], [420, 80], [440, 140], [80, 260]], np.float32)
    into = cv2.getPerspectiveTransform(corners(0, 0, 300, 50), slanted)
    cv2.warpPerspective(marked(300, 50), into, (500, 300), dst=page, borderMode=cv2.BORDER_TRANSPARENT)
    made = strip(page, slanted)
    assert colours(made) == [2, 1, 0]
    assert (made.min(axis=2) < 128).mean() > 0.95  # no white paper left in it


def test_a_box_without_area_still_gives_a_strip() -> None:
    assert strip(marked(30, 20), corners(5, 5, 5, 5)).shape[0] == 48


def test_the_widest_strip_is_bounded() -> None:
    assert strip(np.zeros((12, 16_000, 3), np.uint8), corners(0, 0, 15_999, 11)).shape == (48, 8192, 3)


def test_large_print_is_averaged_and_not_sampled() -> None:
    image = np.full((480, 960, 3), 255, np.uint8)
    image[::10] = 0  # a thin line in every ten rows: sampling one row in ten sees all or none of them
    made = strip(image, corners(0, 0, 959, 479))
    assert 200 < made[4:-4].mean() < 250
    assert np.ptp(made[4:-4].mean(axis=(1, 2))) < 60
