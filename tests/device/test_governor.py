"""Steps down and up: why, how fast, how often at most, and what is done about what is not known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.device.governor import (
    FIRST_S,
    FORGIVEN_S,
    HOUR_S,
    LONGEST_REFUSED_S,
    LONGEST_S,
    MOST_REFUSALS,
    MOST_UPS,
    REFUSED_S,
    TRIAL_S,
    Governor,
    bound,
)
from appliance.device.level import CAUSES, TRICKLE, Limits, Reading, Step, room
from appliance.device.reasons import BLIND_S, LOST_S

LIMITS = Limits(budget_w=15.0, ceiling_c=85.0, critical_c=95.0, hysteresis_c=5.0)
COOL = Reading(watts=6.0, celsius=50.0)
OVER = Reading(watts=16.0, celsius=50.0)
HOT = Reading(watts=6.0, celsius=85.5)
DEEPEST = 4


class Bench:
    """A governor whose seconds pass when the test says so."""

    def __init__(self, deepest: int = DEEPEST, limits: Limits = LIMITS) -> None:
        self.now = 100.0
        self.governor = Governor(limits, deepest, clock=lambda: self.now)
        self.steps: list[Step] = []

    def pass_s(self, seconds: float, reading: Reading | Callable[[float], Reading], every: float = 1.0) -> list[Step]:
        """Look every second for so long; the steps that were taken."""
        before, end = len(self.steps), self.now + seconds
        while self.now < end - 1e-9:
            self.now += every
            step = self.governor.look(reading(self.now) if callable(reading) else reading)
            if step is not None:
                self.steps.append(step)
        return self.steps[before:]

    @property
    def level(self) -> int:
        return self.governor.state.level


def test_power_above_the_budget_steps_down_one_by_one_and_says_so() -> None:
    bench = Bench()
    first = bench.pass_s(1, OVER)
    assert [(step.before, step.after, step.cause) for step in first] == [(0, 1, "power")]
    assert first[0].reason == (
        "10 秒平均功率 16.0 W，预算 15 W",
        "16.0 W in the mean over 10 s, the budget is 15 W",
    )
    assert not bench.pass_s(9, OVER), "the mean over 10 s does not show the step yet"
    assert len(bench.pass_s(1, OVER)) == 1
    bench.pass_s(100, OVER)
    assert bench.level == DEEPEST, "and no further: power alone is no reason to refuse anybody"


def test_power_far_above_the_budget_takes_the_deepest_level_at_once() -> None:
    bench = Bench()
    bench.pass_s(1, Reading(watts=23.0))
    assert bench.level == DEEPEST


@pytest.mark.parametrize(
    "reading, cause",
    [
        (Reading(watts=6.0, celsius=85.0), "heat"),
        (Reading(watts=6.0, celsius=50.0, alarms=("cpu",)), "alarm"),
        (Reading(watts=6.0, celsius=50.0, waited_s=3.0), "waiting"),
    ],
)
def test_other_reasons_to_step_down(reading: Reading, cause: str) -> None:
    bench = Bench()
    (step,) = bench.pass_s(1, reading)
    assert (step.cause, step.after, step.direction) == (cause, 1, "down")
    assert all(step.reason), "said in both languages"


def test_a_temperature_that_rises_is_seen_ahead() -> None:
    bench = Bench()
    steps = bench.pass_s(20, lambda now: Reading(celsius=78.0 + 0.3 * (now - 100)))
    assert steps[0].cause == "heat"
    assert steps[0].at < 115, "at 82.5 degrees, and not at 85"
    steady = Bench()
    assert not steady.pass_s(300, Reading(celsius=84.5)), "one that stands is kept"


def test_at_the_critical_temperature_all_but_text_is_refused_at_once_and_taken_up_again_after_cooling() -> None:
    bench = Bench()
    bench.pass_s(1, Reading(watts=6.0, celsius=91.0))
    (step,) = bench.pass_s(1, Reading(watts=6.0, celsius=95.0))
    assert (step.cause, step.after) == ("critical", DEEPEST + 1)
    assert bench.governor.state.refusing
    assert not bench.pass_s(600, Reading(watts=4.0, celsius=86.0)), "below the critical one, and above the ceiling"
    assert not bench.pass_s(REFUSED_S - 1, Reading(watts=4.0, celsius=85.0))
    (up,) = bench.pass_s(1, Reading(watts=4.0, celsius=85.0))
    assert (up.cause, up.before, up.after) == ("cooled", DEEPEST + 1, DEEPEST)
    assert not bench.governor.state.refusing


def test_one_reading_out_of_a_cool_chip_refuses_nobody_and_a_second_one_does() -> None:
    bench = Bench()
    bench.pass_s(5, COOL)
    (step,) = bench.pass_s(1, Reading(watts=6.0, celsius=127.0))
    assert (step.cause, step.after) == ("heat", DEEPEST), "as safe as can be while everybody is served"
    assert not bench.pass_s(30, COOL)
    assert not bench.pass_s(1, Reading(watts=6.0, celsius=127.0)), "another one, much later"
    (step,) = bench.pass_s(1, Reading(watts=6.0, celsius=96.0))
    assert (step.cause, step.after) == ("critical", DEEPEST + 1)


def test_a_reading_that_comes_and_goes_is_borne_out_by_the_next_of_its_kind() -> None:
    bench = Bench()
    bench.pass_s(4, lambda at: Reading(watts=6.0, celsius=96.0 if at % 3 == 2 else 50.0))
    assert bench.governor.state.refusing


def test_one_reading_that_is_looked_at_twice_does_not_bear_itself_out() -> None:
    bench = Bench()
    bench.pass_s(2, Reading(watts=6.0, celsius=127.0, read_at=100.5))
    assert bench.level == DEEPEST
    bench.pass_s(1, Reading(watts=6.0, celsius=127.0, read_at=102.5))
    assert bench.governor.state.refusing


def test_spikes_without_end_keep_refusing_short_and_text_is_not_all_that_is_left() -> None:
    bench = Bench()
    began, longest, refused = bench.now, 0.0, 0.0
    since: float | None = None
    while bench.now < began + HOUR_S:
        spike = bench.level <= DEEPEST
        bench.pass_s(1, Reading(watts=4.0, celsius=96.0 if spike else 50.0))
        if bench.governor.state.refusing:
            since = bench.now if since is None else since
            refused, longest = refused + 1.0, max(longest, bench.now - since)
        else:
            since = None
    assert longest <= LONGEST_REFUSED_S
    assert sum(step.cause == "cooled" for step in bench.steps) == MOST_REFUSALS
    bench.pass_s(FORGIVEN_S + LONGEST_REFUSED_S, COOL)
    bench.pass_s(2, Reading(watts=4.0, celsius=96.0))
    assert bench.governor.state.refusing
    bench.pass_s(REFUSED_S, COOL)
    assert not bench.governor.state.refusing, "forgiven: a minute as at first"


def test_refusing_ends_though_the_steps_up_of_this_hour_are_used_up() -> None:
    bench = Bench()
    while sum(step.direction == "up" for step in bench.steps) < MOST_UPS:
        bench.pass_s(1, HOT)
        bench.pass_s(TRIAL_S + FIRST_S, COOL)
    bench.pass_s(2, Reading(watts=6.0, celsius=96.0))
    assert bench.governor.state.refusing
    bench.pass_s(REFUSED_S, COOL)
    assert bench.level == DEEPEST


def test_a_temperature_that_stands_still_under_changing_load_is_as_good_as_none() -> None:
    bench = Bench()
    bench.pass_s(900, lambda at: Reading(watts=5.0 if at % 240 < 120 else 12.0 + at % 2, celsius=60.0))
    assert (bench.level, bench.steps[-1].cause) == (DEEPEST, "blind")


def test_up_again_only_after_a_calm_time() -> None:
    bench = Bench()
    bench.pass_s(1, HOT)
    assert not bench.pass_s(FIRST_S - 1, COOL)
    (step,) = bench.pass_s(1, COOL)
    assert (step.direction, step.cause, step.after) == ("up", "calm", 0)
    bench.pass_s(1, HOT)
    bench.pass_s(40, COOL)
    bench.pass_s(1, replace(COOL, celsius=81.0))  # above the ceiling less its hysteresis
    assert not bench.pass_s(2 * FIRST_S - 1, COOL), "what was not calm begins the time anew"


def test_each_step_up_that_is_taken_back_doubles_the_time_before_the_next() -> None:
    bench = Bench()
    bench.pass_s(1, HOT)
    waits = []
    for _ in range(6):
        began = bench.now
        while bench.level:
            bench.pass_s(1, COOL)
        waits.append(bench.now - began)
        bench.pass_s(1, HOT)
    assert waits == pytest.approx([FIRST_S, 120, 240, 480, LONGEST_S, LONGEST_S])


def test_a_step_up_is_not_taken_while_what_the_step_down_saved_would_not_fit() -> None:
    bench = Bench()
    bench.pass_s(1, Reading(watts=16.0))
    assert not bench.pass_s(300, Reading(watts=12.0)), "12 W and the 4 W that were saved are above the budget"
    assert bench.pass_s(300, Reading(watts=9.0)), "9 W and 4 W are not"


def test_what_a_step_saved_is_forgotten_with_time_for_the_load_may_have_gone() -> None:
    bench = Bench()
    bench.pass_s(1, Reading(watts=21.0))
    steps = bench.pass_s(3000, Reading(watts=9.0))
    assert steps
    assert 300 < steps[0].at - 100 < 800


def test_what_is_not_known_holds_the_level() -> None:
    bench = Bench()
    bench.pass_s(1, OVER)
    for silent in (Reading(), replace(COOL, watts=None), replace(COOL, celsius=None), replace(COOL, age_s=30)):
        assert not bench.pass_s(BLIND_S / 2, silent)
        assert bench.level == 1
        bench.pass_s(1, Reading(watts=14.8, celsius=50.0))
    assert not bench.pass_s(BLIND_S / 2, Reading(watts=math.nan, celsius=math.inf)), "what is no number is not known"


def test_after_a_minute_of_silence_the_deepest_level_is_taken_and_left_when_the_sensors_speak() -> None:
    bench = Bench()
    bench.pass_s(10, COOL)
    (step,) = bench.pass_s(BLIND_S, replace(COOL, celsius=None))
    assert (step.cause, step.after) == ("blind", DEEPEST)
    assert not bench.pass_s(3600, Reading())
    assert bench.pass_s(FIRST_S + 1, COOL)[0].after == DEEPEST - 1


def test_a_sensor_that_breaks_in_heat_does_not_close_the_counter() -> None:
    bench = Bench()
    bench.pass_s(2, replace(COOL, celsius=120.0))
    assert bench.level == DEEPEST + 1
    unknown = replace(COOL, celsius=None)
    assert not bench.pass_s(LOST_S - 1, unknown), "it may burn still"
    (step,) = bench.pass_s(2, unknown)
    assert (step.cause, step.direction, step.after) == ("blind", "up", DEEPEST)
    assert not bench.pass_s(2 * LOST_S, unknown), "and no further up"


def test_silent_power_alone_does_not_end_refusing_in_heat() -> None:
    bench = Bench()
    bench.pass_s(2, replace(COOL, celsius=96.0))
    assert not bench.pass_s(2 * LOST_S, Reading(celsius=96.0))


def test_room_that_heat_took_is_a_trickle_when_the_temperature_is_lost() -> None:
    hot = room(93.0, LIMITS, 1.0)
    assert hot == 0.0
    assert room(None, LIMITS, hot) == room(math.nan, LIMITS, hot) == TRICKLE
    assert room(None, LIMITS, 0.7) == 0.7


def test_a_sense_that_never_spoke_is_not_waited_for() -> None:
    heat_only = Bench()
    heat_only.pass_s(1, Reading(celsius=86.0))
    assert heat_only.level == 1
    assert heat_only.pass_s(FIRST_S, Reading(celsius=60.0)), "up by the temperature alone"


def test_without_sensors_it_is_off_and_says_so() -> None:
    bench = Bench()
    assert not bench.pass_s(600, Reading(alarms=("cpu",), waited_s=100))
    state = bench.governor.state
    assert not state.watching
    assert "no power or temperature sensor" in state.reason[1]


def test_a_clock_that_jumps_brings_no_calm_time() -> None:
    bench = Bench()
    bench.pass_s(1, HOT)
    bench.now += 7200  # the process was stopped
    assert bench.governor.look(COOL) is None
    assert not bench.pass_s(FIRST_S - 10, COOL)
    bench.now -= 500
    assert bench.governor.look(COOL) is None
    assert bench.governor.state.since_s >= 0


def test_a_load_that_swings_with_the_worst_period_stays_below_the_bound() -> None:
    bench = Bench()
    for _ in range(12):
        bench.pass_s(190, COOL)
        bench.pass_s(60, Reading(watts=24.0, celsius=60.0))
        bench.pass_s(50, Reading(watts=4.0, celsius=96.0))
    assert _most_in_an_hour(bench.steps) <= bound(DEEPEST)
    assert len(bench.steps) > 5


def test_a_load_that_comes_back_just_after_every_trial_meets_the_bound_of_steps_up() -> None:
    bench = Bench()
    for _ in range(20):
        bench.pass_s(1, HOT)
        bench.pass_s(TRIAL_S + FIRST_S, COOL)
    assert _most_in_an_hour(bench.steps) <= bound(DEEPEST)
    assert sum(step.direction == "up" for step in bench.steps if step.at < 100 + HOUR_S) == MOST_UPS
    assert bench.level > 0, "what is left is to stay down"


readings = st.builds(
    Reading,
    watts=st.none() | st.floats(0, 40) | st.just(math.nan),
    celsius=st.none() | st.floats(-20, 130),
    alarms=st.sampled_from([(), ("gpu",)]),
    waited_s=st.floats(0, 20),
    age_s=st.sampled_from([0.0, 0.0, 0.0, 60.0]),
)


@settings(max_examples=60, deadline=None)
@given(
    runs=st.lists(
        st.tuples(readings, st.integers(1, 300), st.sampled_from([0.0, 0.5, 1.0, 1.0, 4.0, 700.0])), max_size=60
    ),
    deepest=st.integers(1, 6),
)
def test_whatever_is_read_the_steps_of_any_hour_are_bounded_and_the_level_on_the_ladder(
    runs: list[tuple[Reading, int, float]], deepest: int
) -> None:
    bench = Bench(deepest)
    for reading, looks, every in runs:
        for _ in range(looks):
            bench.now += every
            before = bench.level
            step = bench.governor.look(reading)
            after = bench.level
            assert 0 <= after <= deepest + 1
            assert (step is None) == (before == after)
            if step is None:
                continue
            bench.steps.append(step)
            assert step.cause in CAUSES
            assert (step.before, step.after) == (before, after)
            assert after >= before - 1, "up by one level only"
            if after > deepest:
                assert reading.celsius is not None
                assert reading.celsius >= LIMITS.critical_c
            if after < before and step.cause == "blind":
                assert before == deepest + 1, "only refusing ends unseen"
            elif after < before:
                assert reading.age_s == 0
    assert _most_in_an_hour(bench.steps) <= bound(deepest)


def _most_in_an_hour(steps: list[Step]) -> int:
    return max((sum(0 <= other.at - step.at < HOUR_S for other in steps) for step in steps), default=0)
