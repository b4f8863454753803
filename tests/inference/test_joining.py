"""Runs that the scheduler joins into one: which, how many, and what each gets and pays."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from laid_queues import Door, Seen, loaded, row, until_idle
from tiny_networks import AFFINE, HALVE, PAIR, PICK, Heard

from appliance.device.bill import paying, stage
from appliance.errors import BackendFailed, DeadlineExceeded
from appliance.inference.backend import Backend
from appliance.inference.fake import FakeBackend
from appliance.inference.scheduler import Scheduler
from appliance.inference.signature import Arrays
from appliance.request import current, under
from appliance.specs import ModelSpec
from tests.device.test_bill import Desk


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
    assert failed["trace"].startswith("appliance.errors.models.BackendFailed\n")
    assert "_infer" in failed["trace"]
    assert "idx=99" not in failed["trace"]
    assert scheduler.run(backend, {"index": np.array([1])})["value"].tolist() == [20]


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
