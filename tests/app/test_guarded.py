"""A network that fails in service is left alone for a while, by a clock that is told the time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from appliance.app.guarded import AGAIN_S, Guarded
from appliance.errors import (
    ApplianceError,
    BackendFailed,
    DeadlineExceeded,
    InvalidInput,
    ModelMismatch,
    Overloaded,
    Unavailable,
)
from appliance.inference.signature import Arrays


class Clock:
    """Time that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Network:
    """Fake run: doubles x, or raises what it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls: list[float | None] = []

    def __call__(self, inputs: Arrays, /, *, deadline: float | None = None) -> dict[str, npt.NDArray[Any]]:
        self.calls.append(deadline)
        if self.error is not None:
            raise self.error
        return {"y": inputs["x"] * 2}


class Stage:
    """A guard with its network, its clock and what was heard."""

    def __init__(self) -> None:
        self.clock, self.network = Clock(), Network()
        self.heard: list[tuple[str, dict[str, object]]] = []
        self.guard = Guarded("intent", self.network, listener=self._listen, clock=self.clock)

    def _listen(self, event: str, /, **fields: object) -> None:
        self.heard.append((event, fields))

    def ask(self, deadline: float | None = None) -> float:
        return float(self.guard({"x": np.array([3.0])}, deadline=deadline)["y"][0])

    def fails(self, error: ApplianceError) -> None:
        self.network.error = error
        with pytest.raises(type(error)) as caught:
            self.ask()
        assert caught.value is error


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_network_that_serves_is_run_as_it_is(stage: Stage) -> None:
    assert stage.ask() == 6
    assert stage.ask(deadline=12.5) == 6
    assert stage.network.calls == [None, 12.5]
    assert stage.guard.failed == ""
    assert not stage.heard


def test_after_a_failure_it_is_left_alone_until_the_time_has_come(stage: Stage) -> None:
    stage.fails(BackendFailed("expected to run, got no memory"))
    assert stage.heard == [("backend_lost", {"feature": "intent", "reason": "expected to run, got no memory"})]
    stage.network.error = None
    for stage.clock.now in (1000.0, 1000 + AGAIN_S - 0.01):
        with pytest.raises(Unavailable, match="intent: expected a network that runs, got one that failed: .*no memory"):
            stage.ask()
    assert len(stage.network.calls) == 1, "it was not run again"
    assert len(stage.heard) == 1, "and said once"
    stage.clock.now = 1000 + AGAIN_S
    assert stage.ask() == 6
    assert stage.guard.failed == ""
    stage.clock.now = 1000.5  # even a clock that is set back finds nothing left of it
    assert stage.ask() == 6


def test_each_failure_begins_the_wait_anew_and_tells_its_own_reason(stage: Stage) -> None:
    stage.fails(BackendFailed("first"))
    stage.clock.now += AGAIN_S
    stage.fails(ModelMismatch("second"))
    stage.clock.now += AGAIN_S - 0.01
    with pytest.raises(Unavailable, match="second"):
        stage.ask()
    assert [fields["reason"] for _, fields in stage.heard] == ["first", "second"]


@pytest.mark.parametrize("error", [InvalidInput("too long"), DeadlineExceeded("late")])
def test_an_error_of_one_turn_is_nothing_against_the_network(stage: Stage, error: ApplianceError) -> None:
    stage.fails(error)
    stage.network.error = None
    assert stage.ask() == 6
    assert (stage.guard.failed, stage.heard) == ("", [])


@pytest.mark.parametrize("error", [InvalidInput("too long"), DeadlineExceeded("late")])
def test_an_error_of_one_turn_does_not_end_a_failure_either(stage: Stage, error: ApplianceError) -> None:
    stage.fails(BackendFailed("no memory"))
    stage.clock.now += AGAIN_S
    stage.fails(error)
    assert stage.guard.failed == "no memory", "nobody knows yet whether it serves again"
    stage.network.error = None
    assert stage.ask() == 6
    assert stage.guard.failed == ""


@pytest.mark.parametrize("error", [BackendFailed("x"), ModelMismatch("x"), Unavailable("x"), Overloaded("x")])
def test_every_other_error_of_the_appliance_counts(stage: Stage, error: ApplianceError) -> None:
    stage.fails(error)
    assert stage.guard.failed == "x"


def test_a_mistake_in_the_code_is_no_failure_of_the_network(stage: Stage) -> None:
    stage.network.error = KeyError("a defect")
    with pytest.raises(KeyError):
        stage.ask()
    assert (stage.guard.failed, stage.heard) == ("", [])


def test_the_statement_is_one_line_in_both_languages(stage: Stage) -> None:
    stage.fails(BackendFailed("expected to run,\n  got Error:\n\tno memory"))
    assert "\n" not in stage.guard.statement
    chinese, english = stage.guard.statement.split(" / ")
    assert chinese == "intent: 运行中失败，每 30 秒重试一次"
    assert english == "failed while serving: expected to run, got Error: no memory; tried again every 30 s"


def test_many_threads_meet_one_failure_and_all_come_back(stage: Stage) -> None:
    stage.fails(BackendFailed("no memory"))
    results: list[str] = []
    start = threading.Barrier(8)

    def visit() -> None:
        start.wait(10)
        for _ in range(50):
            try:
                results.append(str(stage.ask()))
            except Unavailable:
                results.append("refused")

    def visits() -> None:
        threads = [threading.Thread(target=visit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    visits()
    assert results == ["refused"] * 400
    assert len(stage.network.calls) == 1
    stage.network.error = None
    stage.clock.now += AGAIN_S
    results.clear()
    visits()
    assert results == ["6.0"] * 400
    assert stage.guard.failed == ""
