"""Task metrics of the OCR networks, counted by hand on networks that see what they are told to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from pictures import Networks

from appliance.artifacts.cases import Case
from appliance.errors import ManifestInvalid
from appliance.vision.gate import (
    FEEDS,
    METRICS,
    accuracy,
    box_f1,
    classes_in,
    exact_lines,
    lines_in,
    pages_in,
    strips_in,
)

Inputs = Mapping[str, npt.NDArray[Any]]
Outputs = dict[str, npt.NDArray[Any]]
Box = tuple[int, int, int, int]

LINE = (100, 100, 400, 130)
BELOW = (100, 200, 400, 230)
CELLS = ((100, 300, 220, 330), (240, 300, 360, 330))


def dark(inputs: Inputs, /, *, deadline: float | None = None) -> Outputs:
    """A detector that takes what is dark for the core of text."""
    return {"map": (inputs["x"].mean(axis=1, keepdims=True) < 0).astype(np.float32)}


def page(folder: Path, seen: Sequence[Box], meant: Sequence[Box]) -> Case:
    """A page of 800 x 736 on which `dark` finds `seen` and on which `meant` are lines."""
    image = np.full((736, 800, 3), 255, np.uint8)
    for left, top, right, bottom in seen:
        less = (bottom - top) // 4  # training shrinks a line to about this
        image[top + less : bottom - less, left + less : right - less] = 0
    path = folder / "page.png"
    cv2.imwrite(str(path), image)
    lines = [{"text": "", "box": [[a, b], [c, b], [c, d], [a, d]]} for a, b, c, d in meant]
    return Case(path, "page", {"width": 800, "height": 736, "photo": False, "lines": lines}, "MIT")


def line(folder: Path, text: str, turned: bool = False, width: int = 200, name: str = "line") -> Case:
    """A line picture, 48 high; turned ones are darker at their left."""
    image = np.full((48, width, 3), 255, np.uint8)
    image[:, : width // 2 if turned else 0] = 0
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), image)
    return Case(path, "line", {"text": text, "turned": turned}, "MIT")


@pytest.mark.parametrize(
    ("seen", "meant", "f1"),
    [
        ([LINE, BELOW], [LINE, BELOW], 1.0),
        ([LINE], [LINE, BELOW], 2 / 3),
        ([LINE, BELOW], [LINE], 2 / 3),
        ([], [LINE], 0.0),
        ([LINE], [], 0.0),
        ([], [], 0.0),
        ([(100, 100, 220, 130)], [LINE], 0.0),
        # One box over two cells is counted for one of them.
        ([(100, 300, 360, 330)], CELLS, 2 / 3),
        ([(100, 100, 400, 230)], [LINE], 0.0),
        # Two halves of a line are no line.
        ([(100, 100, 240, 130), (260, 100, 400, 130)], [LINE], 0.0),
    ],
)
def test_f1_counts_boxes_that_fit_a_line_each(
    tmp_path: Path, seen: Sequence[Box], meant: Sequence[Box], f1: float
) -> None:
    assert box_f1(dark, [page(tmp_path, seen, meant)], tmp_path) == pytest.approx(f1)


def test_pages_are_counted_together(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    cases = [page(tmp_path / "one", [LINE, BELOW], [LINE, BELOW]), page(tmp_path / "two", [], [LINE])]
    assert box_f1(dark, cases, tmp_path) == pytest.approx(2 * 2 / (2 + 3))
    assert box_f1(dark, [line(tmp_path, "a")], tmp_path) == 0.0, "other cases are not the detector's"


class Says:
    """A recogniser that reads the same classes on every strip, as the graph with the best five of every step does."""

    def __init__(self, *classes: int) -> None:
        self.classes = classes
        self.seen: list[tuple[int, ...]] = []

    def __call__(self, inputs: Inputs, /, *, deadline: float | None = None) -> Outputs:
        self.seen.append(inputs["x"].shape)
        ids = np.tile(np.arange(5, dtype=np.int32), (1, len(self.classes), 1))
        for step, best in enumerate(self.classes):
            ids[0, step] = [best, *(other for other in range(5) if other != best)][:5]
        odds = np.log(np.array([0.9, 0.04, 0.03, 0.02, 0.01], np.float32))
        return {"ids": ids, "logprobs": np.tile(odds, (1, len(self.classes), 1))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the recogniser's characters lie: classes 1 to 4 and the space."""
    (tmp_path / "characters.txt").write_text("号\n:\na\nb\n", "utf-8")
    return tmp_path


