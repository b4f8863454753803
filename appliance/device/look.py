"""One look at everything that the board tells of itself, for the status, the governor and the technician."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.device.alarms import Alarms, Bells, find_bells
from appliance.device.board import Board, recognise
from appliance.device.clocks import Clocks, Gpu, find_clocks
from appliance.device.heat import Heat, Zone, feel, find_zones
from appliance.device.mode import Modes, read_modes
from appliance.device.rails import Draw, Rail, find_rails
from appliance.errors import SensorUnreadable

ROOT = Path("/")
FRESH_S = 1.0
"""A look that is younger than this is not taken anew."""
ANEW_S = 30.0
"""Seconds after which what is missing, or cannot be read, is looked for anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """The board at one moment."""

    at: float
    """Seconds of the clock: while a bus hangs, the latest look may be old."""
    rails: dict[str, Draw]
    """What each rail draws, by label; some are parts of others, so that their sum says nothing."""
    unread: dict[str, str]
    """Rails that could not be read, and why, in English."""
    heat: Heat
    """Temperatures."""
    gpu: Gpu | None
    """Load and clock of the GPU; None where there is none of NVIDIA's own."""
    megahertz: dict[str, float]
    """Clock by cores."""
    modes: Modes
    """The power mode, by name, and those that there are."""
    alarms: Alarms
    """What is amiss."""


@dataclass(frozen=True, slots=True)
class Sensors:
    """Everything that can be looked at, found once."""

    root: Path
    """`/` on a board; tests give a tree of files."""
    board: Board
    """What this machine is."""
    rails: tuple[Rail, ...]
    """Every rail, parts among them."""
    zones: tuple[Zone, ...]
    """Every thermal zone with a sensor."""
    clocks: Clocks
    """The GPU and the cores."""
    bells: Bells
    """Alarms."""

    @property
    def all_found(self) -> bool:
        """Whether there are rails, temperatures and a GPU: a driver may come later than the appliance."""
        return bool(self.rails and self.zones) and (self.clocks.gpu or self.clocks.load) is not None

    def look(self, clock: Callable[[], float] = time.monotonic) -> Look:
        """Look at all of it now: about 10 ms of a Jetson's I2C bus. Never raises: what cannot be read is named."""
        at = clock()
        rails: dict[str, Draw] = {}
        unread: dict[str, str] = {}
        for rail in self.rails:
            try:
                rails[rail.name] = rail.draw()
            except SensorUnreadable as error:
                unread[rail.name] = error.detail
        heat, modes = feel(self.zones), read_modes(self.root)
        return Look(at, rails, unread, heat, self.clocks.look(), self.clocks.megahertz(), modes, self.bells.look())


def find_sensors(root: Path = ROOT) -> Sensors:
    """Find what can be looked at under `root`. Never raises: a machine without sensors has none."""
    rails = find_rails(root)
    return Sensors(root, recognise(root), rails, find_zones(root), find_clocks(root), find_bells(rails, root))


class Watch:
    """The latest look, taken anew only when it is asked for and the last one is too old. Thread-safe."""

    def __init__(
        self,
        root: Path = ROOT,
        *,
        fresh_s: float = FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at what is under `root` at most every `fresh_s` seconds; reads nothing before the first question."""
        self._root, self._fresh_s, self._clock = root, fresh_s, clock
        self._lock = threading.Lock()
        self._sensors: Sensors | None = None
        self._found_at = self._looked_at = -math.inf
        self._last: Look | None = None

    @property
    def sensors(self) -> Sensors:
        """What there is to look at; who asks waits for a look in hand only the first time."""
        found = self._sensors
        if found is not None:
            return found
        with self._lock:
            return self._found()

    def now(self) -> Look:
        """A look that is at most `fresh_s` old, or the one before while another thread is looking. Never raises."""
        before = self._last
        # A bus that hangs takes a second for every file: one waits for it, and not all who ask.
        if not self._lock.acquire(blocking=before is None) and before is not None:
            return before
        try:
            if self._last is None or self._clock() - self._looked_at >= self._fresh_s:
                self._last, self._looked_at = self._found().look(self._clock), self._clock()
            return self._last
        finally:
            self._lock.release()

    def _found(self) -> Sensors:
        # A driver that is loaded late, or again under other paths: what is missing is looked for anew, now and then.
        found = self._sensors
        missing = found is None or not found.all_found or (self._last is not None and bool(self._last.unread))
        if found is None or (missing and self._clock() - self._found_at >= ANEW_S):
            self._sensors = found = find_sensors(self._root)
            self._found_at = self._clock()
        return found
