"""The watch over a bundle on trial, and the moment in which another one takes over; by a clock of the tests' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from appliance.app.updates import PATIENCE_S, UNREADY_S, Updates
from appliance.bundles.choose import choose, roll_back
from appliance.bundles.state import CURRENT, linked, read_state
from appliance.metrics import Metrics
from appliance.settings import Settings
from tests.bundles.conftest import Board, Desk


class FakeAppliance:
    """Ready or not, with customers or without."""

    def __init__(self) -> None:
        self.is_ready, self.customers, self.busy = True, 0, False
        self.drained: list[float] = []

    def ready(self) -> bool:
        return self.is_ready

    def drain(self, patience_s: float, retry_after: float) -> bool:
        self.drained.append(retry_after)
        return True


class Watched:
    """Updates around a fake appliance, looked at by hand."""

    def __init__(self, board: Board, watch_s: float = 60.0) -> None:
        self.board, self.now, self.left = board, 0.0, 0
        self.appliance, self.metrics = FakeAppliance(), Metrics(CollectorRegistry())
        self.chosen = choose(board.root)
        self.updates = Updates(
            self.appliance,  # type: ignore[arg-type]
            self.chosen,
            board.root,
            Settings(bundle_watch_s=watch_s),
            self.metrics,
            self.leave,
            clock=lambda: self.now,
        )

    def leave(self) -> None:
        self.left += 1

    def after(self, seconds: float) -> Watched:
        self.now += seconds
        self.updates.look()
        return self

    def answers(self, count: int, status: int) -> None:
        for _ in range(count):
            self.metrics.request("/v1/turns", "POST", status, 0.01)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    desk = Desk()
    made = Board(tmp_path / "bundles", desk)
    made.trust(desk.public())
    return made


@pytest.fixture
def trial(board: Board) -> Callable[[], Watched]:
    """Version 1 serves, 2 is on trial."""

    def start() -> Watched:
        board.serve(board.desk.bundle(1))
        board.install(board.desk.bundle(2))
        return Watched(board)

    return start


def test_one_that_serves_through_its_watch_is_committed(trial: Callable[[], Watched]) -> None:
    made = trial()
    made.answers(100, 200)
    made.answers(4, 500)  # that happens
    assert made.after(1).updates.on_trial
    assert read_state(made.board.root).ready
    assert made.after(58).updates.on_trial
    assert not made.after(1).updates.on_trial
    assert made.chosen is not None
    assert linked(made.board.root, CURRENT) == made.chosen.id
    assert (made.after(1).left, made.updates.again) == (0, False)


@pytest.mark.parametrize("how", ["unready", "failing"])
def test_one_that_does_not_gives_way(trial: Callable[[], Watched], how: str) -> None:
    made = trial()
    made.after(1)
    if how == "unready":
        made.appliance.is_ready = False
        assert made.after(UNREADY_S - 1).left == 0
        made.after(1)
    else:
        made.answers(16, 200)
        made.answers(5, 500)
        made.after(1)
    assert (made.left, made.updates.again) == (1, True)
    assert made.appliance.drained
    reason = next(iter(read_state(made.board.root).bad.values()))
    assert ("s without" if how == "unready" else "got 5 defects in 21") in reason
    chosen = choose(made.board.root)
    assert chosen is not None
    assert chosen.contents.version == 1


def test_a_moment_without_readiness_is_no_failure(trial: Callable[[], Watched]) -> None:
    made = trial()
    for ready in (False, True, False, True, False, True):
        made.appliance.is_ready = ready
        assert made.after(UNREADY_S - 1).left == 0


def test_one_that_was_never_ready_is_not_committed(trial: Callable[[], Watched]) -> None:
    made = trial()
    made.appliance.is_ready = False
    made.after(UNREADY_S)
    assert made.left == 1
    assert made.updates.on_trial


def test_another_one_waits_for_a_quiet_moment(board: Board) -> None:
    board.serve(board.desk.bundle(1))
    made = Watched(board)
    board.install(board.desk.bundle(2))
    made.appliance.customers = 1
    assert made.after(1).after(PATIENCE_S - 1).left == 0
    made.appliance.customers, made.appliance.busy = 0, True
    assert made.after(0.5).left == 0
    made.appliance.busy = False
    assert made.after(0.1).left == 1
    assert made.updates.again


def test_it_does_not_wait_for_ever(board: Board) -> None:
    made = Watched(board)
    board.install(board.desk.bundle(1))
    made.appliance.customers = 3
    assert made.after(1).after(PATIENCE_S).left == 1


def test_going_back_by_hand_is_noticed(board: Board, trial: Callable[[], Watched]) -> None:
    made = trial()
    assert made.chosen is not None
    roll_back(board.root, made.chosen.id, "by hand")
    assert made.after(1).left == 1
    serving = Watched(board)
    assert serving.chosen is not None
    roll_back(board.root, serving.chosen.id, "by hand")
    assert serving.after(1).left == 1


def test_what_was_passed_over_at_the_start_is_not_tried_for_ever(board: Board) -> None:
    """Damaged: what serves is not what the link names, and that is known."""
    name = board.serve(board.desk.bundle(1))
    (board.root / name / "settings.yaml").write_bytes(b"!")
    made = Watched(board)
    assert made.chosen is None
    assert made.after(1).after(PATIENCE_S).left == 0


def test_a_full_disk_does_not_end_the_watch(trial: Callable[[], Watched], monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.errors import StorageFailed

    made = trial()
    real = made.updates.look
    looked: list[int] = []

    def look() -> None:
        looked.append(1)
        if len(looked) == 1:
            raise StorageFailed("no space left")
        made.now += 100
        real()

    monkeypatch.setattr(made.updates, "look", look)
    monkeypatch.setattr("appliance.app.updates.LOOK_S", 0.01)
    import time

    with made.updates:
        for _ in range(500):
            if not made.updates.on_trial:
                break
            time.sleep(0.01)
    assert not made.updates.on_trial


def test_who_is_told_to_end_during_a_switch_ends(trial: Callable[[], Watched], monkeypatch: pytest.MonkeyPatch) -> None:
    made = trial()

    def told(patience_s: float, retry_after: float) -> bool:
        made.updates.stop()
        return True

    monkeypatch.setattr(made.appliance, "drain", told)
    made.answers(5, 500)
    made.after(1)
    assert (made.left, made.updates.again) == (0, False)
