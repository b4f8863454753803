"""What is done every second goes on whatever happens in one of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace

from appliance.app.appliance import Appliance
from appliance.app.rooms import Rooms
from appliance.app.sweep import sweep
from tests.app.doors import Heard


def test_a_defect_in_one_round_does_not_end_forgetting(rooms: Rooms, heard: Heard) -> None:
    rounds = threading.Semaphore(0)

    class Faulty:
        """Fake dialogue whose sweep meets a defect each time."""

        def sweep(self) -> None:
            rounds.release()
            raise KeyError("13812345678")

    with Appliance(replace(rooms, dialogue=Faulty()), ExitStack()):  # type: ignore[arg-type]  # only its sweep is used
        assert rounds.acquire(timeout=10)
        assert rounds.acquire(timeout=10), "the sweeper ended with the first defect"
    failed = heard.of("sweep_failed")
    assert str(failed[0]["code"]).startswith("KeyError")
    assert "138" not in str(failed)


def test_recordings_that_are_being_spoken_are_swept_once_there_is_a_spoken_side(rooms: Rooms) -> None:
    swept, stopped = threading.Event(), threading.Event()

    class Spoken:
        """Fake recordings: notes that they were swept."""

        def sweep(self) -> None:
            swept.set()

    sides = iter([None, Spoken()])
    thread = threading.Thread(target=sweep, args=(rooms, stopped, lambda: next(sides, None)))
    thread.start()
    try:
        assert swept.wait(10)
    finally:
        stopped.set()
        thread.join(10)
    assert not thread.is_alive()
