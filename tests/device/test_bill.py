"""Bills: each stage of a request pays what it draws, and nobody pays while he waits."""

from __future__ import annotations

import threading
import time

import pytest

from appliance.device.bill import (
    BACKGROUND,
    OTHER,
    Bill,
    Bills,
    Charge,
    Cost,
    charge,
    charged,
    holding,
    paying,
    stage,
    waiting,
)
from tests.device.test_energy import Bench


class Desk(Bench):
    """A bench at rest at 4 W until second 10, and 10 W from then on, with bills."""

    def __init__(self) -> None:
        super().__init__(watts=4.0)
        self.measured = True
        self.bills = Bills(self.sharing, lambda: self.measured, self.heard)
        self.rest(10.0)
        self.watts = 10.0
        self.costs: list[Cost] = []

    def work(self, seconds: float) -> None:
        """Time in which the rail gives 6 W above rest; the meter reads every tenth of a second."""
        until = self.clock.now + seconds
        while self.clock.now < until - 1e-9:
            self.pass_to(min(until, self.clock.now + 0.1), 10.0)

    def later(self) -> None:
        """The next reading, which covers all that has ended."""
        self.work(0.1)

    def open(self, door: str = "look") -> Bill:
        bill = self.bills.open(door)
        assert bill is not None
        return bill

    def said(self) -> list[dict[str, object]]:
        return [fields for event, fields in self.heard if event == "joules"]


def test_stages_pay_for_their_time_and_what_lies_between_them_is_other() -> None:
    desk = Desk()
    bill = desk.open()
    with paying(bill):
        desk.work(0.2)
        with stage("detect"):
            desk.work(1.0)
        with stage("recognise"):
            desk.work(2.0)
        with stage("detect"):
            desk.work(0.5)
    bill.close(desk.costs.append)
    desk.later()
    (cost,) = desk.costs
    joules = {name: energy.joules for name, energy in cost.stages.items()}
    assert joules == pytest.approx({OTHER: 1.2, "detect": 9.0, "recognise": 12.0})
    assert cost.total.joules == pytest.approx(22.2)
    assert cost.total.complete
    assert (cost.door, cost.net) == ("look", True)
    (said,) = desk.said()
    assert said["door"] == "look"
    assert said["stages"] == pytest.approx(joules)
    assert said["joules"] == pytest.approx(22.2)
    assert said["seconds"] == pytest.approx(3.7)


def test_a_stage_inside_another_takes_over_and_gives_back() -> None:
    desk = Desk()
    bill = desk.open()
    with paying(bill), stage("orient"):
        desk.work(1.0)
        with stage("recognise"):
            desk.work(2.0)
        desk.work(1.0)
        assert bill.stage == "orient"
    bill.close(desk.costs.append)
    desk.later()
    assert {name: cost.joules for name, cost in desk.costs[0].stages.items()} == pytest.approx(
        {"orient": 12.0, "recognise": 12.0}
    )


def test_who_waits_pays_nothing_for_what_the_others_draw() -> None:
    desk = Desk()
    first, second = desk.open("look"), desk.open("hear")
    with paying(second), waiting():
        with paying(first), stage("detect"):
            desk.work(2.0)
        first.close(desk.costs.append)
    second.close(desk.costs.append)
    desk.later()
    costs = {cost.door: cost.total.joules for cost in desk.costs}
    assert costs == pytest.approx({"look": 12.0, "hear": 0.0})
    assert desk.sharing.division.shared_j == pytest.approx(12.0)


def test_who_stands_before_a_lock_does_not_pay_and_who_holds_it_does() -> None:
    desk, lock, inside = Desk(), threading.Lock(), threading.Event()
    bill = desk.open()
    lock.acquire()

    def request() -> None:
        with paying(bill), stage("decode"), holding(lock):
            inside.set()
            desk.work(1.0)

    thread = threading.Thread(target=request)
    thread.start()
    while bill.stage is not None:  # until it waits
        time.sleep(0.001)
    desk.work(0.3)  # not for so long that it would pass for rest
    assert not inside.is_set()
    lock.release()
    thread.join()
    with holding(lock):
        assert lock.locked()
    assert not lock.locked()
    bill.close(desk.costs.append)
    desk.later()
    assert {name: cost.joules for name, cost in desk.costs[0].stages.items()} == pytest.approx({"decode": 6.0})


