"""The lock-out: growing, bounded, forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.channels.technician.lockout import FORGET_S, MOST_S, Lockout


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def waits(clock: Clock, lockout: Lockout, tries: int) -> list[float]:
    """Seconds after each of so many wrong PINs, each typed as soon as it may be."""
    found = []
    for _ in range(tries):
        lockout.fail()
        found.append(lockout.wait_s)
        clock.now += lockout.wait_s
    return found


def test_the_wait_grows_to_a_quarter_of_an_hour_and_no_further() -> None:
    clock = Clock()
    assert waits(clock, Lockout(clock), 10) == [0, 0, 30, 60, 120, 240, 480, 900, 900, 900]


def test_it_goes_by() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    waits(clock, lockout, 2)
    lockout.fail()
    clock.now += 29.0
    assert lockout.wait_s == 1.0
    clock.now += 1.0
    assert lockout.wait_s == 0


def test_a_right_pin_and_an_hour_forget() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    waits(clock, lockout, 6)
    lockout.forget()
    assert (lockout.wait_s, lockout.wrong) == (0, 0)
    waits(clock, lockout, 6)
    lockout.fail()
    clock.now += FORGET_S - 1
    assert lockout.wrong == 7
    clock.now += 1
    assert lockout.wrong == 0
    assert waits(clock, lockout, 3) == [0, 0, 30]
    clock.now += FORGET_S
    lockout.fail()  # nobody has asked in between
    assert lockout.wrong == 1


def test_who_guesses_without_end_gets_few_tries_and_the_technician_waits_minutes() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    began, tries = clock.now, 0
    while clock.now - began < 30 * 86_400:
        lockout.fail()
        tries += 1
        assert lockout.wait_s <= MOST_S
        clock.now += max(lockout.wait_s, 1.0)
    assert tries < 30 * 100  # of the million that six digits are


def test_who_waits_until_it_is_forgotten_gets_no_more() -> None:
    clock = Clock()
    lockout = Lockout(clock)
    began, tries = clock.now, 0
    while clock.now - began < 86_400:
        while not lockout.wait_s:
            lockout.fail()
            tries += 1
        clock.now += FORGET_S
    assert tries <= 96
