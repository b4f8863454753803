"""The reader: a photo in, lines of text in reading order out, over three networks behind the inference contract."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from appliance.errors import DeadlineExceeded, InvalidInput
from appliance.inference.backend import Run
from appliance.values import OcrLine, OcrResult, Point
from appliance.vision.detect import Corners, DetectorOptions, detect
from appliance.vision.image import WORK_SIDE, Pixels
from appliance.vision.layout import reading_order
from appliance.vision.orient import turned
from appliance.vision.recognise import alphabet, recognise
from appliance.vision.rectify import strip
from appliance.vision.watch import UNWATCHED, Watch

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
        name: str,
        max_side: int = 1600,
        min_confidence: float = 0.5,
        options: DetectorOptions | None = None,
    ) -> None:
        """Take the three networks and what they need.

        `characters` is the recogniser's list without blank and space; `orient` may be None, upside-down lines are then
        read as they are; `name` becomes OcrResult.engine; `max_side` bounds the image that the detector sees and wins
        over `options`; lines below `min_confidence` are dropped.
        """
        self._detect = detect
        self._recognise = recognise
        self._orient = orient
        self._classes = alphabet(characters)
        self._name = name
        self._min_confidence = min_confidence
        self._options = replace(options or DetectorOptions(), max_side=max_side)

    def read(
        self,
        image: Pixels,
        *,
        size: tuple[int, int] | None = None,
        deadline: float | None = None,
        watch: Watch = UNWATCHED,
    ) -> OcrResult:
        """Read an upright BGR image, shape (height, width, 3), dtype uint8.

        `size` is the (width, height) of the photo that `image` is a smaller version of, as `probe(data).upright` gives
        it; the boxes are then in its pixels. `deadline` is in seconds of time.monotonic: when it passes, or `watch`
        says stop, what is known so far comes back with the number of lines left unread.
        Raises InvalidInput for another array, DeadlineExceeded when the deadline passes before a line was found, and
        what the networks raise.
        """
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
        stages = _Stages(deadline)
        height, width = image.shape[:2]
        found = stages.run("detect", lambda: detect(self._detect, image, self._options, deadline))
        boxes = [region.corners for region in found]
        strips = stages.run("rectify", lambda: [strip(image, box) for box in boxes])
        boxes, strips = stages.run("orient", lambda: self._upright(boxes, strips, deadline))
        order = stages.run("layout", lambda: reading_order(boxes))
        watch.found(len(order))
        full = size or (width, height)
        lines: list[OcrLine] = []
        began, unread = time.perf_counter(), len(order)
        for index in order:
            try:
                stages.check()
                if watch.stopped():
                    break
                reading = recognise(self._recognise, strips[index], self._classes, deadline)
            except DeadlineExceeded:
                break
            unread -= 1
            if reading.text and reading.confidence >= self._min_confidence:
                box = _quad(boxes[index], full[0] / width, full[1] / height)
                lines.append(OcrLine(reading.text, reading.confidence, box))
                watch.line(lines[-1])
        stages.timings_ms["recognise"] = (time.perf_counter() - began) * 1000
        return OcrResult(tuple(lines), full[0], full[1], self._name, stages.timings_ms, unread=unread)

    def _upright(
        self, boxes: list[Corners], strips: list[Pixels], deadline: float | None
    ) -> tuple[list[Corners], list[Pixels]]:
        """Turn what is upside down, the box with its strip: its corners begin where the text begins."""
        if self._orient is None:
            return boxes, strips
        answers = turned(self._orient, strips, deadline)
        return (
            [np.roll(box, 2, axis=0) if answer else box for box, answer in zip(boxes, answers, strict=True)],
            [s[::-1, ::-1] if answer else s for s, answer in zip(strips, answers, strict=True)],
        )


class _Stages:
    """Times each stage and stops at the deadline between them."""

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.timings_ms: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], _T]) -> _T:
        """Do `work`, note its milliseconds under `name`."""
        self.check()
        started = time.perf_counter()
        result = work()
        self.timings_ms[name] = (time.perf_counter() - started) * 1000
        return result

    def check(self) -> None:
        """Raise DeadlineExceeded once the deadline has passed."""
        if self.deadline is not None and (late := time.monotonic() - self.deadline) > 0:
            raise DeadlineExceeded(f"reading an image: expected an end before the deadline, got {late:.3f} s past it")


def _quad(corners: Corners, x_scale: float, y_scale: float) -> tuple[Point, Point, Point, Point]:
    one, two, three, four = ((round(float(x) * x_scale, 1), round(float(y) * y_scale, 1)) for x, y in corners)
    return one, two, three, four
