from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_networks import AFFINE, HALVE, PAIR, PICK, Clock, Heard, eventually, file

from appliance.device.bill import paying, stage
from appliance.errors import BackendFailed, DeadlineExceeded, InvalidInput, SettingInvalid, Unavailable
from appliance.inference import scheduler as module
from appliance.inference.backend import Backend, WrongState
from appliance.inference.fake import Drill, FakeBackend
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.inference.scheduler import Priority, Scheduler
from appliance.inference.signature import Arrays
from appliance.request import current, under
from appliance.specs import ModelSpec
from tests.device.test_bill import Desk


class Door:
    """Keeps the worker busy in a run of its own until `open`, so that a queue can be laid out behind it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self.backend = FakeBackend(AFFINE, compute=self._hold)
        self.backend.load()
        self.future = scheduler.submit(self.backend, AFFINE.zeros(), priority=Priority.HIGH)
        assert self.inside.wait(10)

    def _hold(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self.inside.set()
        self.leave.wait(30)
        return {"y": np.zeros((1, 3), np.float32)}

    def open(self) -> None:
        self.leave.set()
        self.future.result(10)


class Seen:
    """A fake network, y = x + 1, that writes down the first column of every run."""

    def __init__(self, spec: ModelSpec = AFFINE) -> None:
        self.runs: list[list[float]] = []
        self.backend = FakeBackend(spec, compute=self._compute)
        self.backend.load()

    def _compute(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self.runs.append([float(row[0]) for row in inputs["x"]])
        return {"y": inputs["x"] + 1}


def row(value: float, rows: int = 1) -> dict[str, np.ndarray]:
    return {"x": np.full((rows, 3), value, np.float32)}


def loaded(spec: ModelSpec) -> Backend:
    backend = OnnxRuntimeBackend(spec, file(spec), threads=1)
    backend.load()
    return backend


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(heard: Heard, clock: Clock) -> Iterator[Scheduler]:
    """A scheduler whose time stands still."""
    with Scheduler(1, heard, clock) as scheduler:
        yield scheduler


@pytest.fixture
def scheduler(heard: Heard) -> Iterator[Scheduler]:
    with Scheduler(1, heard) as scheduler:
        yield scheduler


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


def test_queued_runs_are_joined_up_to_the_largest_batch(scheduler: Scheduler, heard: Heard) -> None:
    door, seen = Door(scheduler), Seen()
    futures = [scheduler.submit(seen.backend, row(n)) for n in range(6)]
    assert scheduler.depth == 6
    assert scheduler.running == 1
    door.open()
    assert [f.result(10)["y"].tolist() for f in futures] == [[[n + 1] * 3] for n in range(6)]
    assert seen.runs == [[0, 1, 2, 3], [4, 5]]
    assert [(e["jobs"], e["rows"]) for e in heard.all("inference")][1:] == [(4, 4), (2, 2)]


def test_a_run_is_made_for_the_requests_that_wait_for_it() -> None:
    worked_for: list[str] = []
    with Scheduler(1, lambda event, /, **fields: worked_for.append(f"{event} {current()}")) as scheduler:
        door, seen = Door(scheduler), Seen()
        futures = []
        for name in ("first", "second", "first", ""):
            with under(name):
                futures.append(scheduler.submit(seen.backend, row(1)))
        with under("late"):
            futures.append(scheduler.submit(seen.backend, row(1), deadline=time.monotonic()))
        door.open()
        for future in futures[:-1]:
            future.result(10)
        with pytest.raises(DeadlineExceeded):
            futures[-1].result(10)
    assert worked_for == ["inference ", "deadline_exceeded late", "inference first,second"]


def test_runs_of_several_rows_fill_a_batch_and_a_large_one_goes_alone(scheduler: Scheduler) -> None:
    door, seen = Door(scheduler), Seen()
    sizes = [3, 2, 1, 6]
    futures = [scheduler.submit(seen.backend, row(n, rows)) for n, rows in enumerate(sizes)]
    door.open()
    assert [f.result(10)["y"].shape for f in futures] == [(rows, 3) for rows in sizes]
    assert seen.runs == [[0, 0, 0, 2], [1, 1], [3] * 6]


def test_joined_runs_give_what_they_give_alone(scheduler: Scheduler, heard: Heard) -> None:
    numbers = np.random.default_rng(7)
    backend = loaded(HALVE)
    inputs = [
        {"x": numbers.random((int(rows), 1, int(width)), dtype=np.float32)}
        for rows, width in zip(numbers.integers(1, 4, 60), numbers.choice([6, 8, 11], 60), strict=True)
    ]
    alone = [backend.infer(each)["y"] for each in inputs]
    door = Door(scheduler)
    futures = [scheduler.submit(backend, each) for each in inputs]
    door.open()
    for future, expected in zip(futures, alone, strict=True):
        assert np.array_equal(future.result(10)["y"], expected)
    joined = heard.all("inference")[1:]
    assert sum(e["jobs"] for e in joined) == 60
    assert len(joined) < 60
    assert max(e["rows"] for e in joined) == 4


def test_other_networks_other_shapes_and_unbatched_networks_are_not_joined(scheduler: Scheduler) -> None:
    runs: list[tuple[str, tuple[int, ...]]] = []

    def noted(spec: ModelSpec) -> Backend:
        def compute(inputs: Arrays) -> dict[str, np.ndarray]:
            first = inputs[spec.inputs[0].name]
            runs.append((spec.name, first.shape))
            size = {"batch": first.shape[0], "steps": 1}
            return {
                t.name: np.zeros([size.get(str(d), d) for d in t.shape], t.dtype)  # type: ignore[misc]
                for t in spec.outputs
            }

        backend = FakeBackend(spec, compute=compute)
        backend.load()
        return backend

    one, other, wide, pair = noted(AFFINE), noted(AFFINE), noted(HALVE), noted(PAIR)
    door = Door(scheduler)
    futures = [
        *(scheduler.submit(backend, row(0)) for backend in (one, other)),
        *(scheduler.submit(wide, HALVE.zeros({"batch": 1, "width": width})) for width in (4, 6, 4)),
        *(scheduler.submit(pair, PAIR.zeros()) for _ in range(2)),
    ]
    door.open()
    for future in futures:
        future.result(10)
    assert runs == [
        *[("affine", (1, 3))] * 2,
        *[("halve", (2, 1, 4)), ("halve", (1, 1, 6))],
        *[("pair", (1, 2))] * 2,
    ]


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


def test_one_bad_job_does_not_sink_its_batch(scheduler: Scheduler, heard: Heard) -> None:
    backend = loaded(PICK)
    door = Door(scheduler)
    futures = [scheduler.submit(backend, {"index": np.array([index])}) for index in (0, 99, 2, 3)]
    door.open()
    assert [futures[n].result(10)["value"].tolist() for n in (0, 2, 3)] == [[10], [30], [40]]
    with pytest.raises(BackendFailed, match="idx=99"):
        futures[1].result(10)
    assert [(e["jobs"], e["ok"]) for e in heard.all("inference")][1:] == [
        (4, False), (1, True), (1, False), (1, True), (1, True),
    ]  # fmt: skip
    retried = heard.all("batch_retried")[0]
    assert retried["jobs"] == 4
    assert "idx=99" in retried["reason"]  # a typed error says what the maintainer has to know
    failed = heard.all("inference")[1]
    assert failed["reason"] == retried["reason"]
    assert failed["trace"].startswith("appliance.errors.BackendFailed\n")
    assert "_infer" in failed["trace"]
    assert "idx=99" not in failed["trace"]
    assert scheduler.run(backend, {"index": np.array([1])})["value"].tolist() == [20]


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


def test_the_heart_beats_while_idle_and_stops_when_a_run_hangs(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(module, "_BEAT_S", 0.005)
    with Scheduler(1, clock=clock) as scheduler:
        beats = scheduler.heartbeat.beats
        clock.now += 7
        assert eventually(lambda: scheduler.heartbeat.beats > beats + 3)
        assert scheduler.heartbeat.at == clock.now
        door = Door(scheduler)
        before = scheduler.heartbeat
        clock.now += 7
        time.sleep(0.05)
        assert scheduler.heartbeat == before
        door.open()
        assert eventually(lambda: scheduler.heartbeat.at == clock.now)


def test_the_heart_beats_between_the_runs_of_a_batch_that_failed(clock: Clock) -> None:
    with Scheduler(1, clock=clock) as working:
        seen: list[float] = []

        def slow(inputs: Arrays) -> dict[str, np.ndarray]:
            seen.append(clock.now - working.heartbeat.at)
            clock.now += 7
            if len(inputs["x"]) > 1:
                raise BackendFailed("too many at once")
            return {"y": inputs["x"]}

        backend = FakeBackend(AFFINE, compute=slow)
        backend.load()
        door = Door(working)
        futures = [working.submit(backend, row(value)) for value in range(3)]
        door.open()
        assert [future.result(10)["y"][0, 0] for future in futures] == [0, 1, 2]
    assert seen == [0, 0, 0, 0]  # the batch, and each of the three alone


def test_the_heartbeat_is_that_of_the_slowest_worker(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(module, "_BEAT_S", 0.005)
    with Scheduler(2, clock=clock) as scheduler:
        door = Door(scheduler)
        stuck = scheduler.heartbeat
        clock.now += 7
        assert eventually(lambda: scheduler.heartbeat.beats > stuck.beats + 3)
        assert scheduler.heartbeat.at == stuck.at
        door.open()


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


def test_joined_runs_are_paid_by_their_rows_from_their_beginning_and_nobody_pays_in_the_queue() -> None:
    desk = Desk()
    with Scheduler(house=desk.bills.house) as scheduler:
        door = Door(scheduler)  # holds the worker: paid by the house
        seen = FakeBackend(
            replace(AFFINE, name="rows"), compute=lambda inputs: desk.work(2.0) or {"y": inputs["x"] + 1}
        )
        seen.load()
        bills = [desk.open("look"), desk.open("read")]
        futures = []
        for bill, rows in zip(bills, (1, 3), strict=True):
            with paying(bill), stage("recognise"):
                futures.append(scheduler.submit(seen, row(1.0, rows)))
            bill.turn(None)
        desk.work(5.0)  # they stand in the queue behind the other network
        door.open()
        for future in futures:
            future.result(10)
        until_idle(scheduler)
        for bill in bills:
            bill.close(desk.costs.append)
        desk.later()
    costs = {cost.door: cost.stages["recognise"].joules for cost in desk.costs}
    assert costs == pytest.approx({"look": 3.0, "read": 9.0})
    house = [said["stages"] for said in desk.said() if said["door"] == "background"]
    assert house == [{AFFINE.name: pytest.approx(30.0)}]


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


def until_idle(scheduler: Scheduler) -> None:
    assert eventually(lambda: scheduler.running == 0)
