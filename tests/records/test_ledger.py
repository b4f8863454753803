"""What is old is forgotten day by day, and no leap of a clock takes anything along."""

from __future__ import annotations

from logs_on_disk import mask

from appliance.records.events import EventLog

DAY = 86_400.0
KEEP = 90 * DAY


class Life:
    """A log and its clock, written to day by day."""

    def __init__(self, path, start=1.8e9, keep=KEEP):
        self.now, self.keep = start, keep
        self.log = EventLog(path, redact=mask, clock=lambda: self.now)

    def days(self, count, prune=True, visitors=True):
        for _ in range(count):
            if visitors:
                self.log.append("s", "turn", {"day": round(self.now / DAY)})
            self.now += DAY
            if prune:
                self.log.prune(self.now - self.keep)

    def kept(self):
        return list(self.log.of_kind("turn"))


def test_a_clock_that_leaps_ahead_takes_no_records_along_and_is_set_right_again(path):
    life = Life(path)
    life.days(80)
    right = life.now
    life.now += 70 * 365 * DAY  # a clock gone wrong
    life.days(5)
    assert len(life.kept()) == 85
    life.now = right + 5 * DAY
    life.days(110)
    # What was written in times to come holds nothing back: it goes with what stands around it.
    assert len(life.kept()) <= 92
    assert life.log.verify() is None


def test_a_board_that_was_off_for_long_forgets_after_a_week(path):
    life = Life(path)
    life.days(10)
    life.now += 300 * DAY
    life.days(6)
    assert len(life.kept()) == 16
    life.days(3)
    assert len(life.kept()) == 9


def test_a_clock_that_goes_back_takes_nothing_along(path):
    life = Life(path)
    life.days(100)
    kept = len(life.kept())
    life.now -= 365 * DAY
    life.log.append("s", "turn", {})
    life.now, there = 1000.0, life.now  # and once it starts in 1970, which is not asked about ages
    life.days(1, prune=False)
    life.now = there
    life.days(18)
    assert len(life.kept()) == kept + 20
    assert life.log.verify() is None
    assert [event.sequence for event in life.kept()] == sorted(event.sequence for event in life.kept())


def test_a_board_that_was_off_for_long_and_that_nobody_visits_forgets_after_a_week_too(path):
    life = Life(path)
    life.days(10)
    life.now += 300 * DAY
    life.days(6, visitors=False)
    assert len(life.kept()) == 10
    life.days(3, visitors=False)
    assert life.kept() == []
    assert life.log.verify() is None


def test_no_leap_takes_all_at_once_however_few_days_are_kept(path):
    life = Life(path, keep=7 * DAY)
    life.days(7)
    life.now += 10 * DAY
    life.days(1)
    assert len(life.kept()) == 8
    life.days(8)
    assert len(life.kept()) <= 8


def test_what_was_written_before_the_clock_was_set_goes_with_what_follows_it(path):
    life = Life(path, start=1000.0)
    life.days(3, prune=False)
    life.now = 1.8e9
    life.days(80)
    assert len(life.kept()) == 83
    life.days(20)
    assert 89 <= len(life.kept()) <= 91
    assert life.log.verify() is None


def test_what_is_old_goes_day_by_day_as_ever(path):
    life = Life(path)
    life.days(100)
    assert 89 <= len(life.kept()) <= 91
