"""The one queue in front of the accelerator: priorities, deadlines, and joining of what is queued already.

Order and fairness: a job stands in the queue as if it had come `patience` seconds later for every step of priority
below HIGH. So a more urgent job goes first, but only one that came less than that much later may overtake: a LOW job
waits at most two patiences longer than in a plain queue, however many urgent ones keep coming.

Joining: a worker takes the first job and with it those queued for the same network with the same shapes, up to the
profile's largest batch, and never waits for more to come (a wait of 2 ms was measured and bought nothing). A less
urgent job is not joined to a more urgent one: on a CPU each row costs its own time. Joined runs get views of one array,
and their values may differ from a run alone in the last bits, as matrix products of other sizes do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from appliance.device.bill import Charge, charge, charged, waiting
from appliance.errors import ApplianceError, DeadlineExceeded, SettingInvalid, Unavailable
from appliance.inference.backend import Backend, Run, WrongState
from appliance.inference.batch import batching
from appliance.inference.jobs import Job, Outputs, Priority, Queue, attempt, shares, traced
from appliance.inference.signature import Arrays
from appliance.listener import Listener, silent

__all__ = ["Heartbeat", "Priority", "Scheduler"]

_Self = TypeVar("_Self", bound="Scheduler")

_BEAT_S = 1.0
"""Seconds between two heartbeats of an idle worker."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sign of life of the workers, for a watchdog: `at` stands still when one of them hangs in a run."""

    beats: int
    """Beats of all workers since the start; each worker beats before every run and every second when idle."""
    at: float
    """Clock time of the latest beat of the worker that has been silent longest."""