def test_work_in_another_thread_is_the_stages_that_ordered_it_by_weight() -> None:
    desk = Desk()
    first, second = desk.open("look"), desk.open("read")
    with paying(first), stage("detect"):
        one = charge()
    with paying(second), stage("recognise"):
        two = charge()
    assert one == Charge(first, "detect")
    first.turn(None)
    second.turn(None)

    def run() -> None:
        assert charge() is None, "a new thread works for nobody"
        with charged([(one, 0.25), (two, 0.75), (None, 1.0)]):
            desk.work(2.0)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    first.close(desk.costs.append)
    second.close(desk.costs.append)
    desk.later()
    assert [cost.stages["detect"].joules for cost in desk.costs[:1]] == pytest.approx([3.0])
    assert [cost.stages["recognise"].joules for cost in desk.costs[1:]] == pytest.approx([9.0])


def test_what_is_not_read_yet_is_told_later_and_exactly() -> None:
    desk = Desk()
    bill = desk.open()
    with paying(bill), stage("understand"):
        desk.clock.now += 0.05  # between two readings
    bill.close(desk.costs.append)
    known = bill.known()
    assert known.total.estimate is None, "nothing of it was measured"
    assert known.total.seconds == pytest.approx(0.05)
    assert desk.costs == []
    assert desk.said() == []
    desk.pass_to(10.2, 10.0)
    (cost,) = desk.costs
    assert cost.stages["understand"].joules == pytest.approx(0.3)
    assert cost.total.complete
    assert bill.known().total.joules == pytest.approx(0.3)


def test_more_than_half_of_it_read_makes_an_estimate() -> None:
    desk = Desk()
    bill = desk.open()
    with paying(bill), stage("detect"):
        desk.work(1.0)
        desk.clock.now += 0.5
    bill.close()
    known = bill.known()
    assert not known.total.complete
    assert known.total.joules == pytest.approx(6.0)
    assert known.total.estimate == pytest.approx(9.0)


def test_a_run_that_ends_after_its_request_is_told_for_itself() -> None:
    desk = Desk()
    bill = desk.open()
    with paying(bill), stage("detect"):
        left = charge()
    bill.close(desk.costs.append)
    desk.work(0.1)
    assert len(desk.costs) == 1
    with charged([(left, 1.0)]):
        desk.work(1.0)
    desk.later()
    assert len(desk.costs) == 1, "the request was over"
    assert [said["stages"] for said in desk.said() if said["joules"]] == [{"detect": pytest.approx(6.0)}]


def test_work_for_no_request_is_said_bit_by_bit_though_more_is_always_open() -> None:
    desk = Desk()
    given = desk.bills.house("silero-vad")
    assert given is not None
    assert given.bill.door == BACKGROUND
    never = given.bill.begin("other network")
    for _ in range(3):
        with charged([(given, 1.0)]):
            desk.work(1.0)
    desk.later()
    given.bill.end(never)
    said = desk.said()
    assert [one["stages"] for one in said] == [{"silero-vad": pytest.approx(3.0)}] * 3
    assert {one["door"] for one in said} == {BACKGROUND}


def test_nothing_is_billed_where_nothing_is_measured() -> None:
    desk = Desk()
    desk.measured = False
    assert desk.bills.open("turn") is None
    assert desk.bills.house("silero-vad") is None
    with desk.bills.billed("listen"), paying(None), stage("vad"), waiting(), charged([(charge(), 1.0)]):
        assert charge() is None
        desk.work(1.0)
    assert desk.sharing.division.rest_j == pytest.approx(6.0)
    assert desk.said() == []


def test_a_bill_is_closed_whatever_happens_and_only_once() -> None:
    desk = Desk()

    def fails() -> None:
        with desk.bills.billed("listen"), stage("vad"):
            with desk.bills.billed("inner"):
                desk.work(1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    desk.work(0.1)
    assert [one["door"] for one in desk.said()] == ["listen"], "what has a bill opens no second one"
    assert charge() is None
    bill = desk.open()
    bill.close(desk.costs.append)
    bill.close(desk.costs.append)
    desk.work(0.1)
    assert len(desk.costs) == 1
    assert not desk.sharing._running


def test_the_last_pieces_of_a_closing_appliance_are_told_as_they_are() -> None:
    desk = Desk()
    bill = desk.open()
    with paying(bill), stage("detect"):
        desk.work(1.0)
        desk.clock.now += 0.5
    bill.close(desk.costs.append)
    desk.sharing.settle()
    (cost,) = desk.costs
    assert (cost.total.joules, cost.total.covered_s) == pytest.approx((6.0, 1.0))
    assert cost.total.seconds == pytest.approx(1.5)
