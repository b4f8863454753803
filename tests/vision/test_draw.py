from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.values import OcrLine, OcrResult
from appliance.vision.draw import annotate, find_font
from appliance.vision.facing import placed

GREEN, ORANGE = [70, 140, 0], [0, 110, 200]
PHOTO = np.full((600, 800, 3), 200, np.uint8)


def result(*lines: tuple[str, float, int], size: tuple[int, int] = (800, 600)) -> OcrResult:
    boxed = tuple(OcrLine(text, sure, ((50, y), (350, y), (350, y + 40), (50, y + 40))) for text, sure, y in lines)
    return OcrResult(boxed, *size, "test")


def has(image: np.ndarray, colour: list[int]) -> bool:
    return bool((image == colour).all(axis=2).any())


def test_boxes_are_drawn_and_text_stands_beside(chinese_font: Path) -> None:
    drawn = annotate(PHOTO, result(("付款方式", 0.99, 100)), chinese_font)
    assert drawn.note == ""
    assert drawn.image.shape[0] == 600
    assert drawn.image.shape[1] > 800
    assert drawn.image[100, 200].tolist() == GREEN
    assert drawn.image[300, 400].tolist() == [200, 200, 200]  # the photo itself is left as it is
    assert drawn.image[:, 800:].min() < 60


def test_doubtful_lines_are_orange(chinese_font: Path) -> None:
    sure, doubtful = (annotate(PHOTO, result(("付款", value, 100)), chinese_font).image for value in (0.9, 0.6))
    assert not has(sure, ORANGE)
    assert has(doubtful, ORANGE)
    assert not has(doubtful, GREEN)


def test_other_text_gives_another_picture(chinese_font: Path) -> None:
    one, other = (annotate(PHOTO, result((text, 0.9, 100)), chinese_font).image for text in ("付款", "收款"))
    assert one.shape == other.shape
    assert not np.array_equal(one, other)


def test_without_a_font_there_are_boxes_only_and_it_says_so() -> None:
    drawn = annotate(PHOTO, result(("付款方式", 0.99, 100)), None)
    assert drawn.image.shape == PHOTO.shape
    assert drawn.image[100, 200].tolist() == GREEN
    assert "fonts-wqy-microhei" in drawn.note


def test_boxes_of_the_full_photo_fit_a_smaller_one(chinese_font: Path) -> None:
    drawn = annotate(PHOTO, result(("大", 0.9, 400), size=(1600, 1200)), chinese_font).image
    assert drawn[200, 100].tolist() == GREEN


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_turned_page_is_drawn_upright(chinese_font: Path, angle: int) -> None:
    straight = result(("付款方式", 0.99, 100))
    photo = np.ascontiguousarray(np.rot90(PHOTO, -angle // 90))
    size = (photo.shape[1], photo.shape[0])
    corners = placed(np.array(straight.lines[0].box, np.float32), angle, size)
    box = tuple((float(x), float(y)) for x, y in corners)
    turned = OcrResult((OcrLine("付款方式", 0.99, box),), *size, "test", angle=angle)
    expected = annotate(PHOTO, straight, chinese_font).image
    assert np.array_equal(annotate(photo, turned, chinese_font).image, expected)


def test_a_small_picture_is_enlarged(chinese_font: Path) -> None:
    drawn = annotate(np.full((60, 80, 3), 255, np.uint8), result(("1", 0.9, 5), size=(80, 60)), chinese_font).image
    assert drawn.shape[0] == 480


@pytest.mark.parametrize("count", [0, 1, 300])
def test_any_number_of_lines_fits(chinese_font: Path, count: int) -> None:
    drawn = annotate(PHOTO, result(*[("行", 0.9, 2 * n) for n in range(count)]), chinese_font).image
    assert drawn.shape[0] >= 600
    assert drawn.dtype == np.uint8


def test_the_first_font_that_exists_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.ttf").touch()
    assert find_font([tmp_path / "a.ttf", tmp_path / "b.ttf", tmp_path / "c.ttf"]) == tmp_path / "b.ttf"
    assert find_font([tmp_path / "a.ttf"]) is None
