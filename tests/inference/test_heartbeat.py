"""The scheduler's heartbeat: it shows life while idle and stops while a run hangs."""

from __future__ import annotations

import time

import numpy as np
import pytest
from laid_queues import Door, row
from tiny_networks import AFFINE, Clock, eventually

from appliance.errors import BackendFailed
from appliance.inference import scheduler as module
from appliance.inference.fake import FakeBackend
from appliance.inference.scheduler import Scheduler
from appliance.inference.signature import Arrays


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
