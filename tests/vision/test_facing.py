from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
from pictures import Networks, rotated

from appliance.values import Character
from appliance.vision.detect import Corners, DetectorOptions, detect
from appliance.vision.facing import facing, placed, upright
from appliance.vision.image import Pixels
from appliance.vision.recognise import Reading, alphabet, recognise

Pages = dict[str, tuple[Pixels, list[str]]]
TURNS = [0, 90, 180, 270]


def turned(image: Pixels, angle: int) -> Pixels:
    """Turned clockwise."""
    return np.ascontiguousarray(np.rot90(image, -angle // 90))


@pytest.fixture(scope="module")
def see(networks: Networks) -> Callable[..., int]:
    """Detects and tells how a picture stands, with the classifier or without it."""
    classes = alphabet(networks.characters)

    def angle(image: Pixels, *, classifier: bool = True) -> int:
        boxes = [region.corners for region in detect(networks.detect, image, DetectorOptions(max_side=800))]
        assert boxes
        tell = networks.orient if classifier else None
        return facing(image, boxes, tell, lambda strip: recognise(networks.recognise, strip, classes))

    return angle


@pytest.mark.parametrize("angle", TURNS)
def test_the_pages_of_the_cases_are_told_in_every_position(see: Callable[..., int], pages: Pages, angle: int) -> None:
    assert {name: see(turned(image, angle)) for name, (image, _) in pages.items()} == dict.fromkeys(pages, angle)


@pytest.mark.parametrize("angle", TURNS)
@pytest.mark.parametrize("slant", [-15, 8])
def test_a_slanted_page_stands_as_the_nearest_quarter_turn(
    see: Callable[..., int], pages: Pages, slant: int, angle: int
) -> None:
    assert see(rotated(pages["notice"][0], -(angle + slant))) == angle


@pytest.mark.parametrize("angle", TURNS)
def test_without_the_classifier_lines_are_read_in_both_directions(
    see: Callable[..., int], pages: Pages, angle: int
) -> None:
    assert see(turned(pages["notice"][0], angle), classifier=False) == angle


@pytest.mark.parametrize("angle", TURNS)
def test_columns_of_upright_print_are_no_page_on_its_side(
    see: Callable[..., int], write: Callable[..., Pixels], angle: int
) -> None:
    columns = ["便民生活超市", "谢谢惠顾欢迎"]
    drawn = [(x, 20 + 44 * n, c) for x, column in zip((220, 80), columns, strict=True) for n, c in enumerate(column)]
    assert see(turned(write(drawn, width=320, height=320, size=38), angle)) == angle


@pytest.mark.parametrize("angle", TURNS)
def test_a_single_character_is_turned_until_it_can_be_read(
    see: Callable[..., int], write: Callable[..., Pixels], angle: int
) -> None:
    assert see(turned(write([(60, 40, "货")], width=240, height=240, size=120), angle)) == angle


@pytest.mark.parametrize("angle", TURNS)
def test_a_single_line_is_told(see: Callable[..., int], write: Callable[..., Pixels], angle: int) -> None:
    assert see(turned(write([(20, 20, "SF1392847561002")], width=420, height=80, size=36), angle)) == angle


def test_what_looks_the_same_upside_down_is_left_as_it_is(
    see: Callable[..., int], write: Callable[..., Pixels]
) -> None:
    assert see(write([(60, 40, "口")], width=240, height=240, size=120)) == 0


class FakeClassifier:
    """Always answers with the same probability of being upside down."""

    def __init__(self, down: float) -> None:
        self.down = down

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[np.generic]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        return {"softmax": np.array([[1 - self.down, self.down]], np.float32)}


def says(text: str, confidence: float) -> Callable[[Pixels], Reading]:
    """A reader that reads the same in whatever it is shown."""
    characters = tuple(Character(character, confidence) for character in text)
    return lambda _: Reading(characters, tuple(20 * n for n in range(len(text))))


LINE = np.array([[10, 10], [200, 10], [200, 40], [10, 40]], np.float32)
PAPER = np.full((300, 300, 3), 255, np.uint8)


def test_nothing_there_is_upright() -> None:
    assert facing(PAPER, [], FakeClassifier(1.0), says("never asked", 1.0)) == 0


def test_what_cannot_be_read_anyway_is_not_turned() -> None:
    assert facing(PAPER, [LINE], FakeClassifier(1.0), says("ABCDE", 0.9)) == 180
    assert facing(PAPER, [LINE], FakeClassifier(1.0), says("ABCDE", 0.3)) == 0
    assert facing(PAPER, [LINE], FakeClassifier(1.0), says("", 0)) == 0


def test_more_length_of_lines_decides_the_axis() -> None:
    tall = np.array([[250, 10], [280, 10], [280, 90], [250, 90]], np.float32)
    assert facing(PAPER, [tall, tall, LINE], FakeClassifier(0.0), says("ABCDE", 0.9)) == 0
    assert facing(PAPER, [tall, tall, tall, LINE], FakeClassifier(0.0), says("ABCDE", 0.9)) == 90
    assert facing(PAPER, [tall, tall, tall, LINE], FakeClassifier(1.0), says("ABCDE", 0.9)) == 270


@pytest.mark.parametrize("angle", TURNS)
def test_a_pixel_is_placed_where_it_came_from(angle: int) -> None:
    page = np.zeros((4, 7, 3), np.uint8)
    page[1, 5] = 255
    image = turned(page, angle)
    assert np.array_equal(upright(image, angle), page)
    corner: Corners = np.array([[5, 1]], np.float32)
    ((x, y),) = placed(corner, angle, (image.shape[1], image.shape[0]))
    assert image[int(y), int(x)].tolist() == [255, 255, 255]
