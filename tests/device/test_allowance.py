"""What the budget leaves room for: learnt costs, every window of 10 s, and what happens without readings."""

from __future__ import annotations

import pytest

from appliance.device.allowance import FORESEEN_S, MARGIN, SILENT_S, WINDOW_S, Allowance, Cost
from appliance.device.trace import Span

BUDGET_W, REST_W = 15.0, 5.0


class Board:
    """A board that draws REST_W, and `watts` more for each piece of work, read every 0.1 s."""

    def __init__(self, budget_w: float = BUDGET_W) -> None:
        self.allowance = Allowance(budget_w)
        self.now = 0.0
        self.drawn: list[tuple[float, float]] = []

    def pass_s(self, seconds: float, watts: float) -> None:
        for _ in range(round(seconds * 10)):
            self.allowance.note([Span(self.now, self.now + 0.1, watts, watts)])
            self.drawn.append((self.now, watts))
            self.now = round(self.now + 0.1, 6)

    def rest(self, seconds: float) -> None:
        self.pass_s(seconds, REST_W)

    def job(self, kind: str, seconds: float, watts: float, size: float = 1.0) -> None:
        work = self.allowance.begin(kind, self.now, size)
        self.pass_s(seconds, REST_W + watts)
        self.allowance.end(work, self.now)
        self.rest(0.1)

    def most_mean_w(self) -> float:
        drawn = [watts for _, watts in self.drawn]
        wide = round(WINDOW_S * 10)
        return max(sum(drawn[at : at + wide]) / wide for at in range(len(drawn) - wide + 1))


def test_it_begins_with_a_look_at_rest() -> None:
    board = Board()
    assert not board.allowance.known
    assert not board.allowance.fits("image", board.now), "nothing is known yet"
    board.rest(0.5)
    assert board.allowance.rest_w == pytest.approx(REST_W)
    assert board.allowance.fits("image", board.now)


def test_what_a_kind_of_work_costs_is_learnt_at_once_upwards_and_slowly_downwards() -> None:
    board = Board()
    board.rest(2)
    board.job("image", 1.0, 8.0)
    learnt = board.allowance.cost("image")
    assert (learnt.joules, learnt.seconds) == (pytest.approx(8.0, abs=0.2), pytest.approx(1.0))
    board.rest(3)
    board.job("image", 2.0, 8.0)
    assert board.allowance.cost("image").joules == pytest.approx(16.0, abs=0.4)
    board.rest(3)
    board.job("image", 1.0, 8.0)
    assert 14.0 < board.allowance.cost("image").joules < 16.0


def test_a_piece_of_twice_the_size_is_taken_to_need_twice_as_much() -> None:
    board = Board()
    board.rest(2)
    board.job("audio", 1.0, 4.0, size=2.0)
    assert board.allowance.cost("audio", 10.0).joules == pytest.approx(20.0, abs=0.6)
    with pytest.raises(ValueError, match="size above 0"):
        board.allowance.begin("audio", board.now, 0.0)


def test_work_side_by_side_shares_what_was_drawn_by_what_each_was_taken_to_need() -> None:
    board = Board()
    board.rest(2)
    board.job("image", 1.0, 9.0)
    board.rest(2)
    board.job("audio", 1.0, 3.0)
    board.rest(12)
    one, two = board.allowance.begin("image", board.now), board.allowance.begin("audio", board.now)
    board.pass_s(1.0, REST_W + 12.0)
    board.allowance.end(one, board.now)
    board.allowance.end(two, board.now)
    board.rest(1)
    assert board.allowance.cost("image").joules == pytest.approx(9.0, abs=0.3)
    assert board.allowance.cost("audio").joules == pytest.approx(3.0, abs=0.3)


def test_however_hard_it_is_pressed_every_window_keeps_the_budget() -> None:
    board = Board()
    board.rest(1)
    board.allowance.fits("image", board.now)
    done = 0
    while board.now < 120:
        if board.allowance.fits("image", board.now):
            board.job("image", 0.8, 18.0)
            done += 1
        else:
            board.rest(0.1)
    assert board.most_mean_w() <= BUDGET_W
    assert board.most_mean_w() > 0.8 * BUDGET_W * (1 - MARGIN), "and uses it"
    assert done > 40


@pytest.mark.parametrize("known", [True, False])
def test_a_piece_that_stood_still_does_not_make_the_next_look_weak(known: bool) -> None:
    board = Board()
    board.rest(2)
    if known:
        board.job("image", 2.0, 20.0)
        board.rest(12)
    board.job("image", 60.0, 0.6)
    board.rest(12)
    board.job("image", 2.0, 20.0)
    board.rest(12)
    assert board.allowance.cost("image").watts == pytest.approx(20.0, rel=0.1)
    running, begin = [], len(board.drawn)
    for _ in range(600):
        for work in [work for work in running if board.now - work.began >= 2.0]:
            board.allowance.end(work, board.now)
            running.remove(work)
        while board.allowance.fits("image", board.now) and len(running) < 3:
            running.append(board.allowance.begin("image", board.now))
        board.pass_s(0.1, REST_W + 20.0 * len(running))
    del board.drawn[:begin]
    assert board.most_mean_w() <= BUDGET_W


def test_a_reading_far_too_high_is_forgotten_also_of_long_work() -> None:
    board = Board()
    board.rest(2)
    board.job("image", 20.0, 200.0)
    for _ in range(120):
        board.rest(12)
        board.job("image", 20.0, 3.0)
    assert board.allowance.cost("image").watts < 5.0


