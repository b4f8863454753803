"""The benchmark of the camera: its films tell how blurred they are, and each limit can be missed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.camera.__main__ import _missed, _shipped, _summary
from benchmarks.camera.cost import Replay, watching
from benchmarks.camera.scenes import Knot, Scene, Shown, frames, held
from benchmarks.camera.trials import Outcome, nothing, shown
from tests.conftest import REPOSITORY

SHEET = np.full((300, 400, 3), 240, np.uint8)
GOOD = [Outcome(1, 1.4, {"appliance": 0.0, "first": 1.0})] * 20


def test_a_film_says_how_blurred_each_picture_is() -> None:
    blurs: list[float] = []
    scene = Scene(6.0, (held(SHEET, 1.0, 2.0),), (320, 180))
    pictures = list(frames(scene, blurs))
    assert len(pictures) == len(blurs) == 90
    assert blurs[5] == 0.0, "nothing is there"
    assert blurs[18] > 3.0, "it is pushed in"
    assert max(blurs[27:40]) < 0.01, "it is held"
    lens = Shown(SHEET, (Knot(0, 0.5, blur=2.0), Knot(9, 0.5, blur=2.0)))
    list(frames(Scene(0.4, (lens,), (320, 180)), found := []))
    assert found == pytest.approx([2.0] * 6)


def test_a_film_is_the_same_each_time() -> None:
    scene = Scene(0.4, (held(SHEET, 0.0, 2.0, tremor=2.0),), (320, 180), seed=7)
    for one, other in zip(frames(scene), frames(scene), strict=True):
        assert (one == other).all()
    assert any((one != other).any() for one, other in zip(frames(scene), frames(replace(scene, seed=8)), strict=True))


def test_documents_are_picked_and_nothing_is_not() -> None:
    sheets = _shipped()
    outcomes = list(shown(sheets, 3, seed=1))
    assert [outcome.picks for outcome in outcomes] == [1, 1, 1]
    assert all(0 < outcome.waited_s < 3.5 for outcome in outcomes)
    assert all(outcome.excess["appliance"] >= 0 for outcome in outcomes)
    assert nothing(sheets, 4, seed=3) == 0


def test_watching_costs_something_and_looks_as_often_as_it_is_told() -> None:
    cost = watching((320, 240), lively=True, rate=5, seconds=1.5)
    assert 2.0 <= cost.looks <= 6.0
    assert 0 < cost.share < 1
    assert Replay((320, 240)).bytes > 2_000


@pytest.mark.parametrize(
    "lively, slow, outcomes, false, said",
    [
        (0.06, 0.01, GOOD, 0, "640x480"),
        (0.01, 0.06, GOOD, 0, "1920x1080"),
        (0.01, 0.01, [*GOOD[:18], Outcome(0, math.nan, {}), Outcome(2, 1.4, GOOD[0].excess)], 0, "picked once"),
        (0.01, 0.01, [Outcome(1, 1.4, {"appliance": 0.9})] * 20, 0, "the sharpest"),
        (0.01, 0.01, [Outcome(1, 2.4, {"appliance": 0.0})] * 20, 0, "wait"),
        (0.01, 0.01, [Outcome(0, math.nan, {})] * 20, 0, "picked once"),
        (0.01, 0.01, GOOD, 1, "nothing shown"),
    ],
)
def test_each_limit_can_be_missed(lively: float, slow: float, outcomes: list[Outcome], false: int, said: str) -> None:
    assert _missed(0.01, 0.01, _summary(GOOD), 0) == []
    assert any(sentence.startswith(said) for sentence in _missed(lively, slow, _summary(outcomes), false))


def test_it_runs_as_a_command(tmp_path: Path) -> None:
    target = tmp_path / "camera.json"
    command = [sys.executable, "-m", "benchmarks.camera", "--trials", "6", "--seconds", "0.5", "--json", str(target)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(target.read_text("utf-8"))
    assert result["picks"]["trials"] == 6
    assert {tuple(cost["size"]) for cost in result["costs"]} == {(640, 480), (1280, 720), (1920, 1080)}
    assert result["machine"]["cpu"]
