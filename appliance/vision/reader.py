"""The reader: a photo in, lines of text in reading order out, over three networks behind the inference contract."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from appliance.device.bill import stage
from appliance.errors import DeadlineExceeded, InvalidInput
from appliance.inference.backend import Run
from appliance.values import OcrLine, OcrResult, Quad
from appliance.vision.detect import STRIDE, Corners, DetectorOptions, Region, detect, input_size
from appliance.vision.facing import facing, flipped, placed, upright
from appliance.vision.image import WORK_SIDE, Pixels
from appliance.vision.layout import reading_order
from appliance.vision.orient import Way, ways
from appliance.vision.recognise import Reading, alphabet, recognise
from appliance.vision.rectify import strip
from appliance.vision.watch import UNWATCHED, Watch
from appliance.vision.zoom import SPECK, Size, closer, glance, moved, without_specks

_T = TypeVar("_T")


class Reader:
    """Detects, straightens, turns, recognises and orders. Keeps no state between calls: any thread may call it."""

    def __init__(
        self,
        detect: Run,
        recognise: Run,
        orient: Run | None,
        characters: Sequence[str],
        *,
        name: str | Callable[[], str],
        max_side: int = 1600,
        min_confidence: float = 0.5,
        orientation: bool = True,
        options: DetectorOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the three networks and what they need.

        `characters` is the recogniser's list without blank and space; `orient` may be None, upside-down lines are then
        found by reading; `name`, a function where it changes, becomes OcrResult.engine; `max_side` bounds the image
        that the detector sees and wins over `options`; lines below `min_confidence` are dropped. Without `orientation`
        every page is taken to stand upright: lines on their side are still read, but found less well and put in order
        as a column's are. `clock` gives the seconds that deadlines are compared with.
        """
        self._detect = detect
        self._recognise = recognise
        self._orient = orient
        self._classes = alphabet(characters)
        self._name = name if callable(name) else lambda: name
        self._min_confidence = min_confidence
        self._orientation = orientation
        self._clock = clock
        self._full = self._options = replace(options or DetectorOptions(), max_side=max_side)

    def limit(self, share: float) -> None:
        """From the next image on let the detector see `share` (above 0, at most 1) of the pixels that it may see.

        Small print suffers first; a result of which that may be true says so (`reduced`).
        """
        if not 0 < share <= 1:
            raise ValueError(f"reader: expected a share above 0 and at most 1, got {share}")
        full, side = self._full, math.sqrt(share)
        self._options = replace(
            full,
            max_side=max(STRIDE, round(full.max_side * side)),
            max_pixels=round(full.max_pixels * share),
            min_side=round(full.min_side * side),
        )

    def read(
        self,
        image: Pixels,
        *,
        size: tuple[int, int] | None = None,
        deadline: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> OcrResult:
        """Read a BGR image, shape (height, width, 3), dtype uint8.

        `size` is the (width, height) of the photo that `image` is a smaller version of, as `probe(data).upright` gives
        it; the boxes are then in its pixels. `deadline` is in seconds of the clock: when it passes, or `watch`
        says stop, what is known so far comes back with the number of lines left unread.
        Raises InvalidInput for another array, DeadlineExceeded when the deadline passes before a line was read, and
        what the networks raise.
        """
        _check(image)
        stages = _Stages(deadline, self._clock)
        frame = _Frame((image.shape[1], image.shape[0]), size or (image.shape[1], image.shape[0]))
        options = self._options  # once: they may change while it is read
        reduced = input_size(*frame.size, options) != input_size(*frame.size, self._full)
        page, angle, found = self._find(image, options, stages, watch)
        if watch.stopped():
            return OcrResult((), *frame.full, self._name(), stages.timings_ms, angle, len(found), reduced)
        boxes = [region.corners for region in found]
        strips = stages.run("rectify", lambda: [strip(page, box) for box in boxes])
        how = stages.run("orient", lambda: self._ways(strips, deadline))
        boxes = [_opposite(box) if way is Way.TURNED else box for box, way in zip(boxes, how, strict=True)]
        order = stages.run("layout", lambda: reading_order(boxes))
        watch.found(len(order))
        lines: list[OcrLine] = []
        began, unread = time.perf_counter(), len(order)
        for index in order:
            try:
                stages.check()
                if watch.stopped():
                    break
                with stage("recognise"):
                    reading, opposite = self._reading(strips[index], how[index], deadline)
            except DeadlineExceeded:
                if not lines and not watch.stopped():
                    raise
                break
            unread -= 1
            if reading.characters and reading.confidence >= self._min_confidence:
                quad = frame.quad(_opposite(boxes[index]) if opposite else boxes[index], angle)
                lines.append(OcrLine(reading.text, reading.confidence, quad, reading.characters))
                watch.line(lines[-1])
        stages.timings_ms["recognise"] = (time.perf_counter() - began) * 1000
        return OcrResult(tuple(lines), *frame.full, self._name(), stages.timings_ms, angle, unread, reduced)

    def _find(
        self, image: Pixels, options: DetectorOptions, stages: _Stages, watch: Watch
    ) -> tuple[Pixels, int, list[Region]]:
        """The page upright, by how many degrees it stood turned, and where its text is."""
        deadline = stages.deadline

        def look(page: Pixels, seen: Size, options: DetectorOptions) -> list[Region]:
            return stages.run("detect", lambda: detect(self._detect, page, options, deadline, size=seen))

        def facing_of(found: Sequence[Region]) -> int:
            corners = [region.corners for region in found]
            return facing(image, corners, self._orient, partial(self._read, deadline=deadline), deadline)

        size = (image.shape[1], image.shape[0])
        full = input_size(*size, options)
        # With fewer pixels a first look is never larger than it would be with all of them.
        usual = glance(input_size(*size, self._full), size)
        seen = min(glance(full, size), usual, key=lambda each: each[0] * each[1])
        first = options if seen == full else replace(options, min_height=SPECK)
        page, angle, found = image, 0, look(image, seen, first)
        if watch.stopped():
            return page, angle, found
        if self._orientation and found:
            angle = stages.run("orient", lambda: facing_of(found))
        if angle:
            # Looked at anew: the boxes could be turned with the page, but lines on their side are found less well.
            page = upright(image, angle)
            size, seen = (each[::-1] if angle % 180 else each for each in (size, seen))
            found = look(page, seen, first)
        nearer = closer(seen, found, size, options)
        if nearer is None:
            return page, angle, without_specks(found, seen, size, options.min_height)
        left, top, right, bottom = nearer.area
        return page, angle, moved(look(page[top:bottom, left:right], nearer.size, options), nearer.area)

    def _ways(self, strips: list[Pixels], deadline: float | None) -> list[Way]:
        if self._orient is None:
            return [Way.UPRIGHT] * len(strips)
        return ways(self._orient, strips, deadline)

    def _reading(self, strip: Pixels, way: Way, deadline: float | None) -> tuple[Reading, bool]:
        """What a strip says, and whether it says so in the direction opposite to its box."""
        if way is Way.TURNED:
            return self._read(flipped(strip), deadline), False
        reading = self._read(strip, deadline)
        if way is Way.EITHER:
            other = self._read(flipped(strip), deadline)
            if other.weight > reading.weight:
                return other, True
        return reading, False

    def _read(self, strip: Pixels, deadline: float | None = None) -> Reading:
        return recognise(self._recognise, strip, self._classes, deadline)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The photo in whose pixels boxes are given."""

    size: Size
    """(width, height) of the image read."""
    full: Size
    """(width, height) of the photo that the image is a smaller version of."""

    def quad(self, corners: Corners, angle: int) -> Quad:
        """Corners on the page in pixels of the photo in which it stands turned by `angle` degrees."""
        scale = (self.full[0] / self.size[0], self.full[1] / self.size[1])
        scaled = placed(corners, angle, self.size) * scale
        one, two, three, four = ((round(float(x), 1), round(float(y), 1)) for x, y in scaled)
        return one, two, three, four


class _Stages:
    """Times each stage and stops at the deadline between them."""

    def __init__(self, deadline: float | None, clock: Callable[[], float]) -> None:
        self.deadline = deadline
        self._clock = clock
        self.timings_ms: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], _T]) -> _T:
        """Do `work`, add its milliseconds to those of `name`."""
        self.check()
        started = time.perf_counter()
        with stage(name):
            result = work()
        spent = (time.perf_counter() - started) * 1000
        self.timings_ms[name] = self.timings_ms.get(name, 0.0) + spent
        return result

    def check(self) -> None:
        """Raise DeadlineExceeded once the deadline has passed."""
        if self.deadline is not None and (late := self._clock() - self.deadline) > 0:
            raise DeadlineExceeded(f"reading an image: expected an end before the deadline, got {late:.3f} s past it")


def _check(image: Pixels) -> None:
    if (
        image.ndim != 3
        or image.shape[2] != 3
        or image.dtype != np.uint8
        or not image.size
        or max(image.shape) > WORK_SIDE
    ):
        raise InvalidInput(
            f"image: expected uint8 of shape (height, width, 3), sides up to {WORK_SIDE}, "
            f"got {image.dtype} of {image.shape}"
        )


def _opposite(corners: Corners) -> Corners:
    """The same box for text that runs the other way."""
    return np.roll(corners, 2, axis=0)
