"""Jobs before the accelerator: the order in which they are taken, and running those taken together.

The queue is not thread-safe: the scheduler holds its lock.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy.typing as npt

from appliance.device.bill import Charge
from appliance.inference.backend import Backend
from appliance.inference.batch import Batching, fits, join, key, rows, split
from appliance.inference.signature import Arrays
from appliance.trail import trail

Outputs = dict[str, npt.NDArray[Any]]
"""Tensors by name."""


class Priority(IntEnum):
    """How urgent a job is; a smaller number goes first."""

    HIGH = 0
    """Someone speaks and each frame counts: voice activity, wake word, streaming recognition."""
    NORMAL = 1
    """Someone waits for an answer."""
    LOW = 2
    """Nobody waits: self-tests, benchmarks beside the service."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One run that somebody waits for."""

    backend: Backend
    """The network, loaded."""
    inputs: Arrays
    """Checked inputs; not to be changed until the job is done."""
    priority: Priority
    """How urgent it is."""
    deadline: float | None
    """Clock time after which nobody wants the outputs."""
    arrived: float
    """Clock time at which it came."""
    turn: float
    """Clock time that decides the order: `arrived`, later by the patience for every step of priority below HIGH."""
    how: Batching | None
    """How it may be joined with others; None when it may not."""
    future: Future[Outputs]
    """Where the outputs or the error go."""
    charge: Charge | None = None
    """Who pays for the energy; None where it is not measured."""

    @property
    def rows(self) -> int:
        """Rows along the batch axis; 1 when there is none."""
        return rows(self.how, self.inputs) if self.how else 1

    @property
    def key(self) -> Hashable:
        """Equal for jobs of one network that may be joined."""
        return key(self.how, self.inputs) if self.how else id(self)

    def expired(self, now: float) -> bool:
        """True when the deadline has passed."""
        return self.deadline is not None and now >= self.deadline


class Queue:
    """Jobs in the order of their turn; of two with one turn, the first to come goes first."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def __len__(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a job."""
        insort(self._jobs, job, key=lambda waiting: waiting.turn)

    def take(self, now: float) -> tuple[list[Job], list[Job]]:
        """Remove and return all jobs whose deadline has passed, and those to run together now, first come first.

        Cancelled jobs are dropped. Both lists may be empty.
        """
        waiting = [job for job in self._jobs if not job.future.cancelled()]
        late = [job for job in waiting if job.expired(now)]
        waiting = [job for job in waiting if not job.expired(now)]
        taken = _together(waiting)
        self._jobs = [job for job in waiting if job not in taken]
        return late, taken

    def clear(self) -> list[Job]:
        """Remove and return all jobs."""
        jobs, self._jobs = self._jobs, []
        return jobs


def _together(waiting: list[Job]) -> list[Job]:
    """The first job and the later ones that may be joined to it, as many as one of the network's profiles holds."""
    if not waiting:
        return []
    first = waiting[0]
    taken, total = [first], first.rows
    if first.how is None:
        return taken
    sizes = first.backend.spec.sizes(first.inputs)
    for job in waiting[1:]:
        alike = job.backend is first.backend and job.priority <= first.priority and job.key == first.key
        if alike and fits(first.how, sizes, total + job.rows):
            taken.append(job)
            total += job.rows
    return taken


def shares(jobs: list[Job]) -> list[tuple[Charge | None, float]]:
    """Who pays which part of a run of all `jobs`: each by its rows, and together as much as one run alone."""
    rows = [max(1, job.rows) for job in jobs]
    return [(job.charge, own / sum(rows)) for job, own in zip(jobs, rows, strict=True)]


def attempt(jobs: list[Job]) -> list[Outputs] | Exception:
    """Outputs of each job, or what went wrong."""
    try:
        return _infer(jobs)
    except Exception as error:  # noqa: BLE001 - the worker outlives every error; the caller gets it
        return error


def traced(error: Exception) -> str:
    """Take the worker's traceback off the error and return its trail, without messages, for the log.

    Its frames hold the jobs, whose futures hold the error: a cycle in which an image of 30 MB would stay until the
    garbage collector comes by.
    """
    text = trail(error)
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return text


def _infer(jobs: list[Job]) -> list[Outputs]:
    backend, how = jobs[0].backend, jobs[0].how
    if len(jobs) == 1 or how is None:
        return [backend.infer(jobs[0].inputs)]
    outputs = backend.infer(join(how, [job.inputs for job in jobs]))
    return split(how, outputs, [job.rows for job in jobs])
