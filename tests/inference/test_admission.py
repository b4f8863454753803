from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from tiny_networks import Clock, Heard, eventually

from appliance.errors import Overloaded, SettingInvalid
from appliance.inference.admission import Admission, Admitted


def test_up_to_capacity_come_in_and_the_next_is_sent_away() -> None:
    heard = Heard()
    admission = Admission(2, "image", heard, Clock())
    with admission.enter(), admission.enter():
        with pytest.raises(Overloaded, match="image: expected fewer than 2 requests at once") as caught:
            admission.enter().__enter__()
        assert caught.value.retry_after == 1.0
        assert caught.value.status == 503
        assert admission.counters == Admitted(capacity=2, in_use=2, admitted=2, shed=1)
    with admission.enter():
        assert admission.counters == Admitted(capacity=2, in_use=1, admitted=3, shed=1)
    assert heard.events == [("shed", {"name": "image", "capacity": 2, "retry_after": 1.0})]


def test_an_error_inside_gives_the_place_back() -> None:
    admission = Admission(1, "turn")
    with pytest.raises(ValueError), admission.enter():
        raise ValueError
    with admission.enter():
        assert admission.counters.in_use == 1


def fill_and_ask(admission: Admission, capacity: int) -> float:
    with ExitStack() as stack:
        for _ in range(capacity):
            stack.enter_context(admission.enter())
        with pytest.raises(Overloaded) as caught:
            admission.enter().__enter__()
    assert caught.value.retry_after is not None
    return caught.value.retry_after


def test_the_wait_is_service_time_times_those_inside() -> None:
    clock = Clock()
    admission = Admission(4, "image", clock=clock)
    with admission.enter():
        clock.now += 3.1
    assert fill_and_ask(admission, 4) == 13.0  # 4 x 3.1 s, whole seconds upwards


def test_service_time_under_load_is_the_time_between_departures() -> None:
    clock = Clock()
    admission = Admission(2, "image", clock=clock)
    first, second = admission.enter(), admission.enter()
    first.__enter__()
    second.__enter__()
    clock.now += 2
    first.__exit__(None, None, None)
    clock.now += 2
    second.__exit__(None, None, None)  # 4 s in the house, but the house serves one in 2 s
    assert fill_and_ask(admission, 2) == 4.0


def test_idle_time_is_not_service_time() -> None:
    clock = Clock()
    admission = Admission(1, "turn", clock=clock)
    for _ in range(3):
        with admission.enter():
            clock.now += 1.5
        clock.now += 1000
    assert fill_and_ask(admission, 1) == 2.0


def test_the_average_follows_and_the_wait_stays_between_1_and_60_seconds() -> None:
    clock = Clock()
    admission = Admission(1, "audio", clock=clock)
    with admission.enter():
        clock.now += 500
    assert fill_and_ask(admission, 1) == 60.0
    for _ in range(60):
        with admission.enter():
            clock.now += 0.01
    assert fill_and_ask(admission, 1) == 1.0


def test_a_capacity_below_one_is_refused() -> None:
    with pytest.raises(SettingInvalid):
        Admission(0, "turn")


def test_never_more_inside_than_the_capacity() -> None:
    admission = Admission(3, "turn")
    start, lock = threading.Barrier(16), threading.Lock()
    inside = most = shed = 0

    def visit(_: int) -> None:
        nonlocal inside, most, shed
        start.wait(10)
        for _ in range(50):
            try:
                with admission.enter():
                    with lock:
                        inside += 1
                        most = max(most, inside)
                    with lock:
                        inside -= 1
            except Overloaded:
                with lock:
                    shed += 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(visit, range(16)))
    counters = admission.counters
    assert 1 <= most <= 3
    assert counters.in_use == 0
    assert (counters.shed, counters.admitted) == (shed, 800 - shed)
    assert eventually(lambda: admission.counters.in_use == 0)


def test_a_queue_before_the_door_is_a_full_house_too() -> None:
    admission = Admission(3, "turn")
    assert admission.refusal() is None
    assert admission.refusal(waiting=2) is None
    refused = admission.refusal(waiting=3)
    assert refused is not None
    assert refused.status == 503
    assert admission.counters == Admitted(capacity=3, in_use=0, admitted=0, shed=1)
    with admission.enter():
        assert admission.counters.in_use == 1


def test_fewer_are_let_in_from_the_next_on_and_those_who_are_in_stay() -> None:
    gate = Admission(3, "image")
    with gate.enter(), gate.enter():
        gate.resize(1)
        with pytest.raises(Overloaded, match="fewer than 1"), gate.enter():
            pass
    with gate.enter(), pytest.raises(Overloaded), gate.enter():
        pass
    gate.resize(2)
    with gate.enter(), gate.enter():
        assert gate.counters.in_use == 2
    with pytest.raises(SettingInvalid):
        gate.resize(0)


def test_a_door_that_is_shut_lets_those_inside_finish_and_says_when_to_come_back() -> None:
    admission = Admission(3, "turn")
    with admission.enter():
        admission.shut(15.0)
        with pytest.raises(Overloaded, match="changing what it serves") as caught, admission.enter():
            pass
        assert caught.value.wait_s == 15
        refused = admission.refusal()
        assert refused is not None
        assert refused.wait_s == 15
        assert admission.counters.in_use == 1
    assert admission.counters.in_use == 0