def test_a_window_that_is_full_says_when_there_is_room_again() -> None:
    board = Board()
    board.rest(1)
    board.job("image", 1.0, 18.0)
    while board.allowance.fits("image", board.now):
        board.job("image", 1.0, 18.0)
    wait = board.allowance.wait_s("image", board.now)
    assert 0 < wait <= WINDOW_S
    board.rest(wait - 0.6)
    assert not board.allowance.fits("image", board.now)
    board.rest(0.7)
    assert board.allowance.fits("image", board.now)


def test_work_that_fits_into_no_window_has_one_for_itself_after_rest() -> None:
    board = Board()
    board.rest(1)
    board.job("image", 9.0, 20.0)
    assert not board.allowance.fits("image", board.now)
    assert board.allowance.wait_s("image", board.now) <= WINDOW_S + 1
    board.rest(11)
    assert board.allowance.fits("image", board.now), "nobody waits for ever"
    board.allowance.begin("audio", board.now)
    assert not board.allowance.fits("image", board.now), "and not beside anything else"


def test_heat_takes_room_away_and_in_the_end_all_of_it() -> None:
    board = Board()
    board.rest(12)
    assert board.allowance.cap_w == pytest.approx(BUDGET_W * (1 - MARGIN))
    board.allowance.share = 0.5
    assert board.allowance.cap_w == pytest.approx(REST_W + 0.5 * (BUDGET_W * (1 - MARGIN) - REST_W))
    board.allowance.share = 0.0
    assert not board.allowance.fits("image", board.now)
    assert board.allowance.wait_s("image", board.now) == FORESEEN_S


def test_lower_levels_are_learnt_apart_and_take_the_cost_of_the_one_above_until_then() -> None:
    board = Board()
    board.rest(2)
    board.job("image", 1.0, 10.0)
    board.allowance.level = 2
    assert board.allowance.cost("image").joules == pytest.approx(10.0, abs=0.3)
    board.rest(2)
    board.job("image", 0.5, 10.0)
    assert board.allowance.cost("image").joules == pytest.approx(5.0, abs=0.3)
    board.allowance.level = 0
    assert board.allowance.cost("image").joules == pytest.approx(10.0, abs=0.3)


def test_without_readings_one_piece_of_work_runs_at_a_time() -> None:
    board = Board()
    board.rest(2)
    later = board.now + SILENT_S + 1
    assert board.allowance.fits("image", later)
    work = board.allowance.begin("image", later)
    assert not board.allowance.fits("image", later + 1)
    board.allowance.end(work, later + 2)
    assert board.allowance.fits("image", later + 2)
    never = Allowance(BUDGET_W)
    assert not never.fits("image", 0.0)
    assert SILENT_S < never.wait_s("image", 0.0) < SILENT_S + 1, "who asks first is told to wait, and not sent away"
    assert never.fits("image", SILENT_S + 0.1), "a sensor that never says anything does not close the counter"


def test_what_is_done_while_the_meter_is_silent_teaches_nothing_and_is_not_kept_for_ever() -> None:
    board = Board()
    board.rest(2)
    board.job("image", 2.0, 8.0)
    board.rest(2)
    learnt = board.allowance.cost("image").joules
    for _ in range(200):
        board.now += 5
        work = board.allowance.begin("image", board.now)
        board.now += 2
        board.allowance.end(work, board.now)
    assert len(board.allowance._ended) < 10
    work = board.allowance.begin("image", board.now)
    board.now += 5
    board.pass_s(1, REST_W)
    board.allowance.end(work, board.now)
    board.rest(2)
    assert board.allowance.cost("image").joules == learnt
    board.job("image", 2.0, 8.0)
    board.rest(2)
    assert board.allowance.cost("image").joules == pytest.approx(16.0, abs=0.5)


def test_a_gap_in_the_readings_counts_as_what_lies_around_it() -> None:
    board = Board()
    board.rest(5)
    board.now += 4.0
    board.pass_s(1.0, 25.0)
    cost = Cost(joules=20.0, seconds=1.0)
    assert cost.watts == 20.0
    allowance = board.allowance
    assert not allowance._fits(Cost(30.0, 1.0), board.now, board.now), "4 s of 15 W are not taken for none"


def test_what_was_done_since_the_last_reading_counts_before_it_is_read() -> None:
    board = Board()
    board.rest(2)
    board.job("image", 0.2, 100.0)
    board.rest(12)
    done = 0
    while board.allowance.fits("image", board.now + 0.1 * done) and done < 20:
        work = board.allowance.begin("image", board.now + 0.1 * done)
        board.allowance.end(work, board.now + 0.1 * done + 0.1)
        done += 1
    full = (BUDGET_W * (1 - MARGIN) - REST_W) * WINDOW_S
    assert 3 <= done < 20, f"each draws 100 W for a moment, and {full:.0f} J are all there is"


def test_what_the_start_draws_is_not_taken_for_rest() -> None:
    board = Board()
    board.allowance.loaded(10.0)
    board.pass_s(10, 12.0)
    assert not board.allowance.fits("image", board.now)
    assert 0 < board.allowance.wait_s("image", board.now) < 5, "it is known soon"
    board.rest(3)
    assert board.allowance.rest_w == pytest.approx(REST_W)
    assert board.allowance._energy(board.now, board.now - 10, board.now) == pytest.approx(7 * 12.0 + 3 * REST_W)


def test_a_budget_has_to_be_one() -> None:
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="budget above 0"):
            Allowance(wrong)
