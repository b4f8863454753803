"""Backends that fail in motion: every request is answered, the better one comes back, nothing is held twice."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from tiny_networks import AFFINE, Clock, Heard

from appliance.errors import (
    BackendFailed,
    DeviceFailed,
    EngineMissing,
    InvalidInput,
    ModelMismatch,
    OutOfDeviceMemory,
)
from appliance.inference.backend import Backend, BackendInfo, Unsuited, WrongState
from appliance.inference.fallback import Candidate
from appliance.inference.pauses import LONGEST_S, PAUSE_S
from appliance.inference.signature import Arrays
from appliance.inference.switch import SwitchingBackend

X = {"x": np.ones((1, 3), np.float32)}


class Rung:
    """One way to serve, whose copies in memory are counted, and which fails as it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held = 0
        self.loads = 0
        self.refuses: Exception | None = None  # to load
        self.breaks: list[Exception | str] = []  # to run; the string `nan` is no error
        self.dead = False

    def make(self) -> Backend:
        return _Backend(self)


class _Backend(Backend):
    def __init__(self, rung: Rung) -> None:
        super().__init__(AFFINE, None)
        self.name, self.rung = rung.name, rung
        self._counted = False

    def _load(self) -> None:
        self.rung.loads += 1
        if self.rung.refuses is not None:
            raise self.rung.refuses
        self.rung.held += 1
        self._counted = True

    def _infer(self, inputs: Arrays) -> dict[str, np.ndarray]:
        if self.rung.dead:
            raise DeviceFailed("the device is gone")
        broken = self.rung.breaks.pop(0) if self.rung.breaks and inputs["x"].any() else None
        if isinstance(broken, Exception):
            raise broken
        return {"y": np.full_like(inputs["x"], np.nan) if broken else inputs["x"] * 2}

    def _close(self) -> None:
        self.rung.held -= self._counted  # also called after a load that failed
        self._counted = False

    def _describe(self) -> BackendInfo:
        return BackendInfo(self.name, "none", "0", "none")


class Stage:
    def __init__(self, *names: str) -> None:
        self.rungs = {name: Rung(name) for name in names}
        self.clock, self.heard = Clock(), Heard()
        candidates = [Candidate(name, rung.make) for name, rung in self.rungs.items()]
        self.backend = SwitchingBackend(AFFINE, candidates, listener=self.heard, clock=self.clock)

    @property
    def held(self) -> list[str]:
        return [name for name, rung in self.rungs.items() for _ in range(rung.held)]

    def answered(self) -> None:
        np.testing.assert_array_equal(self.backend.infer(X)["y"], [[2, 2, 2]])


@pytest.fixture
def stage() -> Stage:
    made = Stage("tensorrt", "cuda", "cpu")
    made.backend.load()
    return made


def test_the_best_that_works_serves(stage: Stage) -> None:
    stage.answered()
    assert stage.held == ["tensorrt"]
    info = stage.backend.describe()
    assert (info.name, info.fallback, info.switches) == ("tensorrt", "", 0)
    assert stage.backend.name == "tensorrt"
    stage.backend.close()
    assert stage.held == []


