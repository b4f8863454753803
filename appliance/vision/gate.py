"""Task metrics of the OCR networks on a model's cases: what a file or an engine must reach before it may serve.

They see pictures through the product's own eyes: decoding, resizing, boxes and characters are those of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from appliance.artifacts.cases import Case
from appliance.errors import ManifestInvalid
from appliance.inference.backend import Run
from appliance.inference.signature import Arrays
from appliance.vision import detect, orient, recognise
from appliance.vision.detect import Corners, DetectorOptions
from appliance.vision.image import Pixels, decode
from appliance.vision.rectify import strip

BOX_F1, EXACT_LINES, ACCURACY = "box_f1", "exact_lines", "accuracy"

COVERED = 0.8
"""Share of a line's area that its box must cover (area recall of Wolf and Jolion, "Object count/area graphs for the
evaluation of object detection and segmentation algorithms", IJDAR 2006)."""
FILLED = 0.3
"""Share of a box that its line must fill. Theirs is 0.4, for boxes drawn by hand; here the truth of a lone digit is its
ink, and what the detector rightly leaves around it makes the box three times as large."""

_BYTES, _PIXELS = 1 << 24, 40_000_000
_EQUAL = str.maketrans({" ": None, "：": ":", "，": ","})
"""Spaces are the pipeline's business, and the full width of a colon cannot be seen."""


def box_f1(run: Run, cases: Sequence[Case], folder: Path) -> float:
    """F1 of the text boxes on the `page` cases, each box for at most one line and each line for at most one box."""
    options = DetectorOptions()
    matched = boxes = lines = 0
    for page in _of(cases, "page"):
        found = [region.corners for region in detect.detect(run, _picture(page.path), options)]
        meant = [np.array(line["box"], np.float32) for line in page.truth["lines"]]
        matched += _matched(found, meant)
        boxes, lines = boxes + len(found), lines + len(meant)
    return 2 * matched / (boxes + lines) if boxes + lines else 0.0


def exact_lines(run: Run, cases: Sequence[Case], folder: Path) -> float:
    """Share of the upright `line` cases that are read without a wrong character; the classes lie in `folder`."""
    classes = classes_in(folder)
    lines = [line for line in _of(cases, "line") if not line.truth["turned"]]
    right = sum(
        recognise.recognise(run, _strip(line.path), classes).text.translate(_EQUAL)
        == str(line.truth["text"]).translate(_EQUAL)
        for line in lines
    )
    return right / len(lines) if lines else 0.0


def accuracy(run: Run, cases: Sequence[Case], folder: Path) -> float:
    """Share of the `line` cases of which the classifier knows whether they are turned."""
    lines = _of(cases, "line")
    right = sum((orient.probability(run, _strip(line.path)) > 0.5) == bool(line.truth["turned"]) for line in lines)
    return right / len(lines) if lines else 0.0


def classes_in(folder: Path) -> tuple[str, ...]:
    """Text of every class of the recogniser whose characters.txt lies in `folder`. Raises ManifestInvalid."""
    path = folder / "characters.txt"
    try:
        return recognise.alphabet(path.read_text("utf-8").removesuffix("\n").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestInvalid(f"{path.name}: expected a character a line, got {type(error).__name__}") from error


def pages_in(cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The `page` cases as the detector takes them, one by one."""
    for page in _of(cases, "page"):
        image = _picture(page.path)
        size = detect.input_size(image.shape[1], image.shape[0], DetectorOptions())
        yield {"x": detect.tensor(image, size)}


def strips_in(cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The upright `line` cases as the recogniser takes them, piece by piece."""
    for line in _of(cases, "line"):
        if not line.truth["turned"]:
            for piece in recognise.pieces(_strip(line.path)):
                yield {"x": recognise.tensor(piece)}


def lines_in(cases: Sequence[Case], folder: Path) -> Iterator[Arrays]:
    """The `line` cases as the orientation classifier takes them, one by one."""
    for line in _of(cases, "line"):
        yield {"x": orient.tensor(_strip(line.path))}


def _of(cases: Sequence[Case], kind: str) -> list[Case]:
    return [case for case in cases if case.kind == kind]


def _picture(path: Path) -> Pixels:
    return decode(path.read_bytes(), max_bytes=_BYTES, max_pixels=_PIXELS)


def _strip(path: Path) -> Pixels:
    """The picture of a line as the pipeline cuts one out of a page: shape (48, width, 3)."""
    image = _picture(path)
    height, width = image.shape[:2]
    return strip(image, np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32))


def _matched(found: Sequence[Corners], meant: Sequence[Corners]) -> int:
    """Pairs of a box and a line that fit each other, the best first, none of them in two pairs."""
    fits = np.array([[_fit(box, line) for line in meant] for box in found], np.float64).reshape(len(found), len(meant))
    pairs = 0
    while fits.size and fits.max() > 0:
        box, line = np.unravel_index(int(fits.argmax()), fits.shape)
        fits[box, :] = fits[:, line] = 0
        pairs += 1
    return pairs


def _fit(box: Corners, line: Corners) -> float:
    """Intersection over union where enough of the line is covered and enough of the box filled, else 0."""
    import cv2

    shared = float(cv2.intersectConvexConvex(box, line)[0])
    areas = float(cv2.contourArea(box)), float(cv2.contourArea(line))
    fitting = shared >= FILLED * areas[0] and shared >= COVERED * areas[1] and shared > 0
    return shared / (sum(areas) - shared) if fitting else 0.0


METRICS: Mapping[str, Callable[[Run, Sequence[Case], Path], float]] = {
    BOX_F1: box_f1,
    EXACT_LINES: exact_lines,
    ACCURACY: accuracy,
}
"""Metrics by the names that manifests use."""
FEEDS: Mapping[str, Callable[[Sequence[Case], Path], Iterator[Arrays]]] = {
    BOX_F1: pages_in,
    EXACT_LINES: strips_in,
    ACCURACY: lines_in,
}
"""What makes the inputs of the networks that these metrics are of."""
