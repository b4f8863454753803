"""When a document is held still, and that it is picked once: on drawn films of a counter."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from appliance.vision.frame import Frame
from appliance.vision.image import Pixels
from appliance.vision.moment import EMPTY, HOLDING, MOVING, READ, Moment, Pick, Rules, Seen
from appliance.vision.sharpness import measure
from benchmarks.camera.scenes import Knot, Scene, Shown, frames, held
from tests.vision.pictures import picture
from tests.vision.test_document import CASES

SIZE = (960, 540)
LOOKS = 5


@pytest.fixture(scope="module")
def waybill() -> Pixels:
    return picture(CASES["waybill"])


@pytest.fixture(scope="module")
def receipt() -> Pixels:
    return picture(CASES["receipt"])


def looks(scene: Scene, moment: Moment | None = None) -> list[tuple[float, Seen]]:
    """What five looks a second see."""
    moment = moment or Moment()
    every = scene.fps // LOOKS
    return [
        (number / scene.fps, moment.see(Frame(view, number / scene.fps, number + 1)))
        for number, view in enumerate(frames(scene))
        if number % every == 0
    ]


def picks(seen: Iterable[tuple[float, Seen]]) -> list[tuple[float, Pick]]:
    return [(at, each.pick) for at, each in seen if each.pick is not None]


@pytest.mark.parametrize("more", [{}, {"tremor": 1.0}, {"angle": 25.0, "share": 0.8}, {"share": 0.4}])
def test_what_is_held_still_is_picked_once(waybill: Pixels, more: dict[str, float]) -> None:
    seen = looks(Scene(8, (held(waybill, 2, 3, **more),), SIZE))
    found = picks(seen)
    assert len(found) == 1
    at, pick = found[0]
    assert 2.7 < pick.at <= at < 5.0
    assert pick.quality.light == "good"
    assert pick.looks >= 3
    phases = [each.phase for _, each in seen]
    assert [phase for phase, before in zip(phases, [EMPTY, *phases], strict=False) if phase != before] == [
        MOVING,
        HOLDING,
        READ,
        EMPTY,
    ]
    assert [each.left for _, each in seen].count(True) == 1


def test_nothing_is_picked_where_nothing_is_shown(waybill: Pixels) -> None:
    hand = (Knot(2, -0.2), Knot(3, 0.5), Knot(4.5, 0.5), Knot(5.5, 1.3))
    passing = Shown(waybill, (Knot(2, -0.5), Knot(3.5, 1.5)))
    for scene in (
        Scene(5, size=SIZE),
        Scene(6, size=SIZE, hand=hand),
        Scene(5, size=SIZE, print_on_desk=True, light=lambda at: 1.0 if at < 2.5 else 0.5),
        Scene(5, (passing,), SIZE),
        Scene(
            5, size=SIZE, print_on_desk=True, light=lambda at: 0.02 if at < 0.6 else 1.0
        ),  # its first pictures are dark
    ):
        assert picks(looks(scene)) == []


def test_a_document_that_stays_is_not_read_again_and_one_that_comes_again_is(waybill: Pixels) -> None:
    stays = Shown(waybill, (Knot(2, -0.5), Knot(2.7, 0.5), Knot(20, 0.5)))
    assert len(picks(looks(Scene(12, (stays,), SIZE)))) == 1
    assert len(picks(looks(Scene(13, (held(waybill, 2, 2), held(waybill, 8.5, 2)), SIZE)))) == 2


def test_another_document_on_top_of_it_is_read_too(waybill: Pixels, receipt: Pixels) -> None:
    below = Shown(waybill, (Knot(2, -0.5), Knot(2.7, 0.5), Knot(20, 0.5)))
    found = picks(looks(Scene(10, (below, held(receipt, 5.5, 3, share=0.8)), SIZE)))
    assert len(found) == 2
    assert found[1][1].at > 6.2


def test_a_document_that_is_only_pushed_aside_is_the_same(waybill: Pixels) -> None:
    knots = (Knot(2, -0.5), Knot(2.7, 0.5), Knot(5, 0.5), Knot(5.5, 0.42, 0.46), Knot(20, 0.42, 0.46))
    assert len(picks(looks(Scene(9, (Shown(waybill, knots),), SIZE)))) == 1


def test_the_sharpest_picture_is_picked_when_the_lens_has_found_its_focus(waybill: Pixels) -> None:
    knots = (Knot(2, -0.5, blur=2), Knot(2.7, 0.5, blur=2), Knot(5.2, 0.5, blur=0), Knot(9, 0.5))
    found = picks(looks(Scene(8, (Shown(waybill, knots),), SIZE)))
    assert len(found) == 1
    assert found[0][1].at >= 4.8, "it was picked while the lens still searched"


def test_a_document_that_is_hidden_for_a_moment_has_not_left(waybill: Pixels) -> None:
    before = Shown(waybill, (Knot(2, -0.5), Knot(2.7, 0.5), Knot(5, 0.5)))
    again = Shown(waybill, (Knot(5.8, 0.5), Knot(20, 0.5)))
    seen = looks(Scene(9, (before, again), SIZE))
    assert len(picks(seen)) == 1
    assert not any(each.left for _, each in seen)


def test_of_what_is_held_shortly_the_best_is_read_when_it_leaves(waybill: Pixels) -> None:
    found = picks(looks(Scene(6, (held(waybill, 2, 1.15),), SIZE)))
    assert len(found) == 1
    assert found[0][1].at < 4.0


def test_the_picture_picked_is_the_sharpest_of_those_looked_at(waybill: Pixels) -> None:
    scene = Scene(7, (held(waybill, 2, 3, tremor=2.0),), SIZE, seed=3)
    seen: list[Frame] = []

    class Looked(Moment):
        def see(self, frame: Frame) -> Seen:
            seen.append(frame)
            return super().see(frame)

    (at, pick), *_ = picks(looks(scene, Looked()))
    held_then = [frame for frame in seen if at - 0.6 <= frame.at <= at]
    box = (slice(120, 420), slice(300, 660))
    best = max(measure(frame.pixels[box]).sharpness for frame in held_then)
    assert measure(pick.pixels[box]).sharpness > 0.9 * best


def test_what_was_not_read_is_picked_again(waybill: Pixels) -> None:
    moment, again = Moment(), 0
    stays = Shown(waybill, (Knot(2, -0.5), Knot(2.7, 0.5), Knot(20, 0.5)))
    for number, view in enumerate(frames(Scene(9, (stays,), SIZE, fps=LOOKS))):
        if moment.see(Frame(view, number / LOOKS, number)).pick is not None:
            again += 1
            moment.unread()
    assert again >= 3


def test_what_lies_for_long_belongs_to_the_shop_and_what_covers_it_counts(waybill: Pixels, receipt: Pixels) -> None:
    moment = Moment(Rules(stays_s=2.0))
    below = Shown(waybill, (Knot(2, -0.5), Knot(2.7, 0.5), Knot(20, 0.5)))
    seen = looks(Scene(13, (below, held(receipt, 9, 3, share=0.8)), SIZE), moment)
    assert len(picks(seen)) == 2
    assert next(each.phase for at, each in seen if at > 8.5) == EMPTY


def test_it_looks_slowly_while_nothing_happens(waybill: Pixels) -> None:
    moment = Moment(Rules(lively_s=1.5))
    seen = looks(Scene(10, (held(waybill, 4, 2),), SIZE), moment)
    assert not next(each.lively for at, each in seen if at > 3.4)
    assert all(each.lively for at, each in seen if 4.4 < at < 5.9)
    assert not seen[-1][1].lively


def test_another_size_of_picture_begins_anew() -> None:
    moment = Moment()
    for number, size in enumerate(((540, 960), (480, 640), (480, 640))):
        assert moment.see(Frame(np.zeros((*size, 3), np.uint8), float(number), number)).phase == EMPTY


@pytest.mark.parametrize("size", [(16, 16), (16, 4096), (4096, 16), (480, 640), (1081, 1919)])
def test_whatever_a_camera_sends_is_looked_at(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    moment = Moment(Rules(settle_s=0.0, hold_s=0.0, choose_s=0.0))
    still = rng.integers(0, 255, (*size, 3), np.uint8)
    for number in range(8):
        view = still if number % 3 else rng.integers(0, 255, (*size, 3), np.uint8)
        moment.see(Frame(view, number / LOOKS, number + 1))
    for number in range(8, 12):
        moment.see(Frame(still, number / LOOKS, number + 1))
    assert moment.see(Frame(np.zeros((*size, 3), np.uint8), 9.0, 13)).phase in (EMPTY, MOVING, HOLDING, READ)
