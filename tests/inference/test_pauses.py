"""How long a backend that failed is left alone."""

from __future__ import annotations

from appliance.inference.pauses import LONGEST_S, PAUSE_S, Pauses


def test_while_it_is_tried_nobody_else_is_to_try_and_afterwards_twice_the_time_passes() -> None:
    pauses = Pauses()
    assert pauses.failed(0.0) == PAUSE_S
    assert not pauses.due(PAUSE_S - 1)
    assert pauses.due(PAUSE_S)
    pauses.trying()
    assert not pauses.due(1e9)
    pauses.tried(PAUSE_S)
    assert not pauses.due(3 * PAUSE_S - 1)
    assert pauses.due(3 * PAUSE_S)


def test_every_failure_doubles_the_pause_up_to_the_longest_and_a_long_service_makes_it_forget() -> None:
    pauses = Pauses()
    paused = [pauses.failed(float(second)) for second in range(9)]
    assert paused[:3] == [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
    assert paused[-1] == LONGEST_S
    pauses.serves(1000.0)
    assert pauses.failed(1000.0 + LONGEST_S + 1) == PAUSE_S


def test_what_serves_for_another_reason_is_left_alone_for_the_longest_pause() -> None:
    pauses = Pauses()
    pauses.serves(100.0)
    assert not pauses.due(100.0 + LONGEST_S - 1)
    assert pauses.due(100.0 + LONGEST_S)
