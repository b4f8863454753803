"""The governor on simulated boards, for some minutes of the hour that `python -m benchmarks.governor --check` takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.device.governor import bound
from appliance.device.ladder import DEEPEST
from benchmarks.boards import BOARDS, Chip
from benchmarks.governor import LIMITS, SCENARIOS, House, Scenario, main, simulate, verdict

MINUTES = 600.0


@pytest.mark.parametrize("board", BOARDS)
def test_a_burst_that_would_break_the_budget_is_paced_and_every_word_answered(board: str) -> None:
    without = simulate(board, "bursts", seconds=MINUTES, governed=False)
    governed = simulate(board, "bursts", seconds=MINUTES)
    assert without.most_mean_w > 1.3 * LIMITS.budget_w, "else there is nothing to govern"
    assert not verdict(governed)
    assert governed.words_answered == governed.words_asked == without.words_asked > 0
    assert governed.images_asked == without.images_asked, "the same is asked"
    assert governed.images_read > 0.1 * without.images_read, "and it is not kept by doing nothing"


@pytest.mark.parametrize("board", BOARDS)
def test_a_fan_that_fails_in_the_heat_does_not_bring_the_chip_above_its_ceiling_for_long(board: str) -> None:
    governed = simulate(board, "fan failure", seconds=1500.0)
    assert not verdict(governed)
    assert governed.images_read > 100


def test_without_the_governor_the_same_hour_would_end_above_the_critical_temperature() -> None:
    assert simulate("orin-nano", "fan failure", seconds=1500.0, governed=False).most_celsius > LIMITS.critical_c


def test_in_a_box_that_is_too_hot_all_but_words_is_refused_and_taken_up_again() -> None:
    course = simulate("orin-nano", "sealed", seconds=2400.0)
    assert not verdict(course)
    causes = [step.cause for step in course.steps]
    assert "critical" in causes
    assert "cooled" in causes[causes.index("critical") :]
    assert course.images_heat > 0
    assert course.words_answered == course.words_asked > 100
    assert len(course.steps) <= bound(DEEPEST)


def test_the_same_seed_gives_the_same_course() -> None:
    one, two = (simulate("orin-nx", "mixed", seconds=120.0, seed=4) for _ in range(2))
    assert one.summary() == two.summary()
    assert one.trace == two.trace
    assert one.summary() != simulate("orin-nx", "mixed", seconds=120.0, seed=5).summary()


def test_a_chip_comes_to_rest_where_its_resistances_say() -> None:
    board = BOARDS["orin-nano"]
    chip = Chip(board, 25.0)
    assert chip.celsius == pytest.approx(25.0 + board.idle_w * (board.sink_k_per_w + board.chip_k_per_w))
    for _ in range(20_000):
        chip.warm(15.0, 25.0, 0.1)
    assert chip.celsius == pytest.approx(25.0 + 15.0 * (board.sink_k_per_w + board.chip_k_per_w), abs=0.1)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_every_board_names_its_sources_and_what_is_assumed(board: object) -> None:
    assert getattr(board, "sources", ())
    assert getattr(board, "assumptions", ())


def test_the_check_fails_for_each_thing_that_is_not_kept() -> None:
    good = simulate("orin-nano", "mixed", seconds=60.0)
    assert not verdict(good)
    for change, said in (
        ({"most_mean_w": 15.1}, "in any 10 s"),
        ({"most_celsius": 95.5}, "95 degrees"),
        ({"above_ceiling_s": 61.0}, "above the ceiling"),
        ({"words_answered": good.words_asked - 1}, "every question"),
        ({"steps": [None] * (bound(DEEPEST) + 1)}, "steps"),
        ({"scenario": "sealed"}, "refused for heat"),
    ):
        (wrong,) = verdict(replace(good, **change))  # type: ignore[arg-type]
        assert said in wrong


def test_without_load_nothing_is_stepped() -> None:
    quiet = Scenario("nothing", (replace(SCENARIOS["mixed"].phases[0], images=0.0, recordings=0.0),))
    course = House(BOARDS["agx-orin"], quiet, 1, 300.0, True).run()
    assert not course.steps


def test_the_command_writes_names_of_machine_and_sources_and_draws(tmp_path: Path) -> None:
    out = tmp_path / "governor.json"
    chosen = ["--board", "orin-nano", "--scenario", "steady", "--seconds", "60"]
    assert main([*chosen, "--json", str(out), "--plot", str(tmp_path), "--check"]) == 0
    document = json.loads(out.read_text("utf-8"))
    assert document["simulated"] is True
    assert document["machine"]["cpu"]
    assert document["boards"]["orin-nano"]["sources"]
    assert [run["governed"] for run in document["runs"]] == [False, True]
    drawn = (tmp_path / "governor-orin-nano-steady.svg").read_text("utf-8")
    assert "with the governor" in drawn
