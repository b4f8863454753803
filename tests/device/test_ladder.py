"""The ladder takes more away with each level, and never words."""

from __future__ import annotations

from itertools import pairwise

import pytest

from appliance.device.ladder import DEEPEST, HOT, RUNGS, SENSES, WORDS, rung_of, serves
from appliance.device.level import Limits, room

LIMITS = Limits(budget_w=15.0, ceiling_c=85.0, critical_c=95.0, hysteresis_c=5.0)


def test_the_first_level_takes_nothing_away_and_each_further_one_something() -> None:
    assert (RUNGS[0].pixels, RUNGS[0].light, RUNGS[0].images, RUNGS[0].recordings, RUNGS[0].camera) == (
        1.0,
        False,
        None,
        None,
        1.0,
    )
    many = 1000
    for above, below in pairwise(RUNGS):
        assert above != below
        assert below.pixels <= above.pixels
        assert below.camera <= above.camera
        assert below.light >= above.light
        assert (below.images or many) <= (above.images or many)
        assert (below.recordings or many) <= (above.recordings or many)


@pytest.mark.parametrize("level", range(DEEPEST + 2))
def test_words_are_taken_at_every_level_and_senses_until_it_is_too_hot(level: int) -> None:
    assert all(serves(kind, level) for kind in WORDS)
    assert all(serves(kind, level) == (level <= DEEPEST) for kind in SENSES)
    assert rung_of(level) == (*RUNGS, HOT)[level]


def test_heat_takes_room_away_on_the_way_to_the_ceiling_and_beyond_it_all() -> None:
    shares = [room(float(celsius), LIMITS, 0.3) for celsius in range(20, 100)]
    assert shares == sorted(shares, reverse=True)
    assert room(80.0, LIMITS, 0.3) == 1.0
    assert room(85.0, LIMITS, 0.3) == pytest.approx(0.1)
    assert room(90.0, LIMITS, 0.3) == 0.0
    assert room(None, LIMITS, 0.3) == 0.3, "unknown is neither cool nor hot"
    assert room(float("nan"), LIMITS, 0.3) == 0.3
