"""Joules of overlapping work: nothing lost, nothing counted twice, and each its fair part."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.device.energy import KEEP_S, QUIET_S, Sharing, Work
from appliance.device.idle import Idle
from appliance.device.trace import Energy, Span, Trace


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Heard(list[tuple[str, dict[str, object]]]):
    def __call__(self, event: str, /, **fields: object) -> None:
        self.append((event, fields))


class Bench:
    """A sharing with a clock and a rail: `pass_to` lets time pass and power run to some watts."""

    def __init__(self, watts: float = 4.0, idle: Idle | None = None) -> None:
        self.clock, self.heard = Clock(), Heard()
        self.sharing = Sharing(idle or Idle(least=1), listener=self.heard, clock=self.clock)
        self.rail, self.watts, self._read = Trace(100_000), watts, 0.0

    def pass_to(self, moment: float, watts: float) -> None:
        """The rail is read at `moment`; the power ran to `watts` since it was read before."""
        self.clock.now = moment
        span = Span(self._read, moment, self.watts, watts)
        self._read, self.watts = moment, watts
        self.rail.add(span)
        self.sharing.observe(span)

    def rest(self, until: float) -> None:
        """Nothing runs, and the board draws what it does."""
        while self._read < until - 1e-9:
            self.pass_to(self._read + 1.0, self.watts)


def test_two_that_overlap_share_what_is_above_idle() -> None:
    bench = Bench(watts=4.0)
    bench.rest(10.0)
    assert bench.sharing.idle_watts == 4.0
    first = bench.sharing.begin("read")
    bench.pass_to(10.001, 10.0)
    bench.pass_to(11.0, 10.0)
    second = bench.sharing.begin("hear")
    bench.pass_to(12.0, 10.0)
    bench.sharing.end(first)
    bench.pass_to(13.0, 10.0)
    bench.sharing.end(second)
    cost = bench.sharing.energy(first)
    assert cost.joules == pytest.approx(6.0 + 3.0, abs=0.01)
    assert cost == Energy(cost.joules, 2.0, 2.0)
    assert cost.complete
    assert bench.sharing.energy(second).joules == pytest.approx(3.0 + 6.0, abs=0.01)
    assert first.net


def test_weights_divide_otherwise() -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    heavy, light = bench.sharing.begin("detect", 3.0), bench.sharing.begin("intent")
    bench.watts = 12.0
    bench.pass_to(7.0, 12.0)
    assert bench.sharing.energy(heavy).joules == pytest.approx(12.0)
    assert bench.sharing.energy(light).joules == pytest.approx(4.0)
    for weight in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="weight above 0"):
            bench.sharing.begin("nothing", weight)


def test_the_stages_inside_a_piece_of_work_sum_up_to_it() -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    work, other = bench.sharing.begin("look"), bench.sharing.begin("other")
    for moment, watts in ((5.2, 9.0), (5.4, 14.0), (5.6, 6.0), (5.8, 4.0)):
        bench.pass_to(moment, watts)
    bench.sharing.end(other)
    bench.pass_to(6.0, 8.0)
    bench.sharing.end(work)
    cuts = (5.0, 5.07, 5.33, 5.9, 6.0)
    stages = [bench.sharing.energy(work, begin, end) for begin, end in zip(cuts, cuts[1:], strict=False)]
    whole = bench.sharing.energy(work)
    assert sum(stage.joules for stage in stages) == pytest.approx(whole.joules)
    assert all(stage.complete for stage in stages)
    assert bench.sharing.energy(work, 0.0, 99.0) == whole, "what lies outside of it is not its own"


def test_power_below_idle_is_idle_and_crossing_it_is_cut_there() -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    work = bench.sharing.begin("ask")
    bench.watts = 2.0
    bench.pass_to(7.0, 6.0)  # from 2 to 6 W: above 4 W for the second half, 1 W in its mean
    bench.sharing.end(work)
    assert bench.sharing.energy(work).joules == pytest.approx(1.0)
    assert bench.sharing.energy(work).complete
    assert bench.sharing.division.idle_j == pytest.approx(5 * 4.0 + 3.0 + 4.0)


def test_what_others_draw_while_nothing_of_ours_runs_is_the_rest() -> None:
    bench = Bench(watts=4.0)
    bench.rest(20.0)
    for _ in range(3):  # something else runs for 3 s, and the quantile does not follow it
        bench.watts = 9.0
        bench.pass_to(bench.clock.now + 1.0, 9.0)
    division = bench.sharing.division
    assert bench.sharing.idle_watts == 4.0
    assert division.rest_j == pytest.approx(15.0)
    assert division.shared_j == 0.0
    assert division.idle_j == pytest.approx(23 * 4.0)


def test_clocks_that_fall_late_are_not_idle() -> None:
    bench = Bench(watts=4.0, idle=Idle(quantile=1.0, least=1))
    bench.rest(5.0)
    bench.sharing.end(bench.sharing.begin("ask"))
    bench.watts = 9.0
    bench.pass_to(5.0 + QUIET_S / 2, 9.0)
    bench.pass_to(5.0 + QUIET_S * 1.5, 9.0)
    assert bench.sharing.idle_watts == 4.0
    bench.pass_to(5.0 + QUIET_S * 2, 9.0)
    assert bench.sharing.idle_watts == 9.0


def test_before_the_board_was_at_rest_nothing_is_subtracted_and_that_is_said() -> None:
    bench = Bench(watts=10.0)
    work = bench.sharing.begin("ask")
    bench.pass_to(2.0, 10.0)
    bench.sharing.end(work)
    assert bench.sharing.energy(work).joules == pytest.approx(20.0)
    assert not work.net
    assert bench.sharing.idle_watts is None


def test_what_is_known_is_told_once_when_it_is_known() -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    work = bench.sharing.begin("ask")
    bench.watts = 6.0
    bench.clock.now = 5.5
    bench.sharing.end(work)
    bench.sharing.end(work)  # a second time means nothing
    assert bench.sharing.energy(work) == Energy(0.0, 0.0, 0.5), "no reading yet"
    assert bench.heard == []
    bench.pass_to(6.0, 6.0)
    bench.pass_to(7.0, 6.0)
    told = {"name": "ask", "joules": pytest.approx(1.0), "covered_s": 0.5, "seconds": 0.5, "net": True}
    assert bench.heard == [("energy", told)]


def test_a_reading_at_the_end_makes_it_known_at_once() -> None:
    bench = Bench(watts=4.0)

    def read() -> None:
        if bench.clock.now > bench.rail.last.end:
            bench.watts = 8.0
            bench.pass_to(bench.clock.now, 8.0)

    bench.sharing = Sharing(Idle(least=1), refresh=read, listener=bench.heard, clock=bench.clock)
    bench.rest(5.0)
    bench.clock.now = 5.1
    with bench.sharing.measure("ask") as work:
        assert bench.rail.last.end == 5.1, "what was before it is not its own"
        bench.clock.now = 5.13
    assert bench.sharing.energy(work).joules == pytest.approx(0.03 * 4.0)
    assert bench.sharing.energy(work).complete
    assert [event for event, _ in bench.heard] == ["energy"]


def test_work_ends_when_its_block_fails() -> None:
    bench = Bench()
    with pytest.raises(RuntimeError), bench.sharing.measure("ask") as work:
        raise RuntimeError
    assert work.ended == 0.0


def test_a_gap_is_not_filled_and_the_work_in_it_is_told_with_what_is_known() -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    work, whole = bench.sharing.begin("in the gap"), bench.sharing.begin("over it")
    bench.clock.now = 7.0
    bench.sharing.end(work)
    bench.sharing.observe(Span(9.0, 10.0, 6.0, 6.0))
    assert bench.heard[0][1]["covered_s"] == 0.0
    bench.clock.now = 10.0
    cost = bench.sharing.energy(whole)
    assert cost == Energy(pytest.approx(2.0), 1.0, 5.0)
    assert cost.estimate is None, "a fifth of it is known"


def test_without_sensors_nothing_piles_up_and_nothing_is_made_up() -> None:
    bench = Bench()
    for _ in range(1500):
        with bench.sharing.measure("ask") as work:
            bench.clock.now += 0.001
    assert bench.sharing.energy(work) == Energy(0.0, 0.0, pytest.approx(0.001))
    assert len(bench.heard) == 500, "the oldest are told with nothing"
    assert {fields["covered_s"] for _, fields in bench.heard} == {0.0}


def test_long_work_keeps_its_energy_from_its_beginning_on() -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    work = bench.sharing.begin("talk")
    bench.watts = 5.0
    for second in range(6, 1006):
        bench.pass_to(float(second), 5.0)
    assert bench.sharing.energy(work).joules == pytest.approx(1000.0)
    assert bench.sharing.energy(work).complete


@pytest.mark.parametrize("seconds", [9, 300])
def test_the_energy_of_work_is_kept_for_two_minutes_after_its_end(seconds: int) -> None:
    bench = Bench(watts=4.0)
    bench.rest(5.0)
    work = bench.sharing.begin("talk")
    bench.watts = 5.0
    while bench.clock.now < 5 + seconds:
        bench.pass_to(bench.clock.now + 1, 5.0)
    bench.sharing.end(work)
    while bench.clock.now < 5 + seconds + KEEP_S - 1.2:
        bench.pass_to(bench.clock.now + 1, 5.0)
        with bench.sharing.measure("ask"):
            bench.clock.now += 0.1
    assert bench.sharing.energy(work) == Energy(pytest.approx(seconds), seconds, seconds)
    bench.pass_to(bench.clock.now + 60, 5.0)
    bench.pass_to(bench.clock.now + 60, 5.0)
    assert bench.sharing.energy(work).covered_s < seconds, "and not for ever"


EVENT = st.tuples(st.floats(0.001, 2.0), st.sampled_from(["read", "begin", "end"]), st.floats(-0.5, 30.0))


@settings(deadline=None)
@given(st.lists(EVENT, max_size=80), st.randoms(use_true_random=False))
def test_shares_idle_and_rest_are_what_the_rail_gave(events: Sequence[tuple], chance: random.Random) -> None:
    bench = Bench(watts=chance.uniform(0, 10), idle=Idle(least=2, window=5))
    running: list[Work] = []
    every: list[Work] = []
    for seconds, what, value in [*events, (1.0, "read", 3.0)]:
        bench.clock.now += seconds
        if what == "begin":
            running.append(bench.sharing.begin("work", chance.choice([1.0, 1.0, 0.3, 2.5])))
            every.append(running[-1])
        elif what == "end" and running:
            bench.sharing.end(running.pop(chance.randrange(len(running))))
        else:
            bench.pass_to(bench.clock.now, value)
    whole = bench.rail.energy(0.0, bench.clock.now)
    division = bench.sharing.division
    assert division.seconds == pytest.approx(whole.covered_s)
    assert division.idle_j + division.shared_j + division.rest_j == pytest.approx(whole.joules, abs=1e-6)
    costs = [bench.sharing.energy(work) for work in every]
    if bench.clock.now < 100:  # or the price of what ended early is no longer kept
        assert sum(cost.joules for cost in costs) == pytest.approx(division.shared_j, abs=1e-6)
        assert all(cost.complete for cost in costs)
    assert all(cost.joules >= -1e-9 for cost in costs)
    told = [fields for event, fields in bench.heard if event == "energy"]
    assert len(told) == len(every) - len(running)


def test_visitors_who_overlap_sum_up_to_the_rail() -> None:
    """Requests of three stages come at random and overlap; the rail is read five times a second."""
    chance, bench = random.Random(3), Bench(watts=4.6, idle=Idle())
    calendar: list[tuple[float, int, int]] = []  # moment, request, stage that begins (or, after the last one, ends)
    for request, start in enumerate(sorted(chance.uniform(5, 95) for _ in range(150))):
        moments = [start]
        for mean in (0.08, 0.25, 0.03):
            moments.append(moments[-1] + chance.expovariate(1 / mean))
        calendar += [(moment, request, stage) for stage, moment in enumerate(moments)]
    calendar.sort()
    now: dict[int, Work] = {}
    stages: dict[int, list[Work]] = {}
    for tick in range(1, 500):
        moment = tick * 0.2
        while calendar and calendar[0][0] <= moment:
            bench.clock.now, request, stage = calendar.pop(0)
            if request in now:
                bench.sharing.end(now.pop(request))
            if stage < 3:
                now[request] = bench.sharing.begin(f"stage {stage}")
                stages.setdefault(request, []).append(now[request])
        bench.pass_to(moment, 4.6 + chance.uniform(-0.1, 0.1) + 5.5 * min(2, len(now)))
    division = bench.sharing.division
    rail = bench.rail.energy(0.0, bench.clock.now)
    shares = sum(fields["joules"] for _, fields in bench.heard)
    assert len(bench.heard) == 450
    assert shares == pytest.approx(division.shared_j)
    assert shares + division.idle_j + division.rest_j == pytest.approx(rail.joules, rel=1e-9), "far within 2 %"
    assert shares > 0.2 * rail.joules


def test_the_fair_part_of_each_is_that_of_a_very_fine_sum() -> None:
    chance, bench = random.Random(11), Bench(watts=5.0)
    bench.rest(3.0)
    work: list[Work] = []
    for step in range(1, 400):
        moment = 3.0 + step * 0.01
        bench.clock.now = moment
        if chance.random() < 0.08:
            work.append(bench.sharing.begin("a", chance.choice([1.0, 2.0])))
        if work and chance.random() < 0.05:
            bench.sharing.end(chance.choice(work))
        if step % 20 == 0:
            bench.pass_to(moment, chance.uniform(3.0, 12.0))
    bench.pass_to(7.0, 5.0)
    for one in work:
        bench.sharing.end(one)
    fine, points = dict.fromkeys(range(len(work)), 0.0), 6_000
    spans = list(bench.rail.spans(3.0, 7.0))
    for point in range(points):
        moment = 3.0 + 4.0 * (point + 0.5) / points
        span = next(span for span in spans if span.end >= moment)
        active = [n for n, one in enumerate(work) if one.began <= moment < (one.ended or math.inf)]
        for n in active:
            weights = sum(work[m].weight for m in active)
            fine[n] += max(0.0, span.at(moment) - 5.0) * 4.0 / points * work[n].weight / weights
    assert len(work) > 10
    for n, one in enumerate(work):
        assert bench.sharing.energy(one).joules == pytest.approx(fine[n], abs=0.02)


def test_many_threads_at_once() -> None:
    ends = threading.Event()
    sharing = Sharing(Idle(least=1))
    works: list[Work] = []

    def visit() -> None:
        while not ends.is_set():
            with sharing.measure("ask") as work:
                ends.wait(0.0005)
            works.append(work)

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    clock = sharing._clock
    before, joules = clock(), 0.0
    for _ in range(50):
        now = clock()
        if now > before:
            sharing.observe(Span(before, now, 5.0, 5.0))
            joules, before = joules + (now - before) * 5.0, now
        ends.wait(0.001)
    ends.set()
    for thread in threads:
        thread.join()
    division = sharing.division
    assert len(works) > 4
    assert division.idle_j + division.shared_j + division.rest_j == pytest.approx(joules)
