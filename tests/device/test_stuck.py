"""A value that stands still while the other moves is stuck; one that is coarse, or at rest, is not."""

from __future__ import annotations

from collections.abc import Callable

from appliance.device.stuck import STUCK_S, Stuck


def course(
    watts: Callable[[int], float | None], celsius: Callable[[int], float | None], seconds: int = 900
) -> list[tuple[float | None, float | None]]:
    stuck = Stuck(15.0)
    return [stuck.moving(float(at), watts(at), celsius(at)) for at in range(seconds)]


def load(at: int) -> float:
    """Rest and load, two minutes each, with a sensor's noise."""
    return (5.0 if at % 240 < 120 else 13.0) + 0.01 * (at % 7)


def test_a_temperature_that_stands_while_the_load_comes_and_goes_is_no_longer_believed_until_it_moves() -> None:
    told = course(load, lambda at: 61.5 if at < 800 else 62.0)
    assert told[int(STUCK_S) - 1][1] == 61.5
    assert told[700] == (load(700), None)
    assert told[850] == (load(850), 62.0)


def test_power_that_stands_while_the_chip_warms_and_cools_is_no_longer_believed() -> None:
    told = course(lambda _: 6.0, lambda at: 50.0 + (15.0 if at % 240 < 120 else 0.0) + 0.5 * (at % 3))
    assert told[700][0] is None
    assert told[700][1] is not None


def test_what_stands_still_with_reason_is_believed() -> None:
    for watts, celsius in (
        (lambda at: 5.0 + 0.01 * (at % 7), lambda _: 45.0),  # at rest, told in whole degrees
        (lambda _: 5.0, lambda _: 45.0),  # nothing moves at all
        (lambda at: 40.0 if at % 300 < 5 else 5.0, lambda _: 45.0),  # peaks too short to warm anything
        (load, lambda at: 45.0 + (at % 240 >= 150)),  # one degree is all that a coarse sensor tells of the load
        (lambda _: 5.0, lambda at: 40.0 + (at % 300) / 60),  # the room warms
        (lambda _: None, lambda _: 45.0),
        (load, lambda _: None),
    ):
        assert course(watts, celsius) == [(watts(at), celsius(at)) for at in range(900)]
