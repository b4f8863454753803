from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pictures import Networks, kept, rotated, without_spaces

from appliance.device.bill import OTHER, paying
from appliance.errors import DeadlineExceeded, InvalidInput
from appliance.inference.backend import Run
from appliance.values import OcrLine
from appliance.vision.detect import DetectorOptions
from appliance.vision.image import Pixels
from appliance.vision.reader import Reader
from appliance.vision.watch import Watch
from tests.device.test_bill import Desk

Pages = dict[str, tuple[Pixels, list[str]]]


def test_reads_every_page_of_the_cases(reader: Reader, pages: Pages) -> None:
    for name, (image, truth) in pages.items():
        result = reader.read(image)
        assert kept("".join(truth), result.text) >= 0.97, name
        assert (result.width, result.height) == (image.shape[1], image.shape[0])
        assert result.engine == "test"
        assert set(result.timings_ms) == {"detect", "rectify", "orient", "layout", "recognise"}
        assert all(0.5 <= line.confidence <= 1 for line in result.lines)


def test_the_stages_that_are_timed_are_those_that_pay(reader: Reader, pages: Pages) -> None:
    desk = Desk()
    bill = desk.open("read")
    image, _ = next(iter(pages.values()))
    with paying(bill):
        result = reader.read(image)
    bill.close()
    assert set(bill.known().stages) - {OTHER} == set(result.timings_ms)


def test_a_clean_page_is_read_line_by_line_in_order(reader: Reader, pages: Pages) -> None:
    for name in ("receipt", "waybill", "notice"):
        image, truth = pages[name]
        read = without_spaces(reader.read(image).text)
        places = [read.find(without_spaces(line)) for line in truth]
        found = [place for place in places if place >= 0]
        assert len(found) >= 0.9 * len(truth), name
        assert found[0] < found[-1]
    image, truth = pages["notice"]
    assert [without_spaces(line.text) for line in reader.read(image).lines] == [without_spaces(line) for line in truth]


@pytest.mark.parametrize("degrees", [-9, 7])
def test_a_slanted_page_keeps_its_text_and_its_order(reader: Reader, pages: Pages, degrees: float) -> None:
    image, truth = pages["waybill"]
    result = reader.read(rotated(image, degrees))
    assert kept("".join(truth), result.text) >= 0.97
    read = without_spaces(result.text)
    assert read.find("收件人") < read.find("浙江省") < read.find("寄件人") < read.find("上海市") < read.find("订单号")


def test_an_upside_down_page_keeps_its_text_and_its_order(reader: Reader, pages: Pages) -> None:
    image, truth = pages["waybill"]
    result = reader.read(np.ascontiguousarray(image[::-1, ::-1]))
    assert kept("".join(truth), result.text) >= 0.97
    read = without_spaces(result.text)
    assert read.find("收件人") < read.find("寄件人") < read.find("订单号")
    first = next(line for line in result.lines if "收件人" in line.text)
    assert first.box[0][0] > first.box[1][0]  # corners begin where the text begins: at the right
    assert first.box[0][1] > first.box[3][1]


