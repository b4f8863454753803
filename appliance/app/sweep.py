"""What is done every second whether anybody asks or not: idle sessions are forgotten, old records removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from appliance.app.memory import give_back
from appliance.app.rooms import Rooms
from appliance.channels.voice.live import Live
from appliance.errors import ApplianceError
from appliance.trail import trail

TIDY_S = 3600.0
"""Seconds between two removals of old records."""
GIVE_BACK_S = 60.0
"""Seconds between two returns of free memory to the system."""


def sweep(rooms: Rooms, stopped: threading.Event, live: Callable[[], Live | None]) -> None:
    """Forget idle sessions, on time even when nobody asks anything, and old records; give back free memory.

    Goes on until `stopped`; `live` gives the recordings that are being spoken, None before there is a spoken side.
    What requests cost is known later than their answers, and is written here and not by whoever came to know it.
    """
    tidied, gave = float("-inf"), time.monotonic()
    while not stopped.wait(1.0):
        try:
            rooms.history.tend()
            rooms.dialogue.sweep()
            if (recordings := live()) is not None:
                recordings.sweep()
            if time.monotonic() - gave > GIVE_BACK_S:
                gave = time.monotonic()
                give_back()
            if time.monotonic() - tidied > TIDY_S:
                tidied = time.monotonic()
                rooms.tidy()
        except Exception as error:  # noqa: BLE001 - a defect in one round must not keep customers remembered for good
            code = error.code if isinstance(error, ApplianceError) else trail(error)
            rooms.listener("sweep_failed", code=code)
