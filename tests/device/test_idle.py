"""What the machine draws while nothing runs."""

from __future__ import annotations

import random

import pytest

from appliance.device.idle import Idle


def test_nothing_is_said_before_there_are_enough_readings() -> None:
    idle = Idle(least=3)
    for watts in (4.0, 5.0):
        idle.add(watts)
        assert idle.watts is None
    idle.add(6.0)
    assert idle.watts == 4.0


def test_what_other_programs_draw_now_and_then_is_not_idle() -> None:
    chance, idle = random.Random(7), Idle()
    for _ in range(600):
        idle.add(4.6 + chance.uniform(-0.05, 0.05) + (3.0 if chance.random() < 0.4 else 0.0))
    assert idle.watts == pytest.approx(4.6, abs=0.06)


def test_a_machine_that_got_warmer_draws_more_at_rest() -> None:
    idle = Idle(window=20)
    for watts in [4.0] * 100 + [5.0] * 20:
        idle.add(watts)
    assert idle.watts == 5.0
    for _ in range(10):
        idle.add(4.0)
    assert idle.watts == 4.0, "half of the last twenty"


def test_the_quantile_of_a_window_is_that_of_its_readings() -> None:
    chance, idle, given = random.Random(1), Idle(quantile=0.5, window=7, least=1), []
    for _ in range(200):
        given.append(chance.choice([1.0, 2.0, 3.0, 4.0]))  # with many alike, so that removing has to find the right one
        idle.add(given[-1])
        recent = sorted(given[-7:])
        assert idle.watts == recent[(len(recent) - 1) // 2]


@pytest.mark.parametrize("options", [{"quantile": 1.5}, {"least": 0}, {"window": 5, "least": 6}])
def test_options_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="idle: expected"):
        Idle(**options)
