from __future__ import annotations

from concurrent.futures import Future

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import AFFINE, HALVE

from appliance.inference.batch import batching
from appliance.inference.fake import FakeBackend
from appliance.inference.jobs import Job, Priority, Queue
from appliance.specs import ModelSpec

BACKENDS = [FakeBackend(AFFINE), FakeBackend(AFFINE), FakeBackend(HALVE)]

arrivals = st.lists(
    st.tuples(
        st.sampled_from(BACKENDS),
        st.integers(1, 5),
        st.sampled_from(list(Priority)),
        st.none() | st.integers(0, 40),
        st.integers(0, 3),
    ),
    max_size=30,
)


def job(backend: FakeBackend, rows: int, priority: Priority, deadline: float | None, now: float) -> Job:
    inputs = backend.spec.zeros({"batch": rows, "width": 4})
    return Job(backend, inputs, priority, deadline, now, now + priority, batching(backend.spec), Future())


@given(arrivals)
def test_every_job_leaves_once_in_legal_batches_and_in_order(jobs: list[tuple]) -> None:  # type: ignore[type-arg]
    queue, now, put = Queue(), 0.0, []
    for backend, rows, priority, deadline, later in jobs:
        now += later
        put.append(job(backend, rows, priority, deadline, now))
        queue.put(put[-1])
    out: list[Job] = []
    while queue:
        late, taken = queue.take(now)
        assert all(each.deadline is not None and each.deadline <= now for each in late)
        out += late
        if not taken:
            continue
        first = taken[0]
        waiting = [each for each in put if each not in out]
        assert first.turn == min(each.turn for each in waiting)
        assert {(id(each.backend), each.key) for each in taken} == {(id(first.backend), first.key)}
        assert len(taken) == 1 or sum(each.rows for each in taken) <= 4
        assert all(each.priority <= first.priority for each in taken)
        out += taken
    assert sorted(map(id, out)) == sorted(map(id, put))


def test_take_of_an_empty_queue_and_clear() -> None:
    queue = Queue()
    assert queue.take(0.0) == ([], [])
    one = job(BACKENDS[0], 1, Priority.LOW, None, 0.0)
    queue.put(one)
    assert len(queue) == 1
    assert queue.clear() == [one]
    assert len(queue) == 0


def test_jobs_without_a_batch_axis_count_one_row_and_have_a_key_of_their_own() -> None:
    backend = FakeBackend(ModelSpec("one", AFFINE.inputs, AFFINE.outputs))
    first, second = (job(backend, 3, Priority.NORMAL, None, 0.0) for _ in range(2))
    assert first.rows == 1
    assert first.key != second.key


def test_a_cancelled_job_is_dropped() -> None:
    queue = Queue()
    gone = job(BACKENDS[0], 1, Priority.HIGH, None, 0.0)
    queue.put(gone)
    gone.future.cancel()
    assert queue.take(0.0) == ([], [])
    assert np.size(gone.inputs["x"]) == 3