def test_a_line_is_exact_or_not(folder: Path) -> None:
    cases = [line(folder, "号:a"), line(folder, "号:b", name="other")]
    assert exact_lines(Says(1, 0, 2, 0, 3), cases, folder) == 0.5
    assert exact_lines(Says(1, 0, 2, 0, 3), cases[:1], folder) == 1.0
    assert exact_lines(Says(1, 0, 2, 0, 4, 0, 3), cases, folder) == 0.0
    assert exact_lines(Says(0), cases, folder) == 0.0


def test_what_cannot_be_seen_is_not_wrong(folder: Path) -> None:
    """Full width, and spaces, which the pipeline puts in by its own rules."""
    assert exact_lines(Says(1, 0, 2, 0, 5, 0, 3), [line(folder, "号：a")], folder) == 1.0


def test_turned_lines_are_not_the_recognisers(folder: Path) -> None:
    cases = [line(folder, "a"), line(folder, "b", turned=True, name="turned")]
    assert exact_lines(Says(3), cases, folder) == 1.0
    assert exact_lines(Says(3), cases[1:], folder) == 0.0


def test_characters_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match=r"characters\.txt: expected a character a line, got FileNotFoundError"):
        classes_in(tmp_path)


def left(inputs: Inputs, /, *, deadline: float | None = None) -> Outputs:
    """An orientation classifier that takes what is dark at its left for turned."""
    turned = float(inputs["x"][..., :50].mean() < 0)
    return {"softmax": np.array([[1 - turned, turned]], np.float32)}


def test_accuracy_is_the_share_of_lines_whose_direction_is_known(tmp_path: Path) -> None:
    cases = [line(tmp_path, "a", name="a"), line(tmp_path, "a", turned=True, name="b")]
    assert accuracy(left, cases, tmp_path) == 1.0
    wrong = Case(cases[0].path, "line", {"text": "a", "turned": True}, "MIT")
    assert accuracy(left, [*cases, wrong, wrong], tmp_path) == 0.5
    assert accuracy(left, [], tmp_path) == 0.0


def test_inputs_are_those_that_the_metrics_show(folder: Path) -> None:
    """Each network's own, and the same that it is measured on."""
    cases = [
        page(folder, [LINE], [LINE]),
        line(folder, "a", width=300),
        line(folder, "a", turned=True, name="turned"),
    ]
    seen: list[Inputs] = []

    def listening(run: Any) -> Any:
        def heard(inputs: Inputs, /, *, deadline: float | None = None) -> Outputs:
            seen.append(dict(inputs))
            found: Outputs = run(inputs)
            return found

        return heard

    for name, run in (("box_f1", dark), ("exact_lines", Says(3)), ("accuracy", left)):
        seen.clear()
        METRICS[name](listening(run), cases, folder)
        fed = list(FEEDS[name](cases, folder))
        assert [feed.keys() for feed in fed] == [{"x"}] * len(seen)
        for feed, shown in zip(fed, seen, strict=True):
            np.testing.assert_array_equal(feed["x"], shown["x"])
            assert feed["x"].dtype == np.float32
    assert [feed["x"].shape for feed in pages_in(cases, folder)] == [(1, 3, 736, 800)]
    assert [feed["x"].shape for feed in strips_in(cases, folder)] == [(1, 3, 48, 304)]
    assert len(list(lines_in(cases, folder))) == 2


def test_the_shipped_networks_pass_on_some_of_their_cases(networks: Networks, cases: tuple[Case, ...]) -> None:
    home = cases[0].path.parent.parent
    tag = [case for case in cases if case.path.stem == "shelf-tag"]
    lines = [case for case in cases if case.kind == "line"][:6]
    assert box_f1(networks.detect, tag, home) == 1.0
    assert exact_lines(networks.recognise, lines, home) == 1.0
    assert accuracy(networks.orient, lines, home) > 0.8
