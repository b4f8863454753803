"""The clock on the wall: what cannot be true is known, and steps are told from the passing of time."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from appliance.wall import LIFE, RELEASED, Wall


def seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    "day", [date(1970, 1, 1), date(2000, 1, 1), RELEASED - timedelta(days=3), RELEASED + LIFE + timedelta(days=3)]
)
def test_a_date_that_cannot_be_is_none(day: date) -> None:
    wall = Wall(lambda: seconds(day))
    assert not wall.sure
    assert wall.today() is None
    assert f"{day}" in wall.problem
    assert wall.problem.count(" / ") == 1


@pytest.mark.parametrize("day", [RELEASED, RELEASED + timedelta(days=2000)])
def test_another_is_believed(day: date) -> None:
    wall = Wall(lambda: seconds(day))
    assert wall.sure
    assert wall.today() is not None
    assert wall.now() == seconds(day)


def test_clocks_of_any_sort_raise_nothing() -> None:
    for now in (-(10**9), 0.0, 10**11):
        assert not Wall(lambda now=now: now).sure  # type: ignore[misc]


def test_this_machine_is_later_than_the_release() -> None:
    assert Wall().sure, "RELEASED has to be a day that has been"


def test_a_step_is_told_once_and_drift_is_none() -> None:
    now, gone = [1000.0], [5.0]
    wall = Wall(lambda: now[0], lambda: gone[0])
    now[0], gone[0] = 4600.0, 3604.0
    assert wall.stepped() is None
    now[0] += 10**9
    step = wall.stepped()
    assert step is not None
    assert round(step.seconds) == 10**9
    assert wall.stepped() is None
    now[0] -= 7200
    step = wall.stepped()
    assert step is not None
    assert round(step.seconds) == -7200
