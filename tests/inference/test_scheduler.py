"""The queue in front of the accelerator: every run gets its own outputs or its own error, and nobody waits for ever."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from laid_queues import Door, Seen, loaded, row, until_idle
from tiny_networks import AFFINE, PICK, Clock, Heard, eventually

from appliance.device.bill import paying, stage
from appliance.errors import BackendFailed, DeadlineExceeded, InvalidInput, SettingInvalid, Unavailable
from appliance.inference.backend import Backend, WrongState
from appliance.inference.fake import Drill, FakeBackend
from appliance.inference.scheduler import Priority, Scheduler
from appliance.inference.signature import Arrays
from tests.device.test_bill import Desk


def test_a_run_gives_the_backends_outputs(scheduler: Scheduler, heard: Heard) -> None:
    backend = loaded(AFFINE)
    assert scheduler.run(backend, row(1))["y"].tolist() == [[1.5, 2.5, 3.5]]
    event = heard.all("inference")[0]
    assert (event["model"], event["backend"], event["ok"]) == ("affine", "onnxruntime-cpu", True)
    assert (event["jobs"], event["rows"]) == (1, 1)
    assert event["run_ms"] > 0
    assert event["waited_ms"] >= 0


def test_bind_gives_a_plain_function(scheduler: Scheduler, clock: Clock) -> None:
    run = scheduler.bind(loaded(AFFINE), Priority.LOW)
    assert run(row(2))["y"].tolist() == [[2.5, 4.5, 6.5]]
    assert run(row(2), deadline=time.monotonic() + 30)["y"].shape == (1, 3)
    with pytest.raises(DeadlineExceeded):
        run(row(2), deadline=time.monotonic() - 1)


def test_a_drill_fails_every_job_with_its_own_error_and_the_worker_lives(scheduler: Scheduler) -> None:
    bad = FakeBackend(AFFINE, drill=Drill.INFER)
    bad.load()
    door = Door(scheduler)
    futures = [scheduler.submit(bad, row(n)) for n in range(3)]
    door.open()
    errors = [future.exception(10) for future in futures]
    assert all(isinstance(error, BackendFailed) for error in errors)
    assert len({id(error) for error in errors}) == 3
    assert scheduler.run(Seen().backend, row(1))["y"].shape == (1, 3)


def test_an_error_outside_the_contract_reaches_the_caller_and_not_the_worker(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen()
    with monkeypatch.context() as patch:
        patch.setattr(seen.backend, "infer", lambda inputs: {}["y"])
        with pytest.raises(KeyError):
            scheduler.run(seen.backend, row(1))
    assert scheduler.run(seen.backend, row(1))["y"].tolist() == [[2, 2, 2]]


def test_a_listener_that_raises_costs_its_job_and_not_the_worker() -> None:
    seen, raising = Seen(), [True]

    def listener(event: str, /, **fields: object) -> None:
        if raising:
            raise ValueError(raising.pop())

    with Scheduler(1, listener) as scheduler:
        with pytest.raises(ValueError):
            scheduler.run(seen.backend, row(1))
        assert scheduler.run(seen.backend, row(1))["y"].tolist() == [[2, 2, 2]]


def test_unfit_inputs_are_refused_before_they_are_queued(scheduler: Scheduler) -> None:
    door = Door(scheduler)
    with pytest.raises(InvalidInput):
        scheduler.submit(Seen().backend, {"x": np.zeros((1, 4), np.float32)})
    assert scheduler.depth == 0
    door.open()


def test_a_cancelled_job_does_not_run(scheduler: Scheduler) -> None:
    seen = Seen()
    door = Door(scheduler)
    first, second = scheduler.submit(seen.backend, row(1)), scheduler.submit(seen.backend, row(2))
    assert first.cancel()
    door.open()
    second.result(10)
    assert seen.runs == [[2]]


def test_close_releases_the_queued_at_once_and_the_running_after_its_time(heard: Heard) -> None:
    scheduler = Scheduler(1, heard)
    scheduler.start()
    door = Door(scheduler)
    with ThreadPoolExecutor(3) as pool:
        callers = [pool.submit(scheduler.run, Seen().backend, row(n)) for n in range(3)]
        assert eventually(lambda: scheduler.depth == 3)
        scheduler.close(timeout=0.01)
        for caller in callers:
            with pytest.raises(Unavailable, match="closed"):
                caller.result(10)
    with pytest.raises(Unavailable):  # the run that hangs has lost its caller
        door.future.result(0)
    door.leave.set()
    assert eventually(lambda: scheduler.running == 0)  # and its late outputs disturb nobody
    with pytest.raises(Unavailable):
        scheduler.submit(Seen().backend, row(1))
    scheduler.close()


def test_close_lets_a_running_job_finish() -> None:
    scheduler = Scheduler()
    scheduler.start()
    door = Door(scheduler)
    threading.Timer(0.02, door.leave.set).start()
    scheduler.close()
    assert door.future.result(0)["y"].shape == (1, 3)


def test_misuse_is_named(scheduler: Scheduler) -> None:
    with pytest.raises(WrongState, match="start expected"):
        scheduler.start()
    idle = Scheduler()
    with pytest.raises(WrongState, match="submit expected one started"):
        idle.submit(Seen().backend, row(1))
    idle.close()
    for threads, patience in ((0, 1.0), (1, -1.0)):
        with pytest.raises(SettingInvalid):
            Scheduler(threads, patience=patience)


def test_a_backend_that_queues_behind_itself_is_told_so(scheduler: Scheduler) -> None:
    def again(inputs: Arrays) -> dict[str, np.ndarray]:
        return scheduler.run(backend, inputs)

    backend = FakeBackend(AFFINE, compute=again)
    backend.load()
    with pytest.raises(WrongState, match="would wait for itself"):
        scheduler.run(backend, row(1))


@pytest.mark.parametrize("workers", [1, 2])
def test_many_callers_of_several_networks_get_their_own_answers(workers: int, heard: Heard) -> None:
    affine, pick = loaded(AFFINE), loaded(PICK)
    with Scheduler(workers, heard) as scheduler, ThreadPoolExecutor(16) as pool:

        def ask(n: int) -> bool:
            if n % 3 == 0:
                return bool(scheduler.run(pick, {"index": np.array([n % 4])})["value"][0] == 10 * (n % 4 + 1))
            priority = Priority(n % 3)
            y = scheduler.run(affine, row(n), priority=priority, deadline=time.monotonic() + 60)["y"]
            return bool(y.tolist() == [[n + 0.5, 2 * n + 0.5, 3 * n + 0.5]])

        assert all(pool.map(ask, range(600)))
        assert scheduler.depth == 0
        assert eventually(lambda: scheduler.running == 0)
    assert sum(event["jobs"] for event in heard.all("inference")) == 600


def test_an_idle_scheduler_holds_no_inputs_outputs_or_errors(scheduler: Scheduler) -> None:
    def once(backend: Backend) -> weakref.ref[Any]:
        inputs = row(1)
        with suppress(BackendFailed):
            scheduler.run(backend, inputs)
        return weakref.ref(inputs["x"])

    bad = FakeBackend(AFFINE, drill=Drill.INFER)
    bad.load()
    gc.disable()  # reference counting alone must do: a 30 MB image may not wait for the collector
    try:
        good = once(Seen().backend)
        assert eventually(lambda: good() is None)
        failed = once(bad)
        gone = eventually(lambda: failed() is None, 2.0)
    finally:
        gc.enable()
    assert gone


def test_who_waits_for_a_run_pays_for_the_run_and_not_for_the_wait() -> None:
    desk = Desk()
    backend = FakeBackend(AFFINE, compute=lambda inputs: desk.work(2.0) or {"y": inputs["x"] + 1})
    backend.load()
    with Scheduler(house=desk.bills.house) as scheduler:
        bill = desk.open("look")
        with paying(bill), stage("detect"):
            scheduler.run(backend, row(1.0))
            assert bill.stage == "detect"
        until_idle(scheduler)
        bill.close(desk.costs.append)
        desk.later()
    assert {name: cost.joules for name, cost in desk.costs[0].stages.items()} == pytest.approx({"detect": 12.0})
    assert desk.costs[0].total.seconds == pytest.approx(2.0), "the caller does not work while the worker does"
