"""What the scheduler runs first, and until when: priorities and deadlines."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from laid_queues import Door, Seen, row
from tiny_networks import AFFINE, Clock, Heard, eventually

from appliance.errors import BackendFailed, DeadlineExceeded
from appliance.inference import scheduler as module
from appliance.inference.fake import FakeBackend
from appliance.inference.scheduler import Priority, Scheduler
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec


def test_the_more_urgent_goes_first_and_equals_in_order_of_arrival(timed: Scheduler) -> None:
    order: list[float] = []
    unbatched = ModelSpec("one", AFFINE.inputs, AFFINE.outputs, AFFINE.profiles)
    seen = Seen(unbatched)
    door = Door(timed)
    for value, priority in enumerate([Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NORMAL, Priority.HIGH]):
        timed.submit(seen.backend, row(value), priority=priority).add_done_callback(
            lambda _, value=value: order.append(value)
        )
    door.open()
    assert eventually(lambda: len(order) == 5)
    assert order == [2, 4, 1, 3, 0]
    assert [run[0] for run in seen.runs] == order


def test_the_less_urgent_is_overtaken_only_for_so_long(timed: Scheduler, clock: Clock) -> None:
    seen = Seen(ModelSpec("one", AFFINE.inputs, AFFINE.outputs))
    door = Door(timed)
    futures = [timed.submit(seen.backend, row(0), priority=Priority.LOW)]
    for value, later in enumerate([1.0, 0.9, 0.2, 5.0], start=1):  # at 1.0, 1.9, 2.1 and 7.1 seconds
        clock.now += later
        futures.append(timed.submit(seen.backend, row(value), priority=Priority.HIGH))
    door.open()
    for future in futures:
        future.result(10)
    assert [run[0] for run in seen.runs] == [1, 2, 0, 3, 4]


def test_a_batch_takes_in_the_more_urgent_but_never_the_less_urgent(timed: Scheduler, clock: Clock) -> None:
    seen = Seen()
    door = Door(timed)
    futures = [timed.submit(seen.backend, row(0), priority=Priority.NORMAL)]
    clock.now += 1.5  # so that it comes behind although it is more urgent
    futures.append(timed.submit(seen.backend, row(1), priority=Priority.HIGH))
    futures.append(timed.submit(seen.backend, row(2), priority=Priority.LOW))
    door.open()
    for future in futures:
        future.result(10)
    assert seen.runs == [[0, 1], [2]]


def test_a_job_whose_deadline_passes_in_the_queue_never_runs(timed: Scheduler, clock: Clock, heard: Heard) -> None:
    seen = Seen()
    door = Door(timed)
    late = timed.submit(seen.backend, row(1), deadline=clock.now + 5)
    fine = timed.submit(seen.backend, row(2), deadline=clock.now + 50)
    clock.now += 5
    door.open()
    with pytest.raises(DeadlineExceeded, match="in the queue"):
        late.result(10)
    assert fine.result(10)["y"].tolist() == [[3, 3, 3]]
    assert seen.runs == [[2]]
    assert heard.all("deadline_exceeded") == [{"model": "affine", "where": "in the queue"}]


def test_a_waiting_caller_is_released_at_its_deadline_and_its_job_dropped(scheduler: Scheduler, heard: Heard) -> None:
    seen = Seen()
    door = Door(scheduler)
    with pytest.raises(DeadlineExceeded, match="in the queue"):
        scheduler.run(seen.backend, row(1), deadline=time.monotonic() + 0.02)
    door.open()
    assert scheduler.run(seen.backend, row(2))["y"].tolist() == [[3, 3, 3]]
    assert seen.runs == [[2]]
    assert len(heard.all("deadline_exceeded")) == 1


def test_a_caller_is_released_at_its_deadline_even_when_the_library_hangs(scheduler: Scheduler) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hang(inputs: Arrays) -> dict[str, np.ndarray]:
        inside.set()
        leave.wait(30)
        return {"y": inputs["x"]}

    backend = FakeBackend(AFFINE, compute=hang)
    backend.load()
    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(scheduler.run, backend, row(1), deadline=time.monotonic() + 0.2)
        assert inside.wait(10)
        with pytest.raises(DeadlineExceeded, match="while it ran"):
            caller.result(10)
    leave.set()
    assert scheduler.run(Seen().backend, row(1))["y"].tolist() == [[2, 2, 2]]


def test_outputs_that_come_at_the_very_deadline_are_given(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    class JustInTime(Future[Any]):
        def result(self, timeout: float | None = None) -> Any:
            value = super().result(10)
            if timeout is not None:
                raise module.FutureTimeout
            return value

    monkeypatch.setattr(module, "Future", JustInTime)
    assert scheduler.run(Seen().backend, row(1), deadline=time.monotonic() + 9)["y"].tolist() == [[2, 2, 2]]


def test_a_deadline_that_passes_while_the_batch_is_tried_is_kept(timed: Scheduler, clock: Clock) -> None:
    def slow(inputs: Arrays) -> dict[str, np.ndarray]:
        if len(inputs["x"]) > 1:
            clock.now += 10
            raise BackendFailed("too much at once")
        return {"y": inputs["x"]}

    backend = FakeBackend(AFFINE, compute=slow)
    backend.load()
    door = Door(timed)
    short = timed.submit(backend, row(1), deadline=clock.now + 5)
    long = timed.submit(backend, row(2), deadline=clock.now + 50)
    door.open()
    assert long.result(10)["y"].tolist() == [[2, 2, 2]]
    with pytest.raises(DeadlineExceeded, match="while its batch was tried"):
        short.result(10)
