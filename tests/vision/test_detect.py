from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pictures import Networks, picture

from appliance.artifacts.cases import Case
from appliance.vision.detect import DetectorOptions, detect, grow, in_order, input_size, regions, tensor

DEFAULT = DetectorOptions()


@pytest.mark.parametrize(
    "size, seen",
    [
        ((736, 736), (736, 736)),
        ((1300, 736), (1312, 736)),
        ((400, 400), (736, 736)),  # enlarged to the short side
        ((170, 47), (352, 96)),  # but at most twice
        ((100, 1200), (128, 1600)),  # and never past the longest side
        ((4000, 3000), (1152, 864)),  # nor past the number of pixels
        ((1, 20_000), (32, 1600)),
        ((1, 1), (32, 32)),
    ],
)
def test_input_size(size: tuple[int, int], seen: tuple[int, int]) -> None:
    assert input_size(*size, DEFAULT) == seen


@pytest.mark.parametrize("max_side", [320, 1000, 1600, 4096])
def test_input_size_keeps_its_bounds(max_side: int) -> None:
    options = DetectorOptions(max_side=max_side)
    for width in range(1, 5000, 311):
        for height in range(1, 5000, 173):
            seen = input_size(width, height, options)
            assert all(side % 32 == 0 and 32 <= side <= max_side for side in seen)
            assert seen[0] * seen[1] <= 1.1 * options.max_pixels


def test_tensor_is_scaled_bgr() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    image[:, :, 2] = 255
    made = tensor(image, (64, 32))
    assert made.shape == (1, 3, 32, 64)
    assert made.dtype == np.float32
    assert made[0, :, 0, 0].tolist() == [-1.0, -1.0, 1.0]


def probability(*boxes: tuple[int, int, int, int], value: float = 0.9) -> npt.NDArray[np.float32]:
    made = np.zeros((320, 480), np.float32)
    for left, top, right, bottom in boxes:
        made[top:bottom, left:right] = value
    return made


def test_a_core_is_grown_back_and_scaled_to_the_image() -> None:
    (region,) = regions(probability((100, 100, 300, 120)), (960, 640), DEFAULT)
    assert region.score == pytest.approx(0.9, abs=0.05)
    (left, top), _, (right, bottom), _ = region.corners
    # area * 1.5 / perimeter = 13.6 pixels on every side, twice that in an image twice as large
    assert (left, top, right, bottom) == pytest.approx((173, 173, 627, 267), abs=4)


def test_corners_begin_at_the_top_left_of_a_slanted_box() -> None:
    made = np.zeros((320, 480), np.float32)
    cv2.fillPoly(made, [np.array([[80, 150], [300, 100], [305, 122], [85, 172]], np.int32)], 0.9)
    (region,) = regions(made, (480, 320), DEFAULT)
    top_left, top_right, bottom_right, bottom_left = region.corners
    assert top_left[0] < top_right[0]
    assert top_left[1] > top_right[1]  # rises to the right
    assert bottom_left[1] > top_left[1]
    assert bottom_right[0] > bottom_left[0]


@pytest.mark.parametrize("degrees", [0, 7, -7, 30, -30, 44, -44])
@pytest.mark.parametrize("sides", [(400, 30), (30, 400), (50, 50)])
def test_a_box_that_leans_keeps_its_top_at_the_top(sides: tuple[int, int], degrees: float) -> None:
    width, height = sides
    straight = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getRotationMatrix2D((0, 0), degrees, 1)
    leaning = cv2.transform(straight[None], matrix)[0]
    for start in range(4):
        given = np.roll(leaning, start, axis=0)
        assert np.array_equal(in_order(given), leaning)
        assert np.array_equal(in_order(given[::-1]), leaning)


def test_what_is_faint_or_tiny_is_no_text() -> None:
    assert regions(probability((100, 100, 300, 120), value=0.4), (480, 320), DEFAULT) == []
    assert regions(probability((100, 100, 300, 101)), (480, 320), DEFAULT) == []
    assert regions(probability(), (480, 320), DEFAULT) == []


def test_boxes_are_clipped_to_the_image() -> None:
    (region,) = regions(probability((0, 0, 480, 30)), (480, 320), DEFAULT)
    assert region.corners.min() == 0
    assert region.corners[:, 0].max() <= 479


def test_many_boxes_are_bounded_and_the_widest_kept() -> None:
    specks = [(x, y, x + 8, y + 8) for y in range(40, 320, 16) for x in range(0, 480, 16)]
    made = probability(*specks, (10, 5, 400, 25))
    assert len(regions(made, (480, 320), DEFAULT)) == len(specks) + 1
    kept = regions(made, (480, 320), DetectorOptions(max_boxes=20))
    assert len(kept) == 20


def test_growing_nothing_gives_nothing() -> None:
    assert grow(np.zeros((4, 2), np.float32), 1.5) is None


class FakeDetector:
    """Returns one map and remembers what it was asked."""

    def __init__(self, answer: npt.NDArray[np.float32]) -> None:
        self.answer = answer
        self.inputs: list[Mapping[str, npt.NDArray[np.generic]]] = []
        self.deadlines: list[float | None] = []

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[np.generic]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        self.inputs.append(inputs)
        self.deadlines.append(deadline)
        return {"map": self.answer[None, None]}


def test_detect_asks_once_and_passes_the_deadline_on() -> None:
    fake = FakeDetector(probability((100, 100, 300, 120)))
    found = detect(fake, np.zeros((640, 960, 3), np.uint8), DEFAULT, 12.5)
    assert len(found) == 1
    assert fake.deadlines == [12.5]
    assert [key for asked in fake.inputs for key in asked] == ["x"]


def iou(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    common, _ = cv2.intersectConvexConvex(one, other)
    return float(common / (cv2.contourArea(one) + cv2.contourArea(other) - common))


def test_finds_every_line_of_the_cases(networks: Networks, cases: tuple[Case, ...]) -> None:
    for case in (case for case in cases if case.kind == "page"):
        image = picture(case.path)
        found = [region.corners for region in detect(networks.detect, image, DEFAULT)]
        for line in case.truth["lines"]:
            # Truth hugs the ink and the detector leaves a margin: centres have to meet, not outlines.
            centre = tuple(float(value) for value in np.mean(line["box"], axis=0))
            inside = [box for box in found if cv2.pointPolygonTest(box, centre, False) > 0]
            assert inside, f"{case.path.name}: nothing found at {line['text']}"
            assert max(iou(box, np.asarray(line["box"], np.float32)) for box in inside) > 0.35


def test_finds_nothing_on_an_empty_sheet(networks: Networks) -> None:
    assert detect(networks.detect, np.full((400, 600, 3), 250, np.uint8), DEFAULT) == []