def test_a_lost_device_answers_by_the_next_backend_and_holds_one_copy(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = True
    stage.answered()
    assert stage.held == ["cuda"]
    (switched,) = stage.heard.all("backend_switched")
    assert (switched["backend"], switched["to"], switched["again_s"]) == ("tensorrt", "cuda", PAUSE_S)
    assert "the device is gone" in switched["reason"]
    info = stage.backend.describe()
    assert (info.name, info.switches) == ("cuda", 1)
    assert "the device is gone" in info.fallback
    assert [attempt.name for attempt in stage.backend.selection.attempts] == ["tensorrt", "cuda"]


def test_when_the_next_cannot_be_loaded_the_one_below_it_answers(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = True
    stage.rungs["cuda"].refuses = OutOfDeviceMemory("no room")
    stage.answered()
    assert stage.held == ["cpu"]
    assert "no room" in stage.backend.describe().fallback


def test_outputs_that_are_no_numbers_are_a_failure(stage: Stage) -> None:
    stage.rungs["tensorrt"].breaks = ["nan"]
    stage.answered()
    assert stage.held == ["cuda"]


def test_too_little_memory_for_one_request_answers_it_elsewhere(stage: Stage) -> None:
    stage.rungs["tensorrt"].breaks = [OutOfDeviceMemory("2 GB wanted")]
    stage.answered()
    assert stage.held == ["cuda"]


def test_a_request_beyond_every_profile_is_lent_another_backend(stage: Stage) -> None:
    stage.rungs["tensorrt"].breaks = [Unsuited("beyond every profile"), Unsuited("beyond every profile")]
    stage.answered()
    assert stage.held == ["tensorrt"]
    (lent,) = stage.heard.all("backend_lent")
    assert (lent["backend"], lent["reason"]) == ("cuda", "beyond every profile")
    stage.rungs["cuda"].refuses = stage.rungs["cpu"].refuses = BackendFailed("none")
    with pytest.raises(Unsuited):
        stage.backend.infer(X)
    stage.answered()


@pytest.mark.parametrize("error", [BackendFailed("index beyond the table"), ModelMismatch("odd"), InvalidInput("no")])
def test_what_the_request_did_wrong_changes_nothing(stage: Stage, error: Exception) -> None:
    stage.rungs["tensorrt"].breaks = [error]
    with pytest.raises(type(error)):
        stage.backend.infer(X)
    assert stage.held == ["tensorrt"]
    assert not stage.heard.all("backend_switched")
    stage.answered()


def test_the_last_one_stays_whatever_it_says(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = stage.rungs["cuda"].dead = True
    stage.answered()
    assert stage.held == ["cpu"]
    stage.rungs["cpu"].breaks = [DeviceFailed("hiccup")]
    with pytest.raises(DeviceFailed):
        stage.backend.infer(X)
    stage.answered()
    assert stage.held == ["cpu"]


def test_the_better_one_comes_back_after_its_pause(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = True
    stage.answered()
    stage.rungs["tensorrt"].dead = False
    stage.backend.tend()
    assert stage.held == ["cuda"]
    stage.clock.now += PAUSE_S
    stage.backend.tend()
    assert stage.held == ["tensorrt"]
    stage.answered()
    (back,) = stage.heard.all("backend_restored")
    assert (back["backend"], back["to"]) == ("cuda", "tensorrt")
    info = stage.backend.describe()
    assert (info.name, info.fallback, info.switches) == ("tensorrt", "", 2)


def test_pauses_double_up_to_an_hour_and_are_forgotten_after_long_service(stage: Stage) -> None:
    pauses = []
    for _ in range(10):
        stage.rungs["tensorrt"].dead = True
        stage.answered()
        stage.rungs["tensorrt"].dead = False
        pauses.append(stage.heard.all("backend_switched")[-1]["again_s"])
        stage.clock.now += pauses[-1]
        stage.backend.tend()
        assert stage.held == ["tensorrt"]
    assert pauses[:3] == [30, 60, 120]
    assert pauses[-1] == LONGEST_S
    stage.clock.now += LONGEST_S + 1
    stage.rungs["tensorrt"].dead = True
    stage.answered()
    assert stage.heard.all("backend_switched")[-1]["again_s"] == PAUSE_S


def test_while_it_stays_away_it_is_tried_less_and_less(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = stage.rungs["cuda"].dead = True
    stage.answered()
    before = stage.rungs["tensorrt"].loads
    stage.rungs["cuda"].refuses = DeviceFailed("still away")
    for _ in range(3600):
        stage.clock.now += 1
        stage.backend.tend()
    tried = stage.rungs["tensorrt"].loads - before
    assert 5 <= tried <= 7  # after 30, 60, 120, ... seconds
    assert stage.held == ["cpu"]
    stage.answered()
    assert "still away" in stage.backend.describe().fallback


def test_what_was_refused_at_the_start_is_tried_once_an_hour_and_the_state_stays_true() -> None:
    stage = Stage("tensorrt", "cpu")
    stage.rungs["tensorrt"].refuses = EngineMissing("none was built")
    stage.backend.load()
    tried = []
    for second in range(1, 4 * 3600 + 10):
        stage.clock.now += 1
        before = stage.rungs["tensorrt"].loads
        stage.backend.tend()
        tried += [second] * (stage.rungs["tensorrt"].loads - before)
    assert tried == [3600, 7200, 10800, 14400]
    served = stage.backend.selection.attempts[-1]
    assert (served.name, served.ok) == ("cpu", True)
    assert stage.backend.selection.backend is not None
    assert "cpu loaded in" in stage.backend.selection.reason


def test_an_engine_built_while_the_appliance_runs_is_taken_up() -> None:
    stage = Stage("tensorrt", "cpu")
    stage.rungs["tensorrt"].refuses = EngineMissing("none was built")
    stage.backend.load()
    assert stage.held == ["cpu"]
    assert "none was built" in stage.backend.describe().fallback
    stage.rungs["tensorrt"].refuses = None
    stage.clock.now += LONGEST_S
    stage.backend.tend()
    assert stage.held == ["tensorrt"]
    assert stage.backend.describe().fallback == ""


def test_nothing_that_works_is_an_error_with_every_reason() -> None:
    stage = Stage("tensorrt", "cpu")
    stage.rungs["tensorrt"].refuses, stage.rungs["cpu"].refuses = DeviceFailed("one"), BackendFailed("two")
    with pytest.raises(BackendFailed, match=r"tensorrt refused.*one.*cpu refused.*two"):
        stage.backend.load()
    assert stage.backend.name == "none"
    assert stage.backend.selection.backend is None
    with pytest.raises(WrongState):
        stage.backend.describe()


def test_when_everything_breaks_requests_say_so_until_something_comes_back(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = True
    for name in ("cuda", "cpu"):
        stage.rungs[name].refuses = BackendFailed(f"{name} is broken")
    with pytest.raises(BackendFailed, match="cpu is broken"):
        stage.backend.infer(X)
    assert stage.held == []
    assert stage.backend.describe().name == "none"
    stage.rungs["cpu"].refuses = None
    stage.rungs["tensorrt"].refuses = DeviceFailed("away")
    stage.clock.now += PAUSE_S
    stage.backend.tend()
    stage.answered()
    assert stage.held == ["cpu"]


def test_requests_of_many_threads_are_all_answered_through_a_switch(stage: Stage) -> None:
    wrong: list[Any] = []

    def work() -> None:
        for turn in range(50):
            if turn == 25:
                stage.rungs["tensorrt"].dead = True
            try:
                stage.answered()
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert stage.held == ["cuda"]
    assert len(stage.heard.all("backend_switched")) == 1


def test_closing_while_a_better_one_is_loaded_leaves_nothing(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = True
    stage.answered()
    stage.rungs["tensorrt"].dead = False
    stage.clock.now += PAUSE_S
    inside, go = threading.Event(), threading.Event()
    make = stage.rungs["tensorrt"].make

    def slowly() -> Backend:
        inside.set()
        assert go.wait(10)
        return make()

    object.__setattr__(stage.backend._candidates[0], "make", slowly)
    tending = threading.Thread(target=stage.backend.tend)
    tending.start()
    assert inside.wait(10)
    stage.answered()  # goes on meanwhile
    stage.backend.close()
    go.set()
    tending.join(10)
    assert stage.held == []


def test_another_that_is_preferred_serves_from_the_next_request_on_and_gives_way_again(stage: Stage) -> None:
    assert stage.backend.candidates == ("tensorrt", "cuda", "cpu")
    assert stage.backend.prefer("cpu") == ""
    stage.answered()
    assert stage.held == ["cpu"], "the one before it is let go"
    assert (stage.backend.candidate, stage.backend.demoted) == ("cpu", False)
    (told,) = stage.heard.all("backend_preferred")
    assert (told["backend"], told["to"]) == ("tensorrt", "cpu")
    stage.clock.now += 2 * LONGEST_S
    stage.backend.tend()
    assert stage.held == ["cpu"], "nothing is better than what is preferred"
    assert stage.backend.prefer("cpu") == ""
    assert len(stage.heard.all("backend_preferred")) == 1, "it serves already"
    assert stage.backend.prefer(None) == ""
    stage.answered()
    assert (stage.held, stage.backend.candidate) == (["tensorrt"], "tensorrt")


def test_one_that_is_preferred_and_refused_changes_nothing_and_says_why(stage: Stage) -> None:
    stage.rungs["cuda"].refuses = EngineMissing("no engine of it")
    assert "no engine of it" in stage.backend.prefer("cuda")
    stage.answered()
    assert stage.held == ["tensorrt"]
    assert "expected one of tensorrt, cuda, cpu" in stage.backend.prefer("gpu")


def test_one_that_is_preferred_and_fails_gives_way_like_any_other_and_comes_back(stage: Stage) -> None:
    stage.backend.prefer("cuda")
    stage.rungs["cuda"].dead = True
    stage.answered()
    assert stage.held == ["tensorrt"]
    assert stage.backend.demoted
    stage.rungs["cuda"].dead = False
    stage.clock.now += PAUSE_S + 1
    stage.backend.tend()
    assert stage.held == ["cuda"]


def test_the_best_again_is_the_best_that_works(stage: Stage) -> None:
    stage.backend.prefer("cpu")
    stage.rungs["tensorrt"].refuses = DeviceFailed("gone")
    assert stage.backend.prefer(None) == ""
    assert stage.held == ["cuda"]
    stage.rungs["cuda"].refuses = DeviceFailed("gone")
    stage.backend.prefer("cpu")
    assert stage.backend.prefer(None) == ""
    assert stage.held == ["cpu"], "where nothing better works, what serves goes on"
    stage.answered()


def test_the_best_again_loads_nothing_where_nothing_was_preferred(stage: Stage) -> None:
    stage.rungs["tensorrt"].dead = True
    stage.answered()
    assert stage.held == ["cuda"]
    stage.rungs["tensorrt"].dead = False
    assert stage.backend.prefer(None) == ""
    assert stage.held == ["cuda"], "it comes back after its pause, not before"
    assert stage.backend.demoted
    stage.clock.now += PAUSE_S + 1
    stage.backend.tend()
    assert stage.held == ["tensorrt"]


def test_requests_in_flight_are_answered_while_another_takes_over(stage: Stage) -> None:
    failed: list[BaseException] = []
    over = threading.Event()

    def ask() -> None:
        try:
            while not over.is_set():
                stage.answered()
        except BaseException as error:  # noqa: BLE001 - the test says what it was
            failed.append(error)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for turn in range(40):
        assert stage.backend.prefer("cpu" if turn % 2 == 0 else None) == ""
    over.set()
    for thread in asking:
        thread.join(10)
    assert not failed
    assert stage.held == ["tensorrt"]


def test_nothing_is_preferred_after_the_end(stage: Stage) -> None:
    stage.backend.close()
    assert "nothing serves" in stage.backend.prefer("cpu")
    assert stage.held == []
