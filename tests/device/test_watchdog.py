"""The watchdog against a real scheduler: one that hangs, one that is slow, one that is idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from appliance.device.notify import Notifier
from appliance.device.watchdog import Pulse, Watchdog
from appliance.inference.fake import FakeBackend
from appliance.inference.scheduler import Scheduler
from appliance.inference.signature import Arrays
from appliance.specs import ModelSpec, TensorSpec
from tests.device.supervisor import Supervisor, supervising

INTERVAL_S = 0.4
"""The manager's: it wants to hear something within that time. Looks are a quarter of it apart."""
LONGEST_S = 0.8

SPEC = ModelSpec(
    name="tiny/net",
    inputs=(TensorSpec("x", "float32", (1, 3)),),
    outputs=(TensorSpec("y", "float32", (1, 3)),),
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with supervising(tmp_path) as heard:
        yield heard


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scheduler]:
    monkeypatch.setattr("appliance.inference.scheduler._BEAT_S", 0.1)
    working = Scheduler()
    working.start()
    yield working
    working.close(1)


def pulse(scheduler: Scheduler) -> Pulse:
    return Pulse("inference", lambda: time.monotonic() - scheduler.heartbeat.at, LONGEST_S)


def watched(scheduler: Scheduler, supervisor: Supervisor) -> Watchdog:
    watchdog = Watchdog(Notifier(supervisor.address, INTERVAL_S), [pulse(scheduler)])
    watchdog.start()
    return watchdog


def running(compute: Callable[[], object]) -> FakeBackend:
    """A network whose run does `compute`."""

    def run(inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        compute()
        return {"y": np.zeros((1, 3), np.float32)}

    backend = FakeBackend(SPEC, compute=run)
    backend.load()
    return backend


def fed(supervisor: Supervisor, times: int) -> None:
    """How soon is no matter here: a machine that runs many tests at once may be late."""
    for _ in range(times):
        assert supervisor.hear() == "WATCHDOG=1"


def test_it_looks_four_times_in_each_of_the_managers_intervals(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    watchdog = Watchdog(Notifier(supervisor.address, 20.0), [])
    monkeypatch.setattr(watchdog._stopped, "wait", wait)
    watchdog.start()
    fed(supervisor, 3)
    watchdog.stop()
    assert waits == [5.0, 5.0, 5.0]


def test_an_idle_scheduler_is_alive(scheduler: Scheduler, supervisor: Supervisor) -> None:
    watchdog = watched(scheduler, supervisor)
    fed(supervisor, 12)  # longer than LONGEST_S
    watchdog.stop()
    supervisor.forget()
    assert supervisor.silent(INTERVAL_S)


def test_a_hung_run_is_noticed_though_the_watchdogs_thread_goes_on(
    scheduler: Scheduler, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    leave = threading.Event()
    hung = running(lambda: leave.wait(30))
    watchdog = watched(scheduler, supervisor)
    fed(supervisor, 1)
    answer = scheduler.submit(hung, SPEC.zeros())
    time.sleep(LONGEST_S + INTERVAL_S)
    supervisor.forget()
    assert supervisor.silent(2 * INTERVAL_S)  # systemd has ended the process by now
    assert watchdog.hung == ("inference",)
    assert caplog.text.count("inference has shown no life for") == 1
    leave.set()
    answer.result(10)
    fed(supervisor, 4)  # who wakes up in time is let live
    assert "inference works again" in caplog.text
    watchdog.stop()


def test_slow_runs_one_after_the_other_are_let_live(supervisor: Supervisor) -> None:
    """Each takes three quarters of what a run may, and customers wait for all of them: slow, and alive."""
    now = [100.0]
    begun, leave = threading.Semaphore(0), threading.Semaphore(0)

    def take_time() -> None:
        begun.release()
        leave.acquire(timeout=30)

    slow = running(take_time)
    with Scheduler(clock=lambda: now[0]) as scheduler:
        part = Pulse("inference", lambda: now[0] - scheduler.heartbeat.at, LONGEST_S)
        watchdog = Watchdog(Notifier(supervisor.address, INTERVAL_S), [part])
        answers = [scheduler.submit(slow, SPEC.zeros()) for _ in range(3)]
        for answer in answers:
            assert begun.acquire(timeout=10)
            now[0] += 0.75 * LONGEST_S
            assert watchdog.look()
            leave.release()
            answer.result(10)
        assert watchdog.hung == ()
        answers = [scheduler.submit(slow, SPEC.zeros())]
        assert begun.acquire(timeout=10)
        now[0] += 1.25 * LONGEST_S
        assert not watchdog.look()  # as long as that none may take
        leave.release()
        answers[0].result(10)
    fed(supervisor, 3)


def test_a_scheduler_whose_lock_is_never_released_is_noticed(scheduler: Scheduler, supervisor: Supervisor) -> None:
    """The watchdog's own thread stands still then, which says as much."""
    watchdog = watched(scheduler, supervisor)
    fed(supervisor, 2)
    with scheduler._wake:
        time.sleep(INTERVAL_S)
        supervisor.forget()
        assert supervisor.silent(2 * INTERVAL_S)
    fed(supervisor, 2)
    watchdog.stop()


def test_one_part_that_hangs_is_enough(supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
    silences = {"inference": 0.0, "http": 0.0}
    parts = [Pulse(name, lambda name=name: silences[name], 10.0) for name in silences]  # type: ignore[misc]
    watchdog = Watchdog(Notifier(supervisor.address, 20.0), parts)
    assert watchdog.look()
    silences["http"] = 10.1
    assert not watchdog.look()
    assert not watchdog.look()
    assert watchdog.hung == ("http",)
    silences["http"] = 0.2
    assert watchdog.look()
    supervisor.hear()
    supervisor.hear()
    assert supervisor.silent(0.05)
    assert "http has shown no life for 10 s" in caplog.text
    assert "in 20 s" in caplog.text
    assert "http works again" in caplog.text


def test_a_manager_that_asks_for_no_watchdog_hears_nothing(scheduler: Scheduler, supervisor: Supervisor) -> None:
    watchdog = Watchdog(Notifier(supervisor.address), [pulse(scheduler)])
    watchdog.start()
    assert supervisor.silent(0.3)
    watchdog.stop()
