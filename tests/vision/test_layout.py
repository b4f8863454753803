from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from appliance.artifacts.cases import Case
from appliance.vision.layout import reading_order, rows

Boxes = list[npt.NDArray[np.float32]]


def box(left: float, top: float, width: float, height: float = 20) -> npt.NDArray[np.float32]:
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def shuffled(boxes: Boxes) -> list[int]:
    """The order found for boxes given in disorder, as places in the order they should have."""
    places = [int(place) for place in np.random.default_rng(3).permutation(len(boxes))]
    return [places[index] for index in reading_order([boxes[place] for place in places])]


def turned(boxes: Boxes, degrees: float, centre: tuple[float, float] = (400, 400)) -> Boxes:
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1)
    return [cv2.transform(each[None], matrix)[0].astype(np.float32) for each in boxes]


def seen_aslant(boxes: Boxes) -> Boxes:
    """As a camera sees a sheet that leans away: lines at the top rise, lines at the bottom fall."""
    sheet = np.array([[0, 0], [800, 0], [800, 1000], [0, 1000]], np.float32)
    seen = np.array([[0, 60], [800, 0], [780, 1000], [30, 930]], np.float32)
    matrix = cv2.getPerspectiveTransform(sheet, seen)
    return [cv2.perspectiveTransform(each[None], matrix)[0] for each in boxes]


@pytest.mark.parametrize("degrees", [0, 3, -3, 10, -10, 25, 180, 176])
def test_the_cases_are_read_in_their_order_at_any_slant(cases: tuple[Case, ...], degrees: float) -> None:
    for case in (case for case in cases if case.kind == "page"):
        boxes = [np.asarray(line["box"], np.float32) for line in case.truth["lines"]]
        assert shuffled(turned(boxes, degrees)) == list(range(len(boxes))), case.path.name


RECEIPT = [
    box(x, 40 + 34 * row, width) for row in range(12) for x, width in ((40, 60 + 17 * (row % 5)), (330, 14), (600, 60))
]


@pytest.mark.parametrize("degrees", [0, 2, -6, 10, -15, 15])
def test_a_table_is_read_row_by_row(degrees: float) -> None:
    assert shuffled(turned(RECEIPT, degrees)) == list(range(len(RECEIPT)))


def test_a_table_seen_aslant_is_read_row_by_row() -> None:
    assert shuffled(seen_aslant(RECEIPT)) == list(range(len(RECEIPT)))


ARTICLE = [
    box(40, 20, 700, 40),
    *[box(40, 100 + 30 * row, 330) for row in range(8)],
    *[box(420, 100 + 30 * row, 330) for row in range(8)],
]


@pytest.mark.parametrize("degrees", [0, 4, -4, 8, -11, 15, -15])
def test_running_text_is_read_column_by_column(degrees: float) -> None:
    assert shuffled(turned(ARTICLE, degrees)) == list(range(len(ARTICLE)))


def test_running_text_seen_aslant_is_read_column_by_column() -> None:
    assert shuffled(seen_aslant(ARTICLE)) == list(range(len(ARTICLE)))


LEAFLET = [
    box(40, 10, 720, 50),
    *[box(x, 90 + 26 * row, 215, 18) for x in (40, 290, 540) for row in range(10)],
    box(40, 380, 720, 30),
]


@pytest.mark.parametrize("degrees", [0, 5, -5, 10, -10, 15, -15, 180, 170])
def test_three_columns_between_a_title_and_a_footer(degrees: float) -> None:
    assert shuffled(turned(LEAFLET, degrees)) == list(range(len(LEAFLET)))


def test_three_columns_seen_aslant() -> None:
    assert shuffled(seen_aslant(LEAFLET)) == list(range(len(LEAFLET)))


POSTER = [
    box(60, 20, 640, 120),
    box(60, 160, 400, 60),
    box(60, 250, 120, 24),
    box(600, 246, 120, 32),
    box(60, 300, 130, 24),
    box(600, 292, 140, 40),
    box(60, 350, 110, 24),
    box(600, 344, 130, 36),
    box(250, 600, 200, 12),
    box(250, 618, 200, 12),
]


@pytest.mark.parametrize("degrees", [0, 5, -8, 12, -15, 180])
def test_a_poster_of_large_and_small_print(degrees: float) -> None:
    assert shuffled(turned(POSTER, degrees)) == list(range(len(POSTER)))


def test_a_poster_seen_aslant() -> None:
    assert shuffled(seen_aslant(POSTER)) == list(range(len(POSTER)))


def test_a_ragged_paragraph_beside_a_list() -> None:
    paragraph = [box(40, 100 + 30 * row, 330 - 25 * (row % 3)) for row in range(8)]
    listed = [box(460, 96 + 41 * row, 120) for row in range(5)]
    assert shuffled([*paragraph, *listed]) == list(range(13))


def test_a_heading_across_the_gutter_parts_what_is_above_it() -> None:
    lower = [box(40, 380, 700, 36), *[each + (0, 350) for each in ARTICLE[1:]]]
    boxes = [*ARTICLE, *(each.astype(np.float32) for each in lower)]
    assert shuffled(boxes) == list(range(len(boxes)))


def test_columns_with_rows_of_their_own_are_read_one_after_the_other() -> None:
    left = [box(40, 50 + 30 * row, 90) for row in range(8)]
    right = [box(400, 64 + 45 * row, 100) for row in range(5)]
    assert shuffled([*left, *right]) == list(range(13))


def test_upright_print_is_read_from_the_right() -> None:
    columns = [box(x, 40, 40, 700) for x in (500, 300, 100)]
    assert shuffled(columns) == [0, 1, 2]
    assert shuffled(turned(columns, 180)) == [0, 1, 2]


def test_an_upright_line_does_not_turn_the_page_around_it() -> None:
    boxes = [box(60, 40, 300), box(60, 80, 280), box(60, 120, 310), box(600, 30, 22, 400)]
    assert shuffled(boxes) == [3, 0, 1, 2]  # it begins first


def test_small_print_beside_large_print_shares_its_row() -> None:
    boxes = [box(40, 100, 200, 60), box(260, 130, 40, 20), box(40, 200, 300)]
    assert [len(row) for row in rows(boxes)] == [2, 1]


def test_lines_that_touch_stay_rows_of_their_own() -> None:
    boxes = [box(40, 100 + 17 * row, 300) for row in range(10)]  # 3 pixels over one another
    assert shuffled(boxes) == list(range(10))
    assert all(len(row) == 1 for row in rows(boxes))


def test_square_boxes_tell_no_slant() -> None:
    boxes = [box(40, 40, 20), box(80, 41, 20), box(40, 90, 20)]
    assert shuffled(boxes) == [0, 1, 2]


def test_few_and_no_boxes() -> None:
    assert reading_order([]) == []
    assert reading_order([box(1, 1, 10)]) == [0]


def test_a_thousand_boxes_are_each_placed_once() -> None:
    random = np.random.default_rng(5)
    boxes = [box(*random.uniform(0, 1500, 2), random.uniform(5, 300), random.uniform(5, 40)) for _ in range(1000)]
    assert sorted(reading_order(boxes)) == list(range(1000))