class Scheduler:
    """Runs inferences of all networks, one at a time per worker thread. Thread-safe."""

    def __init__(
        self,
        threads: int = 1,
        listener: Listener = silent,
        clock: Callable[[], float] = time.monotonic,
        *,
        patience: float = 1.0,
        house: Callable[[str], Charge | None] = lambda _network: None,
    ) -> None:
        """Prepare `threads` workers (1 for one accelerator) without starting them.

        `clock` gives the seconds that deadlines are compared with; `patience` is described above. The energy of a run
        is paid by the stages that ordered it, by their rows, and by the `house` where it is for no request.
        """
        if threads < 1 or patience < 0:
            raise SettingInvalid(f"scheduler: expected threads >= 1 and patience >= 0, got {threads} and {patience}")
        self._listener = listener
        self._clock = clock
        self._patience = patience
        self._house = house
        self._wake = threading.Condition()
        self._queue = Queue()
        self._open = self._started = False
        self._beats = [0] * threads
        self._beat_at = [clock()] * threads
        self._running: list[list[Job]] = [[] for _ in range(threads)]
        self._workers = [
            threading.Thread(target=self._work, args=(index,), name=f"inference-{index}", daemon=True)
            for index in range(threads)
        ]

    def start(self) -> None:
        """Start the workers. Raises WrongState when they were started before."""
        with self._wake:
            if self._started:
                raise WrongState("scheduler: start expected one not started, got one that was")
            self._open = self._started = True
        for worker in self._workers:
            worker.start()

    def close(self, timeout: float = 10.0) -> None:
        """Refuse new jobs, release all waiting callers with Unavailable, and wait up to `timeout` s for running ones.

        A caller whose run does not end in time is released with Unavailable too. A second call does nothing.
        """
        with self._wake:
            was_open, self._open = self._open, False
            left = self._queue.clear()
            self._wake.notify_all()
        for job in left:
            _fail(job, _closed(job.backend.spec.name))
        if not was_open:
            return
        until = time.monotonic() + timeout
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
        with self._wake:
            stuck = [job for jobs in self._running for job in jobs]
        for job in stuck:
            _fail(job, _closed(job.backend.spec.name))

    def submit(
        self, backend: Backend, inputs: Arrays, *, priority: Priority = Priority.NORMAL, deadline: float | None = None
    ) -> Future[Outputs]:
        """Queue one run of `backend` and return its future; `inputs` must not change until it is done.

        Raises InvalidInput (inputs do not fit the spec), Unavailable (closed) or WrongState (not started). The future
        gives the outputs, the backend's error, or DeadlineExceeded when `deadline` (clock seconds) passed in the queue.
        """
        backend.spec.check(inputs)
        future: Future[Outputs] = Future()
        with self._wake:
            if not self._started:
                raise WrongState("scheduler: submit expected one started, got one that is not")
            if not self._open:
                raise _closed(backend.spec.name)
            now = self._clock()
            turn = now + self._patience * priority
            how, pays = batching(backend.spec), charge() or self._house(backend.spec.name)
            self._queue.put(Job(backend, inputs, priority, deadline, now, turn, how, future, pays))
            self._wake.notify()
        return future

    def run(
        self, backend: Backend, inputs: Arrays, *, priority: Priority = Priority.NORMAL, deadline: float | None = None
    ) -> Outputs:
        """Queue one run and wait for its outputs, never beyond `deadline`. Raises what `submit` and the future do."""
        if threading.current_thread() in self._workers:
            raise WrongState("scheduler: run expected a caller's thread, got a worker, which would wait for itself")
        future = self.submit(backend, inputs, priority=priority, deadline=deadline)
        try:
            with waiting():  # the run is paid for from its beginning, which the worker knows
                return future.result(None if deadline is None else max(0.0, deadline - self._clock()))
        except FutureTimeout:
            # Still queued, or the library hangs: either way nobody is to wait longer than was promised.
            if future.cancel():
                raise self._late(backend.spec.name, "in the queue") from None
            if not future.done():
                raise self._late(backend.spec.name, "while it ran") from None
            return future.result()
        finally:
            del future  # an error holds this frame and the future holds the error: a cycle that would keep the inputs

    def bind(self, backend: Backend, priority: Priority = Priority.NORMAL) -> Run:
        """Give the room above a plain function that runs `backend` through this queue."""

        def run(inputs: Arrays, /, *, deadline: float | None = None) -> Outputs:
            return self.run(backend, inputs, priority=priority, deadline=deadline)

        return run

    @property
    def depth(self) -> int:
        """Jobs that wait in the queue now."""
        with self._wake:
            return len(self._queue)

    @property
    def running(self) -> int:
        """Jobs that run now."""
        with self._wake:
            return sum(map(len, self._running))

    @property
    def heartbeat(self) -> Heartbeat:
        """The workers' latest sign of life."""
        with self._wake:
            return Heartbeat(sum(self._beats), min(self._beat_at))

    def __enter__(self: _Self) -> _Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self, index: int) -> None:
        while self._wait(index):
            self._turn(index)

    def _wait(self, index: int) -> bool:
        """Wait for jobs; False when there will be none any more."""
        with self._wake:
            self._beat(index)
            while self._open and not self._queue:
                self._wake.wait(_BEAT_S)
                self._beat(index)
            return self._open

    def _turn(self, index: int) -> None:
        """Take the next jobs and serve them. A function of its own: its end lets go of their inputs and outputs."""
        with self._wake:
            late, jobs = self._queue.take(self._clock())
            self._running[index] = jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        try:
            for job in late:
                _fail(job, self._late(job.backend.spec.name, "in the queue"))
            if jobs:
                self._serve(index, jobs)
        except Exception as error:  # noqa: BLE001 - a listener that raises must not leave callers waiting for ever
            for job in (*late, *jobs):
                _fail(job, error)
        with self._wake:
            self._running[index] = []

    def _beat(self, index: int) -> None:
        self._beats[index] += 1
        self._beat_at[index] = self._clock()

    def _serve(self, index: int, jobs: list[Job]) -> None:
        """Run `jobs` as one; when that fails, one by one, so that a bad job sinks alone."""
        started = self._clock()
        with charged(shares(jobs)):
            outcome = attempt(jobs)
        self._listener(
            "inference",
            model=jobs[0].backend.spec.name,
            backend=jobs[0].backend.name,
            ok=not isinstance(outcome, Exception),
            jobs=len(jobs),
            rows=sum(job.rows for job in jobs),
            waited_ms=(started - jobs[0].arrived) * 1000,
            run_ms=(self._clock() - started) * 1000,
            reason=_reason(outcome) if isinstance(outcome, Exception) else "",
            trace=traced(outcome) if isinstance(outcome, Exception) else "",
        )
        if not isinstance(outcome, Exception):
            for job, outputs in zip(jobs, outcome, strict=True):
                with suppress(InvalidStateError):  # the caller was released at close
                    job.future.set_result(outputs)
        elif len(jobs) == 1:
            _fail(jobs[0], outcome)
        else:
            self._listener("batch_retried", model=jobs[0].backend.spec.name, jobs=len(jobs), reason=_reason(outcome))
            self._serve_each(index, jobs)

    def _serve_each(self, index: int, jobs: list[Job]) -> None:
        for job in jobs:
            with self._wake:
                self._beat(index)  # all of them together may take longer than a run that hangs
            if job.expired(self._clock()):
                _fail(job, self._late(job.backend.spec.name, "while its batch was tried"))
            else:
                self._serve(index, [job])

    def _late(self, model: str, where: str) -> DeadlineExceeded:
        self._listener("deadline_exceeded", model=model, where=where)
        return DeadlineExceeded(f"{model}: expected outputs before the deadline, which passed {where}")


def _reason(error: Exception) -> str:
    """What the log may say of an error: a typed one speaks of networks and shapes; what others repeat is unknown."""
    return error.detail if isinstance(error, ApplianceError) else type(error).__name__


def _fail(job: Job, error: Exception) -> None:
    with suppress(InvalidStateError):  # the caller has its answer or has gone
        job.future.set_exception(error)


def _closed(model: str) -> ApplianceError:
    return Unavailable(f"{model}: expected a scheduler that is open, got one that is closed; the appliance is stopping")
