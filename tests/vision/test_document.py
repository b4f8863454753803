"""Where something written lies: the shipped pages on a desk, and what is none."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np
import pytest

from appliance.artifacts.manifest import load_manifests, shipped_root
from appliance.vision.document import SIDE, Box, alike, document, small, written
from appliance.vision.image import Pixels
from benchmarks.camera.scenes import Knot, Scene, Shown, frames
from tests.vision.pictures import picture

CASES = {
    case.path.stem: case.path
    for case in load_manifests(shipped_root())["pp-ocrv6-small"].cases()
    if case.kind == "page"
}


def view(*shown: Shown, **more: object) -> Pixels:
    return next(islice(frames(Scene(1.0, shown, **more)), 3, None))  # type: ignore[arg-type]


def lying(name: str, angle: float = 0.0, share: float = 0.7, blur: float = 0.0) -> Shown:
    return Shown(picture(CASES[name]), (Knot(0, 0.45, 0.5, angle, blur), Knot(9, 0.45, 0.5, angle, blur)), share)


def beside(shop: Pixels, seen: Pixels) -> Box | None:
    """The document in `seen`, apart from what the shop has there."""
    grey, own = small(seen), small(shop)
    same = cv2.dilate((written(own) & alike(grey, own)).astype(np.uint8), np.ones((3, 3), np.uint8))
    return document(written(grey) & (same == 0))


@pytest.mark.parametrize("angle", [0.0, 20.0, 90.0, 180.0])
@pytest.mark.parametrize("name", sorted(CASES))
def test_pages_are_found_any_side_up(name: str, angle: float) -> None:
    found = beside(view(), view(lying(name, angle)))
    assert found is not None
    # Of a shelf tag the print beside the price may be all that hangs together: it lies on the tag all the same.
    assert abs((found.left + found.right) / 2 - 0.45) < 0.3
    assert abs((found.top + found.bottom) / 2 - 0.5) < 0.37
    assert 0.05 < found.area < 0.8


def test_a_card_is_large_enough() -> None:
    assert beside(view(), view(lying("shelf-tag", share=0.25))) is not None


def test_an_empty_desk_and_bare_things_are_none() -> None:
    plain = np.full((300, 420, 3), 235, np.uint8)
    bare = Shown(plain, (Knot(0, 0.5), Knot(9, 0.5)))
    assert beside(view(), view()) is None
    assert beside(view(), view(bare)) is None, "a sheet without a word"
    assert beside(view(print_on_desk=True), view(print_on_desk=True)) is None, "the shop's own print"


def test_a_page_over_the_shops_own_print_is_found() -> None:
    shop = view(print_on_desk=True)
    found = beside(shop, view(lying("waybill"), print_on_desk=True))
    assert found is not None
    assert found.area > 0.1


def test_what_only_became_darker_is_alike_and_what_is_covered_is_not() -> None:
    shop = small(view(lying("receipt")))
    darker = (shop * 0.5).astype(np.uint8)
    other = small(view(lying("waybill")))
    own = written(shop)
    assert alike(darker, shop)[own].mean() > 0.95
    assert alike(other, shop)[own].mean() < 0.4


def test_the_small_picture_has_one_size_whatever_the_cameras() -> None:
    for height, width in ((1080, 1920), (480, 640), (720, 1280), (2160, 3840), (120, 160), (1920, 1080)):
        assert max(small(np.zeros((height, width, 3), np.uint8)).shape) == SIDE


def test_a_box_cuts_its_part_out_of_any_size_and_knows_its_overlap() -> None:
    box = Box(0.25, 0.5, 0.75, 1.0)
    assert box.cut(np.zeros((100, 200, 3), np.uint8)).shape == (50, 100, 3)
    assert Box(0.999, 0.999, 1.0, 1.0).cut(np.zeros((10, 10), np.uint8)).size == 1
    assert box.overlap(box) == pytest.approx(1)
    assert box.overlap(Box(0.5, 0.5, 1.0, 1.0)) == pytest.approx(1 / 3)
    assert box.overlap(Box(0.0, 0.0, 0.2, 0.2)) == 0