@pytest.mark.parametrize("angle", [90, 180, 270])
@pytest.mark.parametrize("name", ["receipt", "shelf-tag", "waybill-photo"])
def test_a_turned_page_is_read_as_if_it_were_upright(reader: Reader, pages: Pages, name: str, angle: int) -> None:
    image = pages[name][0]
    straight = reader.read(image)
    turned = np.ascontiguousarray(np.rot90(image, -angle // 90))
    result = reader.read(turned)
    assert (straight.angle, result.angle) == (0, angle)
    assert (result.width, result.height) == (turned.shape[1], turned.shape[0])
    assert [line.text for line in result.lines] == [line.text for line in straight.lines]
    height, width = image.shape[:2]
    there = {
        90: lambda x, y: (height - 1 - y, x),
        180: lambda x, y: (width - 1 - x, height - 1 - y),
        270: lambda x, y: (y, width - 1 - x),
    }[angle]
    for before, after in zip(straight.lines, result.lines, strict=True):
        assert np.allclose([there(*corner) for corner in before.box], after.box, atol=0.2)


def test_boxes_of_a_turned_photo_are_in_pixels_of_the_full_one(reader: Reader, write: Callable[..., Pixels]) -> None:
    page = np.ascontiguousarray(np.rot90(write([(60, 140, "付款方式")], width=640, height=320, size=40)))
    plain, full = reader.read(page), reader.read(page, size=(960, 1280))
    assert plain.angle == full.angle == 270
    for (x, y), (wide, high) in zip(plain.lines[0].box, full.lines[0].box, strict=True):
        assert (wide, high) == pytest.approx((3 * x, 2 * y), abs=0.2)


def test_without_orientation_a_page_is_taken_as_it_stands(networks: Networks, pages: Pages) -> None:
    image, truth = pages["shelf-tag"]
    plain = Reader(*vars(networks).values(), name="plain", orientation=False)
    assert kept("".join(truth), plain.read(image).text) >= 0.97
    result = plain.read(np.ascontiguousarray(np.rot90(image)))
    assert result.angle == 0
    one, other, *_ = result.lines[0].box
    assert abs(one[1] - other[1]) < 0.5 * abs(one[0] - other[0])  # a box that stands in the image is left standing


def test_a_line_that_stands_against_the_others_is_read_both_ways(reader: Reader, write: Callable[..., Pixels]) -> None:
    lines = [(40, 30 + 60 * n, f"第{n}层货架洗衣液促销价") for n in range(5)]
    page = write(lines, width=520, height=340, size=32)
    page[20:80] = page[20:80][::-1, ::-1]
    result = reader.read(page)
    assert result.angle == 0
    assert {line.text for line in result.lines} == {text for *_, text in lines}
    against = next(line for line in result.lines if line.text.startswith("第0"))
    assert against.box[0][0] > against.box[1][0]  # its corners begin where its text begins


def test_characters_are_those_of_the_text(reader: Reader, pages: Pages) -> None:
    for line in reader.read(pages["receipt"][0]).lines:
        assert "".join(character.text for character in line.characters) == line.text
        assert all(len(character.text) == 1 for character in line.characters)
        assert line.confidence == pytest.approx(sum(c.confidence for c in line.characters) / len(line.characters))
        assert all(len(c.alternatives) in (0, 3, 4) for c in line.characters)


def test_without_the_classifier_an_upright_page_is_read_all_the_same(networks: Networks, pages: Pages) -> None:
    image, truth = pages["waybill"]
    reader = Reader(networks.detect, networks.recognise, None, networks.characters, name="two")
    assert kept("".join(truth), reader.read(image).text) >= 0.97


def test_upright_print_is_read_from_the_right(reader: Reader, write: Callable[..., Pixels]) -> None:
    columns = ["便民生活超市", "谢谢惠顾欢迎"]
    drawn = [(x, 20 + 44 * n, c) for x, column in zip((220, 80), columns, strict=True) for n, c in enumerate(column)]
    result = reader.read(write(drawn, width=320, height=320, size=38))
    assert [line.text for line in result.lines] == columns


def test_boxes_are_in_pixels_of_the_full_photo(reader: Reader, write: Callable[..., Pixels]) -> None:
    page = write([(60, 140, "付款方式")], width=640, height=320, size=40)
    plain, full = reader.read(page), reader.read(page, size=(1280, 960))
    assert (plain.width, plain.height, full.width, full.height) == (640, 320, 1280, 960)
    for (x, y), (wide, high) in zip(plain.lines[0].box, full.lines[0].box, strict=True):
        assert (wide, high) == pytest.approx((2 * x, 3 * y), abs=0.2)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (900, 3), (31, 33), (64, 16_000)])
