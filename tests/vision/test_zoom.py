from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from appliance.vision.detect import DetectorOptions, Region
from appliance.vision.zoom import Look, closer, glance, moved, without_specks

DEFAULT = DetectorOptions()
SIZE = (1000, 1000)
SEEN = (480, 480)


def line(left: float, top: float, width: float, height: float) -> Region:
    right, bottom = left + width, top + height
    return Region(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32), 0.9)


def lines(count: int, height: float, width: float = 900, top: float = 20) -> list[Region]:
    return [line(50, top + n * (960 / count), width, height) for n in range(count)]


@pytest.mark.parametrize(
    "full, size, seen",
    [
        ((960, 960), (1000, 1000), (480, 480)),
        ((1184, 736), (1150, 720), (576, 352)),
        ((1600, 64), (1167, 54), (1600, 64)),  # little to see: one look is cheap enough
        ((1152, 864), (4000, 3000), (1152, 864)),  # half of it would show nothing of small print
    ],
)
def test_the_first_look(full: tuple[int, int], size: tuple[int, int], seen: tuple[int, int]) -> None:
    assert glance(full, size) == seen


def test_large_print_needs_no_second_look() -> None:
    assert closer(SEEN, lines(6, 60), SIZE, DEFAULT) is None


@pytest.mark.parametrize("height, side", [(44, 736), (36, 928), (30, 992), (8, 992)])
def test_the_smaller_the_print_the_closer_the_second_look(height: float, side: int) -> None:
    look = closer(SEEN, lines(12, height), SIZE, DEFAULT)
    assert look is not None
    assert look.area == (0, 0, 1000, 1000)
    assert look.size == pytest.approx((side, side), abs=32)
    assert look.size[0] * look.size[1] <= 1.05 * DEFAULT.max_pixels


def test_a_few_scraps_do_not_decide() -> None:
    assert closer(SEEN, [*lines(6, 60), line(30, 980, 20, 10)], SIZE, DEFAULT) is None
    assert closer(SEEN, [*lines(6, 60), line(30, 980, 300, 10)], SIZE, DEFAULT) is not None


def test_nothing_found_is_looked_at_in_full_once() -> None:
    assert closer(SEEN, [], SIZE, DEFAULT) == Look((0, 0, 1000, 1000), (992, 992))
    assert closer((992, 992), [], SIZE, DEFAULT) is None


def test_what_is_empty_is_left_out() -> None:
    look = closer(SEEN, [line(400, 300, 200, 20), line(400, 340, 200, 20)], SIZE, DEFAULT)
    assert look is not None
    left, top, right, bottom = look.area
    assert 330 <= left < 400
    assert 600 < right <= 670
    assert 230 <= top < 300
    assert 360 < bottom <= 430
    assert look.size[0] < 992
    assert all(side % 32 == 0 for side in look.size)


def test_a_part_of_a_large_photo_is_seen_larger_than_the_whole_could_be() -> None:
    size, seen = (4000, 3000), (1152, 864)
    small = [line(1500, 1000 + 60 * n, 900, 30) for n in range(10)]
    look = closer(seen, small, size, DEFAULT)
    assert look is not None
    scale = look.size[0] / (look.area[2] - look.area[0])
    assert scale > 2 * seen[0] / size[0]
    covering = [line(100 + 10 * n, 60 + 80 * n, 3700, 30) for n in range(36)]
    assert closer(seen, covering, size, DEFAULT) is None  # no more can be seen of it than was


def test_the_bounds_of_the_options_hold() -> None:
    look = closer((320, 320), lines(12, 8), SIZE, replace(DEFAULT, max_side=640))
    assert look is not None
    assert look.size == (640, 640)


def test_boxes_of_a_part_are_moved_to_their_place() -> None:
    (found,) = moved([line(10, 20, 100, 30)], (400, 300, 700, 500))
    assert found.corners[0].tolist() == [410, 320]
    assert found.corners[2].tolist() == [510, 350]
    assert found.score == 0.9


def test_specks_are_no_text() -> None:
    high, low = line(10, 20, 100, 40), line(10, 200, 100, 8)
    assert without_specks([high, low], SEEN, SIZE, DEFAULT.min_height) == [high]
    assert without_specks([], SEEN, SIZE, DEFAULT.min_height) == []
