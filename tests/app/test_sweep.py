"""What is done every second goes on whatever happens in one of them."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace

from appliance.app.appliance import Appliance
from appliance.app.rooms import Rooms
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