def test_odd_shapes_are_read_without_complaint(reader: Reader, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(2).integers(0, 255, (*shape, 3), np.uint8)
    result = reader.read(noise)
    assert (result.height, result.width) == shape


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((1, 20_000, 3), np.uint8),
    ],
)
def test_another_array_is_invalid(reader: Reader, image: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(InvalidInput, match="expected uint8"):
        reader.read(image)


def test_an_empty_sheet_has_no_lines(reader: Reader) -> None:
    result = reader.read(np.full((400, 300, 3), 240, np.uint8))
    assert result.lines == ()
    assert result.text == ""
    assert result.confidence == 0


def test_doubtful_lines_are_dropped(networks: Networks, pages: Pages) -> None:
    image, _ = pages["receipt-photo"]
    small = cv2.GaussianBlur(cv2.resize(image, None, fx=0.5, fy=0.5), (0, 0), 1.6).astype(np.uint8)
    everything, sure = (Reader(*(vars(networks).values()), name="x", min_confidence=least) for least in (0.0, 0.9))
    lines = everything.read(small).lines
    doubtful = [line for line in lines if line.confidence < 0.9]
    assert doubtful
    assert sure.read(small).lines == tuple(line for line in lines if line not in doubtful)


class Watched:
    """Passes on to a network, notes what it was shown, and may do something of its own first."""

    def __init__(self, run: Run, first: Callable[[], object] = lambda: None) -> None:
        self.run = run
        self.first = first
        self.shapes: list[tuple[int, ...]] = []
        self.deadlines: set[float | None] = set()

    def __call__(
        self, inputs: Mapping[str, npt.NDArray[np.generic]], /, *, deadline: float | None = None
    ) -> dict[str, npt.NDArray[np.generic]]:
        self.shapes += [array.shape for array in inputs.values()]
        self.deadlines.add(deadline)
        self.first()
        return self.run(inputs)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def watched(networks: Networks, **options: Any) -> tuple[Reader, list[Watched]]:
    runs = [Watched(networks.detect), Watched(networks.recognise), Watched(networks.orient)]
    return Reader(*runs, networks.characters, name="watched", **options), runs


def test_the_detector_sees_no_more_than_max_side(networks: Networks, pages: Pages) -> None:
    reader, (detect, recognise, _) = watched(networks, max_side=480)
    reader.read(pages["notice"][0])
    assert detect.shapes
    assert all(max(shape) <= 480 for shape in detect.shapes)
    assert all(shape[2] == 48 and shape[3] % 8 == 0 for shape in recognise.shapes)


def test_the_deadline_reaches_every_network(networks: Networks, pages: Pages) -> None:
    reader, runs = watched(networks)
    deadline = time.monotonic() + 60
    reader.read(pages["shelf-tag"][0], deadline=deadline)
    assert all(run.deadlines == {deadline} for run in runs)


def test_a_deadline_in_the_past_stops_before_the_first_network(networks: Networks, pages: Pages) -> None:
    reader, runs = watched(networks)
    with pytest.raises(DeadlineExceeded):
        reader.read(pages["notice"][0], deadline=time.monotonic() - 1)
    assert not any(run.shapes for run in runs)


def test_a_deadline_that_passes_while_the_detector_runs_leaves_nothing(networks: Networks, pages: Pages) -> None:
    clock = Clock()
    reader, (detect, recognise, orient) = watched(networks, clock=clock)
    detect.first = lambda: clock.pass_by(5)
    with pytest.raises(DeadlineExceeded):
        reader.read(pages["notice"][0], deadline=clock.now + 4)
    assert len(detect.shapes) == 1
    assert not recognise.shapes
    assert not orient.shapes


def test_a_detector_that_gives_up_in_the_queue_leaves_nothing(networks: Networks, pages: Pages) -> None:
    def late() -> None:
        raise DeadlineExceeded("detector: expected outputs before the deadline, which passed in the queue")

    reader, (detect, _, _) = watched(networks)
    detect.first = late
    with pytest.raises(DeadlineExceeded, match="in the queue"):
        reader.read(pages["notice"][0], deadline=time.monotonic() + 60)


def test_a_deadline_that_passes_between_two_lines_leaves_those_read(networks: Networks, pages: Pages) -> None:
    image, truth = pages["receipt"]
    clock = Clock()
    reader, (_, recognise, _) = watched(networks, clock=clock)
    # From the first line on, each takes a second.
    watch = Watch(found=lambda _: setattr(recognise, "first", lambda: clock.pass_by(1)))
    result = reader.read(image, deadline=clock.now + 2.5, watch=watch)
    assert result.partial
    assert len(result.lines) == 3
    assert result.unread == len(truth) - 3
    assert [line.text for line in result.lines] == truth[:3]


def test_a_recogniser_that_gives_up_at_a_line_leaves_those_before(networks: Networks, pages: Pages) -> None:
    image, truth = pages["receipt"]
    reader, (_, recognise, _) = watched(networks)
    lines: list[OcrLine] = []

    def late() -> None:
        if len(lines) == 2:
            raise DeadlineExceeded("recogniser: expected outputs before the deadline, which passed while it ran")

    recognise.first = late
    result = reader.read(image, deadline=time.monotonic() + 60, watch=Watch(line=lines.append))
    assert [line.text for line in result.lines] == truth[:2]
    assert result.unread == len(truth) - 2


def test_a_deadline_that_passes_before_the_first_line_leaves_nothing(networks: Networks, pages: Pages) -> None:
    clock = Clock()
    reader, _ = watched(networks, clock=clock)
    late = Watch(found=lambda _: clock.pass_by(5))
    with pytest.raises(DeadlineExceeded):
        reader.read(pages["receipt"][0], deadline=clock.now + 4, watch=late)
    gone = Watch(found=lambda _: clock.pass_by(5), stopped=lambda: clock.now > 105)
    result = reader.read(pages["receipt"][0], deadline=clock.now + 4, watch=gone)
    assert result.partial  # whoever stopped it is told nothing of the deadline
    assert result.lines == ()


def test_a_reading_stopped_before_its_first_line_looks_no_closer(networks: Networks, pages: Pages) -> None:
    reader, (detect, recognise, orient) = watched(networks)
    result = reader.read(pages["receipt"][0], watch=Watch(stopped=lambda: True))
    assert result.lines == ()
    assert result.partial
    assert len(detect.shapes) == 1
    assert not recognise.shapes
    assert not orient.shapes


def test_who_watches_hears_each_line_at_once_and_may_stop(reader: Reader, pages: Pages) -> None:
    image, truth = pages["receipt"]
    found, lines = [], []
    watch = Watch(found.append, lines.append, lambda: len(lines) == 2)
    result = reader.read(image, watch=watch)
    assert found == [len(truth)]
    assert tuple(lines) == result.lines
    assert [line.text for line in lines] == truth[:2]
    assert result.unread == len(truth) - 2


def test_threads_may_share_one_reader(reader: Reader, pages: Pages) -> None:
    images = [pages[name][0] for name in ("notice", "shelf-tag", "waybill")]
    alone = [reader.read(image).lines for image in images]
    with ThreadPoolExecutor(3) as pool:
        together = [result.lines for result in pool.map(reader.read, images * 2)]
    assert together == alone * 2


def test_a_large_photo_of_small_print_is_read_from_its_own_pixels(reader: Reader, pages: Pages) -> None:
    image, truth = pages["notice"]
    photo = np.full((2600, 3400, 3), 255, np.uint8)
    photo[1000 : 1000 + image.shape[0], 1200 : 1200 + image.shape[1]] = image
    assert kept("".join(truth), reader.read(photo).text) >= 0.95


def test_options_of_the_detector_are_taken_and_max_side_wins(networks: Networks) -> None:
    reader, (detect, _, _) = watched(networks, max_side=640)
    few = replace(DetectorOptions(), max_pixels=100_000)
    narrow = Reader(detect, networks.recognise, None, networks.characters, name="n", max_side=640, options=few)
    for each in (reader, narrow):
        each.read(np.full((600, 600, 3), 255, np.uint8))
    # An empty sheet is glanced at and then looked at in full, where a full look is not small already.
    assert [shape[2:] for shape in detect.shapes] == [(320, 320), (640, 640), (320, 320)]


def test_with_fewer_pixels_the_detector_sees_less_and_the_result_says_so(networks: Networks, pages: Pages) -> None:
    seen: list[int] = []

    def counted(inputs: Mapping[str, Any], /, *, deadline: float | None = None) -> Any:
        seen.append(inputs["x"].shape[2] * inputs["x"].shape[3])
        return networks.detect(inputs, deadline=deadline)

    reader = Reader(counted, networks.recognise, networks.orient, networks.characters, name="test", orientation=False)
    full = less = 0
    for name in ("notice", "receipt", "waybill-photo"):
        image, truth = pages[name]
        reader.limit(1.0)
        assert not reader.read(image).reduced
        usual = sum(seen)
        seen.clear()
        reader.limit(0.25)
        result = reader.read(image)
        assert result.reduced
        assert sum(seen) <= usual, name
        assert kept("".join(truth), result.text) >= 0.8, f"{name}: print of this size is still read"
        full, less = full + usual, less + sum(seen)
        seen.clear()
    assert less < 0.7 * full
    for wrong in (0.0, -1.0, 1.5):
        with pytest.raises(ValueError, match="a share above 0"):
            reader.limit(wrong)
