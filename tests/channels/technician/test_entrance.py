"""The way in: one visit at a time, over by itself, and a lock-out that nobody gets around."""

from __future__ import annotations

import logging
import threading

import pytest

from appliance.channels.technician.entrance import IDLE_S, LONGEST_S, Entrance
from appliance.channels.technician.pin import hashed
from appliance.errors import PinWrong, TooManyRequests, VisitOver

PIN = "493817"
KEPT = hashed(PIN, salt=bytes(16))


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def entrance(clock: Clock) -> Entrance:
    return Entrance(KEPT, clock=clock)


def wrong(entrance: Entrance, times: int) -> None:
    for _ in range(times):
        with pytest.raises(PinWrong):
            entrance.enter("000000")


def test_the_right_pin_opens_a_visit(entrance: Entrance) -> None:
    name = entrance.enter(PIN)
    assert len(name) >= 43
    assert entrance.open(name)
    assert entrance.left_s(name) == IDLE_S
    for other in ("", "x", name[:-1], name + "x", "ä", "\ud800"):
        assert not entrance.open(other)
        with pytest.raises(VisitOver):
            entrance.left_s(other)


def test_without_a_pin_nobody_is_let_in() -> None:
    entrance = Entrance("")
    assert not entrance.offered
    with pytest.raises(PinWrong):
        entrance.enter("")


def test_a_visit_ends_when_nobody_touches_anything(entrance: Entrance, clock: Clock) -> None:
    name = entrance.enter(PIN)
    clock.now += IDLE_S - 1
    assert entrance.touch(name) == IDLE_S
    clock.now += IDLE_S - 1
    assert entrance.left_s(name) == 1  # to look at it is no touch
    clock.now += 1
    assert not entrance.open(name)
    with pytest.raises(VisitOver):
        entrance.touch(name)


def test_a_screen_that_touches_itself_holds_no_visit_open(entrance: Entrance, clock: Clock) -> None:
    name, began = entrance.enter(PIN), clock.now
    for _ in range(1000):
        if not entrance.open(name):
            break
        entrance.touch(name)
        clock.now += 10
    assert clock.now - began == LONGEST_S


def test_leaving_ends_it_and_a_new_one_ends_the_old(entrance: Entrance) -> None:
    first = entrance.enter(PIN)
    entrance.leave(first)
    assert not entrance.open(first)
    with pytest.raises(VisitOver):
        entrance.leave(first)
    second = entrance.enter(PIN)
    third = entrance.enter(PIN)
    assert (entrance.open(second), entrance.open(third)) == (False, True)
    assert len({first, second, third}) == 3


def test_while_it_is_shut_even_the_right_pin_is_not_looked_at(entrance: Entrance, clock: Clock) -> None:
    wrong(entrance, 3)
    with pytest.raises(TooManyRequests) as caught:
        entrance.enter(PIN)
    assert caught.value.wait_s == entrance.wait_s == 30
    clock.now += 10
    for _ in range(50):  # what is typed meanwhile makes it no longer
        with pytest.raises(TooManyRequests):
            entrance.enter("000000")
    assert entrance.wait_s == 20
    clock.now += 20
    assert entrance.open(entrance.enter(PIN))
    wrong(entrance, 2)
    assert entrance.wait_s == 0  # a right one has forgotten what was before


def test_guesses_side_by_side_are_counted_one_by_one(entrance: Entrance) -> None:
    said: list[str] = []

    def guess() -> None:
        try:
            entrance.enter("000000")
        except (PinWrong, TooManyRequests) as error:
            said.append(error.code)

    threads = [threading.Thread(target=guess) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["pin_wrong"] * 3 + ["too_many_requests"] * 5


def test_the_log_has_neither_pin_nor_name(entrance: Entrance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(PinWrong):
        entrance.enter("271828")
    name = entrance.enter(PIN)
    entrance.leave(name)
    assert "a wrong PIN, 1 in a row" in caplog.text
    assert "a technician's visit begins" in caplog.text
    for secret in ("271828", PIN, name, KEPT):
        assert secret not in caplog.text
